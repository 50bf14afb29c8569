// SPDX-License-Identifier: MIT
// A sublayer on the streams, inside the four calls of mhc's block:
//
//   forward     prepare           x -> u              backward     finish_backward    dx_next -> dv
//               the sublayer      u -> v                           the sublayer's     dv -> du
//               finish            x, v -> x_next                   prepare_backward   du -> dx
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <mhc/storage.hpp>
#include <mhc/view.hpp>

#include "arena.hpp"
#include "model/linear.hpp"
#include "parallel.hpp"
#include "residual_parts.hpp"
#include "site_times.hpp"

namespace language_model {

// Scratch of a site's backward and apply(), shared by all sites of a model.
template <class Scalar>
struct SiteScratch {
  SiteScratch(const ResidualParts<Scalar>& parts, Index tokens, Index channels)
      : du(tokens, channels), dv(tokens, channels), dmappings(parts.make_mappings(tokens)) {}
  mhc::Tokens<Scalar> du, dv;
  std::unique_ptr<typename ResidualBlock<Scalar>::Mappings> dmappings;
};

template <class Sublayer, class Scalar>
class Site {
 public:
  using Weights = typename Sublayer::Parameters;

  template <class Shape>
  Site(const ResidualParts<Scalar>& parts, BasicArena<Scalar>& arena, const Shape& shape,
       Index tokens)
      : Site(parts, parts.make(arena, shape.channels), take_weights(arena, shape), shape, tokens) {}

  // x_next = res x + post^T F(pre x).  run(u, v) is the sublayer: v = F(u).
  template <class Run>
  void forward(mhc::StreamView<const Scalar> x, mhc::StreamView<Scalar> x_next,
               const Workers& workers, Run&& run) {
    const auto u = u_.view().slice(0, x.tokens);
    const auto v = v_.view().slice(0, x.tokens);
    Laps laps(times);
    block_->prepare(x, u, *mappings_, workers);
    laps.end(&SiteTimes::prepare);
    run(u.matrix(), v.matrix());
    laps.end(&SiteTimes::sublayer);
    block_->finish(x, v, *mappings_, x_next, workers);
    laps.end(&SiteTimes::finish);
  }

  // x = res x + post^T F(pre x), without keeping anything.
  template <class Run>
  void apply(mhc::StreamView<Scalar> x, SiteScratch<Scalar>& scratch, const Workers& workers,
             Run&& run) const {
    const auto u = scratch.du.view().slice(0, x.tokens);
    const auto v = scratch.dv.view().slice(0, x.tokens);
    auto& mappings = *scratch.dmappings;
    block_->prepare(x, u, mappings, workers);
    run(u.matrix(), v.matrix());
    block_->finish(x, v, mappings, x, workers);
  }

  // dx holds the gradient of x_next, then that of x.  run(u, dv, du) is the sublayer's backward.
  template <class Run>
  void backward(mhc::StreamView<const Scalar> x, mhc::StreamView<Scalar> dx,
                SiteScratch<Scalar>& scratch, const Workers& workers, Run&& run) {
    const auto u = u_.view().slice(0, x.tokens);
    const auto v = v_.view().slice(0, x.tokens);
    const auto du = scratch.du.view().slice(0, x.tokens);
    const auto dv = scratch.dv.view().slice(0, x.tokens);
    auto& dmappings = *scratch.dmappings;
    Laps laps(times);
    block_->finish_backward(x, v, *mappings_, dx, dv, dmappings, workers);
    laps.end(&SiteTimes::finish_backward);
    run(u.matrix(), dv.matrix(), du.matrix());
    laps.end(&SiteTimes::sublayer_backward);
    block_->prepare_backward(x, *mappings_, dx, du, dmappings, dx, workers);
    laps.end(&SiteTimes::prepare_backward);
  }

  void initialize(std::uint64_t seed, int site) { block_->initialize(seed, site); }

  // Of the last forward, whose input was x.
  BasicSiteView<Scalar> view(mhc::StreamView<const Scalar> x) const {
    auto view = block_->view(*mappings_, x.tokens);
    view.x = x;
    return view;
  }

  BasicSiteGates<Scalar> gates() { return block_->gates(); }

  Weights weights, dweights;
  typename Sublayer::Saved inside;  // kept by the sublayer
  SiteTimes* times = nullptr;       // null: not measured

 private:
  using Piece = typename BasicArena<Scalar>::Piece;

  template <class Shape>
  Site(const ResidualParts<Scalar>& parts, std::unique_ptr<ResidualBlock<Scalar>> block,
       Piece of_weights, const Shape& shape, Index tokens)
      : weights(of_weights.values, shape),
        dweights(of_weights.gradients, shape),
        inside(shape, tokens),
        block_(std::move(block)),
        mappings_(parts.make_mappings(tokens)),
        u_(tokens, shape.channels),
        v_(tokens, shape.channels) {}

  // The norms come first and do not decay.
  template <class Shape>
  static Piece take_weights(BasicArena<Scalar>& arena, const Shape& shape) {
    const Index norms = Weights::norms(shape);
    const Piece piece = arena.take(norms, false);
    arena.take(Weights::size(shape) - norms, true);
    return piece;
  }

  std::unique_ptr<ResidualBlock<Scalar>> block_;
  std::unique_ptr<typename ResidualBlock<Scalar>::Mappings> mappings_;  // of the last forward
  mhc::Tokens<Scalar> u_, v_;  // the sublayer's input and output
};

}  // namespace language_model
