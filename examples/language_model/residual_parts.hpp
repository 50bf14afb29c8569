// SPDX-License-Identifier: MIT
// What a kind of residual brings to a model: how many streams, the block of a site, and the
// collapse of the streams at the end. The decoder sees these interfaces alone, so it is compiled
// once for all residuals; residuals/ has what is behind them, for each kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <mhc/parameters.hpp>
#include <mhc/view.hpp>

#include "arena.hpp"
#include "parallel.hpp"

namespace language_model {

using Index = std::ptrdiff_t;

// A site's input and mappings in the last forward.
template <class Scalar>
struct BasicSiteView {
  mhc::StreamView<const Scalar> x;         // (tokens, n, C), before the site
  mhc::TokenView<const Scalar> pre, post;  // (tokens, n)
  mhc::StreamView<const Scalar> res;       // (tokens, n, n), [out, in]
  mhc::TokenView<const Scalar> logits;  // (tokens, 2n + L) of pre, post and res; empty if ordinary
};
using SiteView = BasicSiteView<float>;

// A site's alpha (3), of pre, post and res, its biases b (2n + L) in the same order, and their
// gradients. Empty for ordinary residuals.
template <class Scalar>
struct BasicSiteGates {
  mhc::Span<Scalar> alpha, b, dalpha, db;
};
using SiteGates = BasicSiteGates<float>;

// mhc's block: the four calls around a sublayer, with the site's parameters in an arena.
template <class Scalar>
class ResidualBlock {
 public:
  using Streams = mhc::StreamView<Scalar>;
  using ConstStreams = mhc::StreamView<const Scalar>;
  using Tokens = mhc::TokenView<Scalar>;
  using ConstTokens = mhc::TokenView<const Scalar>;

  // The mappings of some tokens, or their gradients, made by ResidualParts::make_mappings of the
  // same parts as the block. The calls use the first x.tokens of them.
  class Mappings {
   public:
    virtual ~Mappings() = default;
  };

  virtual ~ResidualBlock() = default;

  // The site starts as an ordinary residual. `site` counts them through the model.
  virtual void initialize(std::uint64_t seed, int site) = 0;

  // Assigns u and `saved`.
  virtual void prepare(ConstStreams x, Tokens u, Mappings& saved, const Workers& workers) const = 0;
  // x_next may be x.
  virtual void finish(ConstStreams x, ConstTokens v, const Mappings& saved, Streams x_next,
                      const Workers& workers) const = 0;
  virtual void finish_backward(ConstStreams x, ConstTokens v, const Mappings& saved,
                               ConstStreams dx_next, Tokens dv, Mappings& dsaved,
                               const Workers& workers) const = 0;
  // Adds to the parameters' gradients; dx may be dx_next.
  virtual void prepare_backward(ConstStreams x, const Mappings& saved, ConstStreams dx_next,
                                ConstTokens du, Mappings& dsaved, Streams dx,
                                const Workers& workers) = 0;

  // All but x.
  virtual BasicSiteView<Scalar> view(const Mappings& saved, Index tokens) const = 0;
  virtual BasicSiteGates<Scalar> gates() = 0;
};

// From the streams to one hidden state: h (tokens, C).
template <class Scalar>
class Collapse {
 public:
  // What apply() keeps during the call.
  class Scratch {
   public:
    virtual ~Scratch() = default;
  };

  virtual ~Collapse() = default;
  virtual std::unique_ptr<Scratch> scratch(Index tokens) const = 0;
  virtual void initialize(std::uint64_t seed) = 0;
  virtual void forward(mhc::StreamView<const Scalar> x, mhc::TokenView<Scalar> h,
                       const Workers& workers) = 0;
  // The same for inference: the backward still belongs to the last forward.
  virtual void apply(mhc::StreamView<const Scalar> x, mhc::TokenView<Scalar> h, Scratch& scratch,
                     const Workers& workers) const = 0;
  // dx is assigned.
  virtual void backward(mhc::StreamView<const Scalar> x, mhc::TokenView<const Scalar> dh,
                        mhc::StreamView<Scalar> dx, const Workers& workers) = 0;
};

template <class Scalar>
struct CollapseParts {
  Index (*parameter_count)(Index channels);
  std::unique_ptr<Collapse<Scalar>> (*make)(BasicArena<Scalar>& arena, Index channels,
                                            Index tokens);
};

template <class Scalar>
struct ResidualParts {
  using Block = ResidualBlock<Scalar>;
  Index streams;
  Index (*parameter_count)(Index channels);  // of a block
  std::unique_ptr<Block> (*make)(BasicArena<Scalar>& arena, Index channels);
  std::unique_ptr<typename Block::Mappings> (*make_mappings)(Index tokens);
  CollapseParts<Scalar> collapse;
};

}  // namespace language_model
