// SPDX-License-Identifier: MIT
// The input of a multi-token-prediction module: the streams of the model before it and the
// embedding e of the next byte, both normalised and projected, added stream by stream.
//
//   x'[t, i] = W_h rms_norm_h(x[t, i]) + W_e rms_norm_e(e[t])
//
//   x, x' : (tokens, n, C);  e : (tokens, C)
//
// x and x' are rows of C channels here, n of them for each token. Sources: arXiv:2412.19437,
// section 2.2, eq. (21), for one stream; for n streams DeepSeek-V4, where the streams share the
// norm and W_h.
#pragma once

#include "linear.hpp"
#include "rms_norm.hpp"

namespace language_model {

template <class Scalar>
class PredictionInput {
 public:
  // Views into an arena; gradients have the same type.
  struct Parameters {
    VectorMap<Scalar> h_norm, e_norm;  // (C)
    MatrixMap<Scalar> h, e;            // (C, C): W_h, W_e

    Parameters(Scalar* data, Index channels) : Parameters(Carve<Scalar>(data), channels) {}
    static Index size(Index channels) { return norms(channels) + 2 * channels * channels; }
    // The number of norm weights, which come first.
    static Index norms(Index channels) { return 2 * channels; }

   private:
    Parameters(Carve<Scalar> carve, Index channels)
        : h_norm(carve.vector(channels)),
          e_norm(carve.vector(channels)),
          h(carve.matrix(channels, channels)),
          e(carve.matrix(channels, channels)) {}
  };

  // What the forward keeps for the backward. The backward's gradients have the same type, of which
  // they use the matrices.
  struct Saved {
    Vector<Scalar> h_inverse_rms;  // (tokens * n)
    Vector<Scalar> e_inverse_rms;  // (tokens)
    Matrix<Scalar> h_normalized;   // (tokens * n, C)
    Matrix<Scalar> e_normalized;   // (tokens, C)
    Matrix<Scalar> e_projected;    // (tokens, C)

    Saved(Index streams, Index channels, Index tokens)
        : h_inverse_rms(tokens * streams),
          e_inverse_rms(tokens),
          h_normalized(tokens * streams, channels),
          e_normalized(tokens, channels),
          e_projected(tokens, channels) {}
  };

  explicit PredictionInput(Index streams) : streams_(streams) {}

  template <class Executor>
  void forward(const Parameters& weights, const ConstRows<Scalar>& x, const ConstRows<Scalar>& e,
               Rows<Scalar> out, Saved& saved, const Executor& exec) const {
    exec(e.rows(), token_rows, [&](Index begin, Index end, int) {
      const Index rows = end - begin;
      const Index first = begin * streams_;
      const Index count = rows * streams_;
      rms_norm_forward<Scalar>(x.middleRows(first, count), weights.h_norm,
                               saved.h_normalized.middleRows(first, count),
                               saved.h_inverse_rms.segment(first, count));
      rms_norm_forward<Scalar>(e.middleRows(begin, rows), weights.e_norm,
                               saved.e_normalized.middleRows(begin, rows),
                               saved.e_inverse_rms.segment(begin, rows));
      multiply_transposed<Scalar>(saved.h_normalized.middleRows(first, count), weights.h,
                                  out.middleRows(first, count));
      multiply_transposed<Scalar>(saved.e_normalized.middleRows(begin, rows), weights.e,
                                  saved.e_projected.middleRows(begin, rows));
      for (Index t = begin; t < end; ++t) {
        out.middleRows(t * streams_, streams_).rowwise() += saved.e_projected.row(t);
      }
    });
  }

  // dx and de are assigned, dweights are added to; dsaved is scratch of the same shape as saved.
  template <class Executor>
  void backward(const Parameters& weights, const ConstRows<Scalar>& x, const ConstRows<Scalar>& e,
                const Saved& saved, const ConstRows<Scalar>& dout, Saved& dsaved, Rows<Scalar> dx,
                Rows<Scalar> de, Parameters& dweights, const Executor& exec) const {
    exec(e.rows(), token_rows, [&](Index begin, Index end, int) {
      const Index rows = end - begin;
      const Index first = begin * streams_;
      const Index count = rows * streams_;
      for (Index t = begin; t < end; ++t) {
        dsaved.e_projected.row(t) = dout.middleRows(t * streams_, streams_).colwise().sum();
      }
      multiply<Scalar>(dsaved.e_projected.middleRows(begin, rows), weights.e,
                       dsaved.e_normalized.middleRows(begin, rows));
      multiply<Scalar>(dout.middleRows(first, count), weights.h,
                       dsaved.h_normalized.middleRows(first, count));
      rms_norm_backward<Scalar>(
          dsaved.e_normalized.middleRows(begin, rows), e.middleRows(begin, rows), weights.e_norm,
          saved.e_inverse_rms.segment(begin, rows), de.middleRows(begin, rows));
      rms_norm_backward<Scalar>(
          dsaved.h_normalized.middleRows(first, count), x.middleRows(first, count), weights.h_norm,
          saved.h_inverse_rms.segment(first, count), dx.middleRows(first, count));
    });
    const Index tokens = e.rows();
    const Index all = x.rows();
    add_weight_gradient<Scalar>(dout, saved.h_normalized.topRows(all), dweights.h, exec);
    add_weight_gradient<Scalar>(dsaved.e_projected.topRows(tokens),
                                saved.e_normalized.topRows(tokens), dweights.e, exec);
    rms_norm_add_weight_gradient<Scalar>(dsaved.h_normalized.topRows(all), x,
                                         saved.h_inverse_rms.head(all), dweights.h_norm);
    rms_norm_add_weight_gradient<Scalar>(dsaved.e_normalized.topRows(tokens), e,
                                         saved.e_inverse_rms.head(tokens), dweights.e_norm);
  }

 private:
  static constexpr Index token_rows = 64;  // tokens per task

  Index streams_;
};

}  // namespace language_model
