// SPDX-License-Identifier: MIT
// Collapses the streams at the end of the model by mhc's learned head, which starts as their mean.
// A single stream needs no collapse and has no parameters.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include <mhc/collapse.hpp>
#include <mhc/head.hpp>
#include <mhc/initialization.hpp>

#include "arena.hpp"
#include "parallel.hpp"
#include "residual_parts.hpp"

namespace language_model {

template <int N, class Scalar>
class LearnedCollapse final : public Collapse<Scalar> {
 public:
  using Scratch = typename Collapse<Scalar>::Scratch;

  static Index parameter_count(Index channels) { return View::size(channels); }

  static std::unique_ptr<Collapse<Scalar>> make(BasicArena<Scalar>& arena, Index channels,
                                                Index tokens) {
    return std::make_unique<LearnedCollapse>(take_parameters<View>(arena, channels), channels,
                                             tokens);
  }

  LearnedCollapse(typename BasicArena<Scalar>::Piece piece, Index channels, Index tokens)
      : parameters_(piece.values, channels),
        dparameters_(piece.gradients, channels),
        head_(parameters_),
        saved_(tokens),
        dsaved_(tokens) {}

  std::unique_ptr<Scratch> scratch(Index tokens) const override {
    return std::make_unique<Own>(tokens);
  }

  void initialize(std::uint64_t seed) override { mhc::initialize(parameters_, seed); }

  // h = w(x) x
  void forward(mhc::StreamView<const Scalar> x, mhc::TokenView<Scalar> h,
               const Workers& workers) override {
    head_.forward(x, h, saved_.view().slice(0, x.tokens), workers);
  }

  void apply(mhc::StreamView<const Scalar> x, mhc::TokenView<Scalar> h, Scratch& scratch,
             const Workers& workers) const override {
    head_.forward(x, h, static_cast<Own&>(scratch).saved.view().slice(0, x.tokens), workers);
  }

  void backward(mhc::StreamView<const Scalar> x, mhc::TokenView<const Scalar> dh,
                mhc::StreamView<Scalar> dx, const Workers& workers) override {
    head_.backward(x, saved_.view().slice(0, x.tokens), dh, dsaved_.view().slice(0, x.tokens), dx,
                   dparameters_, workers);
  }

 private:
  using Head = mhc::Head<N, Scalar>;
  using View = typename Head::ParametersView;
  using Saved = typename Head::Saved;

  struct Own final : Scratch {
    explicit Own(Index tokens) : saved(tokens) {}
    Saved saved;
  };

  View parameters_, dparameters_;
  Head head_;
  Saved saved_, dsaved_;
};

template <class Scalar>
class SingleStream final : public Collapse<Scalar> {
 public:
  using Scratch = typename Collapse<Scalar>::Scratch;

  static Index parameter_count(Index) { return 0; }

  static std::unique_ptr<Collapse<Scalar>> make(BasicArena<Scalar>&, Index, Index) {
    return std::make_unique<SingleStream>();
  }

  std::unique_ptr<Scratch> scratch(Index) const override { return std::make_unique<Scratch>(); }
  void initialize(std::uint64_t) override {}
  void forward(mhc::StreamView<const Scalar> x, mhc::TokenView<Scalar> h,
               const Workers& workers) override {
    mhc::collapse_mean(x, h, workers);
  }
  void apply(mhc::StreamView<const Scalar> x, mhc::TokenView<Scalar> h, Scratch&,
             const Workers& workers) const override {
    mhc::collapse_mean(x, h, workers);
  }
  void backward(mhc::StreamView<const Scalar>, mhc::TokenView<const Scalar> dh,
                mhc::StreamView<Scalar> dx, const Workers& workers) override {
    mhc::collapse_mean_backward(dh, dx, workers);
  }
};

template <int N, class Scalar>
CollapseParts<Scalar> collapse_parts() {
  using Own =
      std::conditional_t<N == 1, SingleStream<Scalar>, LearnedCollapse<N == 1 ? 2 : N, Scalar>>;
  return {&Own::parameter_count, &Own::make};
}

}  // namespace language_model
