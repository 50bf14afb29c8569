// SPDX-License-Identifier: MIT
// Where a sublayer meets the streams: mhc's block, the sublayer's weights, and what both keep.
#pragma once

#include <mhc/mhc.hpp>

#include "arena.hpp"
#include "model/linear.hpp"

namespace language_model {

template <class Block, class Sublayer>
struct Site {
  using BlockParameters = typename Block::ParametersView;
  using Weights = typename Sublayer::Parameters;

  template <class Shape>
  Site(Arena& arena, const Shape& shape, index tokens)
      : Site(take_block(arena, shape.channels), take_weights(arena, shape), shape, tokens) {}

  BlockParameters parameters, dparameters;
  Weights weights, dweights;
  Block block;
  typename Block::Saved mappings;   // kept by the block
  typename Sublayer::Saved inside;  // kept by the sublayer
  mhc::Tokens<float> u, v;          // the sublayer's input and output

 private:
  template <class Shape>
  Site(Arena::Piece of_block, Arena::Piece of_weights, const Shape& shape, index tokens)
      : parameters(of_block.values, shape.channels),
        dparameters(of_block.gradients, shape.channels),
        weights(of_weights.values, shape),
        dweights(of_weights.gradients, shape),
        block(parameters),
        mappings(tokens),
        inside(shape, tokens),
        u(tokens, shape.channels),
        v(tokens, shape.channels) {}

  // phi decays, as matrices do; alpha and b do not.
  static Arena::Piece take_block(Arena& arena, index channels) {
    const index phi = BlockParameters::depth(channels) * BlockParameters::projections;
    const Arena::Piece piece = arena.take(phi, true);
    arena.take(BlockParameters::size(channels) - phi, false);
    return piece;
  }

  // The norm comes first and does not decay.
  template <class Shape>
  static Arena::Piece take_weights(Arena& arena, const Shape& shape) {
    const Arena::Piece piece = arena.take(shape.channels, false);
    arena.take(Weights::size(shape) - shape.channels, true);
    return piece;
  }
};

}  // namespace language_model
