// SPDX-License-Identifier: MIT
// A sublayer on the streams, inside the four calls of mhc's block:
//
//   forward     prepare           x -> u              backward     finish_backward    dx_next -> dv
//               the sublayer      u -> v                           the sublayer's     dv -> du
//               finish            x, v -> x_next                   prepare_backward   du -> dx
#pragma once

#include <mhc/mhc.hpp>

#include "arena.hpp"
#include "model/linear.hpp"
#include "parallel.hpp"
#include "site_times.hpp"

namespace language_model {

// Scratch of a site's backward and apply(), shared by all sites.
template <class Block>
struct SiteScratch {
  SiteScratch(index tokens, index channels)
      : du(tokens, channels), dv(tokens, channels), dmappings(tokens) {}
  mhc::Tokens<typename Block::ElementType> du, dv;
  typename Block::Saved dmappings;
};

template <class Block, class Sublayer>
class Site {
 public:
  using Scalar = typename Block::ElementType;
  using BlockParameters = typename Block::ParametersView;
  using Weights = typename Sublayer::Parameters;

  template <class Shape>
  Site(BasicArena<Scalar>& arena, const Shape& shape, index tokens)
      : Site(take_block(arena, shape.channels), take_weights(arena, shape), shape, tokens) {}

  // x_next = res x + post^T F(pre x).  run(u, v) is the sublayer: v = F(u).
  template <class Run>
  void forward(mhc::StreamView<const Scalar> x, mhc::StreamView<Scalar> x_next,
               const Workers& workers, Run&& run) {
    const auto u = u_.view().slice(0, x.tokens);
    const auto v = v_.view().slice(0, x.tokens);
    const auto mappings = mappings_.view().slice(0, x.tokens);
    Laps laps(times);
    block_.prepare(x, u, mappings, workers);
    laps.end(&SiteTimes::prepare);
    run(u.matrix(), v.matrix());
    laps.end(&SiteTimes::sublayer);
    block_.finish(x, v, mappings, x_next, workers);
    laps.end(&SiteTimes::finish);
  }

  // x = res x + post^T F(pre x), without keeping anything.
  template <class Run>
  void apply(mhc::StreamView<Scalar> x, SiteScratch<Block>& scratch, const Workers& workers,
             Run&& run) const {
    const auto u = scratch.du.view().slice(0, x.tokens);
    const auto v = scratch.dv.view().slice(0, x.tokens);
    const auto mappings = scratch.dmappings.view().slice(0, x.tokens);
    block_.prepare(x, u, mappings, workers);
    run(u.matrix(), v.matrix());
    block_.finish(x, v, mappings, x, workers);
  }

  // dx holds the gradient of x_next, then that of x.  run(u, dv, du) is the sublayer's backward.
  template <class Run>
  void backward(mhc::StreamView<const Scalar> x, mhc::StreamView<Scalar> dx,
                SiteScratch<Block>& scratch, const Workers& workers, Run&& run) {
    const auto u = u_.view().slice(0, x.tokens);
    const auto v = v_.view().slice(0, x.tokens);
    const auto mappings = mappings_.view().slice(0, x.tokens);
    const auto du = scratch.du.view().slice(0, x.tokens);
    const auto dv = scratch.dv.view().slice(0, x.tokens);
    const auto dmappings = scratch.dmappings.view().slice(0, x.tokens);
    Laps laps(times);
    block_.finish_backward(dx, x, v, mappings, dv, dmappings, workers);
    laps.end(&SiteTimes::finish_backward);
    run(u.matrix(), dv.matrix(), du.matrix());
    laps.end(&SiteTimes::sublayer_backward);
    block_.prepare_backward(x, dx, du, mappings, dmappings, dx, dparameters, workers);
    laps.end(&SiteTimes::prepare_backward);
  }

  // The mappings of the last forward's tokens.
  typename Block::ConstSavedView mappings(index tokens) const {
    return mappings_.view().slice(0, tokens);
  }

  BlockParameters parameters, dparameters;
  Weights weights, dweights;
  typename Sublayer::Saved inside;  // kept by the sublayer
  SiteTimes* times = nullptr;       // null: not measured

 private:
  using Piece = typename BasicArena<Scalar>::Piece;

  template <class Shape>
  Site(Piece of_block, Piece of_weights, const Shape& shape, index tokens)
      : parameters(of_block.values, shape.channels),
        dparameters(of_block.gradients, shape.channels),
        weights(of_weights.values, shape),
        dweights(of_weights.gradients, shape),
        inside(shape, tokens),
        block_(parameters),
        mappings_(tokens),
        u_(tokens, shape.channels),
        v_(tokens, shape.channels) {}

  // phi decays, as matrices do; alpha and b do not.
  static Piece take_block(BasicArena<Scalar>& arena, index channels) {
    const index phi = BlockParameters::depth(channels) * BlockParameters::projections;
    const Piece piece = arena.take(phi, true);
    arena.take(BlockParameters::size(channels) - phi, false);
    return piece;
  }

  // The norms come first and do not decay.
  template <class Shape>
  static Piece take_weights(BasicArena<Scalar>& arena, const Shape& shape) {
    const index norms = Weights::norms(shape);
    const Piece piece = arena.take(norms, false);
    arena.take(Weights::size(shape) - norms, true);
    return piece;
  }

  Block block_;
  typename Block::Saved mappings_;  // kept by the block
  mhc::Tokens<Scalar> u_, v_;       // the sublayer's input and output
};

}  // namespace language_model
