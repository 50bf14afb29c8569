// SPDX-License-Identifier: MIT
// Causal multi-head self-attention with rotary positions; its RMSNorm stands inside.
//
//   a       = rms_norm(u)                                  (tokens, C)
//   q, k, v = a W_q^T, a W_k^T, a W_v^T                    (tokens, C), heads side by side
//   per sequence and head, d = C / heads, q and k turned by Rotary:
//     S = q k^T / sqrt(d)                                  (length, length)
//     P = softmax(S), row t over the keys 0 .. t
//     m = P v                                              (length, d)
//   out     = m W_o^T                                      (tokens, C)
//
// tokens = sequences * length, sequence after sequence.
#pragma once

#include <algorithm>
#include <cmath>

#include "linear.hpp"
#include "rms_norm.hpp"
#include "rotary.hpp"

namespace language_model {

struct AttentionShape {
  index channels;  // C
  index heads;
  index context;  // longest sequence
  index head_channels() const { return channels / heads; }
};

template <class Scalar>
class Attention {
 public:
  using Shape = AttentionShape;

  // Views into an arena; gradients are the same type.
  struct Parameters {
    VectorMap<Scalar> norm;    // (C)
    MatrixMap<Scalar> qkv;     // (3C, C): W_q, W_k, W_v
    MatrixMap<Scalar> output;  // (C, C):  W_o

    Parameters(Scalar* data, const AttentionShape& shape)
        : Parameters(Carve<Scalar>(data), shape.channels) {}
    static index size(const AttentionShape& shape) {
      return norms(shape) + 4 * shape.channels * shape.channels;
    }
    // The norms come first, so many numbers.
    static index norms(const AttentionShape& shape) { return shape.channels; }

    // f(matrix, writes): `writes` marks the one whose outputs are the sublayer's.
    template <class F>
    void each_matrix(F&& f) {
      f(qkv, false);
      f(output, true);
    }

   private:
    Parameters(Carve<Scalar> carve, index channels)
        : norm(carve.vector(channels)),
          qkv(carve.matrix(3 * channels, channels)),
          output(carve.matrix(channels, channels)) {}
  };

  // What the forward keeps for the backward. The backward's own gradients are the same type.
  struct Saved {
    Vector<Scalar> inverse_rms;    // (tokens)
    Matrix<Scalar> normalized;     // (tokens, C): a
    Matrix<Scalar> qkv;            // (tokens, 3C): q and k turned, v
    Matrix<Scalar> probabilities;  // (heads * tokens, context): P of sequence s and head h begins
                                   //   at row (s * heads + h) * length; above the diagonal unused
    Matrix<Scalar> mixed;          // (tokens, C): m

    Saved(const AttentionShape& shape, index tokens)
        : inverse_rms(tokens),
          normalized(tokens, shape.channels),
          qkv(tokens, 3 * shape.channels),
          probabilities(shape.heads * tokens, shape.context),
          mixed(tokens, shape.channels) {}
  };

  explicit Attention(const AttentionShape& shape)
      : shape_(shape), rotary_(shape.context, shape.head_channels()) {}

  // Sequences are independent: each is one task. Keeps everything in `saved`.
  template <class Executor>
  void forward(const Parameters& weights, const ConstRows<Scalar>& u, index length,
               Rows<Scalar> out, Saved& saved, const Executor& exec) const {
    exec(u.rows() / length, 1, [&](index first, index last, int) {
      for (index s = first; s < last; ++s) {
        const index row = s * length;
        auto normalized = saved.normalized.middleRows(row, length);
        auto qkv = saved.qkv.middleRows(row, length);
        auto mixed = saved.mixed.middleRows(row, length);
        rms_norm_forward<Scalar>(u.middleRows(row, length), weights.norm, normalized,
                                 saved.inverse_rms.segment(row, length));
        multiply_transposed<Scalar>(normalized, weights.qkv, qkv);
        for (index h = 0; h < shape_.heads; ++h) {
          rotary_.forward(query(qkv, h));
          rotary_.forward(key(qkv, h));
          mix(query(qkv, h), key(qkv, h), value(qkv, h), probabilities(saved, s, h, length),
              head(mixed, h));
        }
        multiply_transposed<Scalar>(mixed, weights.output, out.middleRows(row, length));
      }
    });
  }

