// SPDX-License-Identifier: MIT
// Collapses the streams at the end of the model by mhc's learned head, which starts as their mean.
// A single stream needs no collapse and has no parameters.
#pragma once

#include <cstdint>

#include <mhc/mhc.hpp>

#include "arena.hpp"
#include "model/linear.hpp"
#include "parallel.hpp"

namespace language_model {

template <int N, class Scalar>
class Collapse {
 public:
  using Saved = typename mhc::Head<N, Scalar>::Saved;

  static index parameter_count(index channels) { return N == 1 ? 0 : View::size(channels); }

  Collapse(BasicArena<Scalar>& arena, index channels, index tokens)
      : Collapse(take(arena, channels), channels, tokens) {}

  void initialize(std::uint64_t seed) {
    if constexpr (N > 1) mhc::initialize(parameters_, seed);
  }

  // h = w(x) x
  void forward(mhc::StreamView<const Scalar> x, mhc::TokenView<Scalar> h, const Workers& workers) {
    if constexpr (N > 1) {
      head_.forward(x, h, saved_.view().slice(0, x.tokens), workers);
    } else {
      mhc::collapse_mean(x, h, workers);
    }
  }

  // The same for inference; `saved` serves as scratch.
  void apply(mhc::StreamView<const Scalar> x, mhc::TokenView<Scalar> h, Saved& saved,
             const Workers& workers) const {
    if constexpr (N > 1) {
      head_.forward(x, h, saved.view().slice(0, x.tokens), workers);
    } else {
      mhc::collapse_mean(x, h, workers);
    }
  }

  // dx is assigned.
  void backward(mhc::StreamView<const Scalar> x, mhc::TokenView<const Scalar> dh,
                mhc::StreamView<Scalar> dx, const Workers& workers) {
    if constexpr (N > 1) {
      head_.backward(x, dh, saved_.view().slice(0, x.tokens), dsaved_.view().slice(0, x.tokens), dx,
                     dparameters_, workers);
    } else {
      mhc::collapse_mean_backward(dh, dx, workers);
    }
  }

 private:
  using Piece = typename BasicArena<Scalar>::Piece;
  using Head = mhc::Head<N, Scalar>;
  using View = typename Head::ParametersView;

  // phi decays, as matrices do; alpha and b do not.
  static Piece take(BasicArena<Scalar>& arena, index channels) {
    if (N == 1) return arena.take(0, false);
    const index phi = View::depth(channels) * View::projections;
    const Piece piece = arena.take(phi, true);
    arena.take(View::size(channels) - phi, false);
    return piece;
  }

  Collapse(Piece piece, index channels, index tokens)
      : parameters_(piece.values, channels),
        dparameters_(piece.gradients, channels),
        head_(parameters_),
        saved_(tokens),
        dsaved_(tokens) {}

  View parameters_, dparameters_;
  Head head_;
  Saved saved_, dsaved_;
};

}  // namespace language_model