  // du is assigned, dweights are added to; dsaved is scratch of the same shape as saved.
  template <class Executor>
  void backward(const Parameters& weights, const ConstRows<Scalar>& u, index length,
                const Saved& saved, const ConstRows<Scalar>& dout, Saved& dsaved, Rows<Scalar> du,
                Parameters& dweights, const Executor& exec) const {
    exec(u.rows() / length, 1, [&](index first, index last, int) {
      for (index s = first; s < last; ++s) {
        const index row = s * length;
        const auto qkv = saved.qkv.middleRows(row, length);
        auto dnormalized = dsaved.normalized.middleRows(row, length);
        auto dqkv = dsaved.qkv.middleRows(row, length);
        auto dmixed = dsaved.mixed.middleRows(row, length);
        multiply<Scalar>(dout.middleRows(row, length), weights.output, dmixed);
        for (index h = 0; h < shape_.heads; ++h) {
          mix_backward(head(dmixed, h), query(qkv, h), key(qkv, h), value(qkv, h),
                       probabilities(saved, s, h, length), probabilities(dsaved, s, h, length),
                       query(dqkv, h), key(dqkv, h), value(dqkv, h));
          rotary_.backward(query(dqkv, h));
          rotary_.backward(key(dqkv, h));
        }
        multiply<Scalar>(dqkv, weights.qkv, dnormalized);
        rms_norm_backward<Scalar>(dnormalized, u.middleRows(row, length), weights.norm,
                                  saved.inverse_rms.segment(row, length),
                                  du.middleRows(row, length));
      }
    });
    const index tokens = u.rows();
    add_weight_gradient<Scalar>(dout, saved.mixed.topRows(tokens), dweights.output, exec);
    add_weight_gradient<Scalar>(dsaved.qkv.topRows(tokens), saved.normalized.topRows(tokens),
                                dweights.qkv, exec);
    rms_norm_add_weight_gradient<Scalar>(dsaved.normalized.topRows(tokens), u,
                                         saved.inverse_rms.head(tokens), dweights.norm);
  }

 private:
  // Queries are taken 64 at a time: a piece needs no key after its last query, which saves most of
  // the half of S that the mask would throw away.
  static constexpr index piece = 64;

  // P = softmax(q k^T / sqrt(d)) under the mask, m = P v.  Keeps P.
  void mix(const ConstRows<Scalar>& q, const ConstRows<Scalar>& k, const ConstRows<Scalar>& v,
           Rows<Scalar> p, Rows<Scalar> m) const {
    for (index begin = 0; begin < q.rows(); begin += piece) {
      const index end = std::min(begin + piece, q.rows());
      const index size = end - begin;
      auto p_piece = p.block(begin, 0, size, end);
      multiply_transposed<Scalar>(q.middleRows(begin, size), k.topRows(end), p_piece);
      for (index t = begin; t < end; ++t) {
        auto visible = p.row(t).head(t + 1).array();
        const Scalar largest(visible.real().maxCoeff());
        visible = (scale() * (visible - largest)).exp();
        visible *= Scalar(1) / visible.sum();
        p.row(t).segment(t + 1, end - t - 1).setZero();
      }
      multiply<Scalar>(p_piece, v.topRows(end), m.middleRows(begin, size));
    }
  }

  //   dv = P^T dm,  dP = dm v^T,  dS = P * (dP - rowsum(dP * P)),  dq = dS k / sqrt(d),
  //   dk = dS^T q / sqrt(d).  dP and dS of one piece after another live in the top rows of ds.
  void mix_backward(const ConstRows<Scalar>& dm, const ConstRows<Scalar>& q,
                    const ConstRows<Scalar>& k, const ConstRows<Scalar>& v,
                    const ConstRows<Scalar>& p, Rows<Scalar> ds, Rows<Scalar> dq, Rows<Scalar> dk,
                    Rows<Scalar> dv) const {
    dk.setZero();
    dv.setZero();
    for (index begin = 0; begin < q.rows(); begin += piece) {
      const index end = std::min(begin + piece, q.rows());
      const index size = end - begin;
      const auto p_piece = p.block(begin, 0, size, end);
      const auto dm_piece = dm.middleRows(begin, size);
      auto ds_piece = ds.topLeftCorner(size, end);
      add_transposed_multiply<Scalar>(p_piece, dm_piece, dv.topRows(end));
      multiply_transposed<Scalar>(dm_piece, v.topRows(end), ds_piece);
      for (index i = 0; i < size; ++i) {
        const Scalar mean = (ds_piece.row(i).array() * p_piece.row(i).array()).sum();
        ds_piece.row(i).array() =
            scale() * p_piece.row(i).array() * (ds_piece.row(i).array() - mean);
      }
      multiply<Scalar>(ds_piece, k.topRows(end), dq.middleRows(begin, size));
      add_transposed_multiply<Scalar>(ds_piece, q.middleRows(begin, size), dk.topRows(end));
    }
  }

  Scalar scale() const {
    return Scalar(1 / std::sqrt(static_cast<double>(shape_.head_channels())));
  }

  template <class M>
  auto query(M& qkv, index h) const {
    return head(qkv, h);
  }
  template <class M>
  auto key(M& qkv, index h) const {
    return head(qkv, shape_.heads + h);
  }
  template <class M>
  auto value(M& qkv, index h) const {
    return head(qkv, 2 * shape_.heads + h);
  }
  template <class M>
  auto head(M& m, index h) const {
    return m.middleCols(h * shape_.head_channels(), shape_.head_channels());
  }
  template <class S>
  auto probabilities(S& saved, index s, index h, index length) const {
    return saved.probabilities.block((s * shape_.heads + h) * length, 0, length, length);
  }

  AttentionShape shape_;
  Rotary<Scalar> rotary_;
};

}  // namespace language_model
