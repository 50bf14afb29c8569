// SPDX-License-Identifier: MIT
// Causal multi-head self-attention with rotary positions, including its RMSNorm.
//
//   a       = rms_norm(u)                                  (tokens, C)
//   q, k, v = a W_q^T, a W_k^T, a W_v^T                    (tokens, C), heads side by side
//   per sequence and head, d = C / heads, q and k rotated by Rotary:
//     m = softmax(q k^T / sqrt(d)) v under the mask        (length, d), see causal_mix.hpp
//   out     = m W_o^T                                      (tokens, C)
//
// tokens = sequences * length, sequence after sequence. In generation a cache keeps k and v of each
// token: 2 C numbers.
#pragma once

#include <cmath>

#include "causal_mix.hpp"
#include "linear.hpp"
#include "rms_norm.hpp"
#include "rotary.hpp"
#include "token_cache.hpp"

namespace language_model {

struct AttentionShape {
  Index channels;  // C
  Index heads;
  Index context;  // longest sequence
  Index head_channels() const { return channels / heads; }
  Index cached() const { return 2 * channels; }  // cached numbers per token
};

template <class Scalar>
class Attention {
 public:
  using Shape = AttentionShape;

  // Views into an arena; gradients have the same type.
  struct Parameters {
    VectorMap<Scalar> norm;    // (C)
    MatrixMap<Scalar> qkv;     // (3C, C): W_q, W_k, W_v
    MatrixMap<Scalar> output;  // (C, C):  W_o

    Parameters(Scalar* data, const AttentionShape& shape)
        : Parameters(Carve<Scalar>(data), shape.channels) {}
    static Index size(const AttentionShape& shape) {
      return norms(shape) + 4 * shape.channels * shape.channels;
    }
    // The number of norm weights, which come first.
    static Index norms(const AttentionShape& shape) { return shape.channels; }

    // f(matrix, writes): `writes` marks the sublayer's output matrix.
    template <class F>
    void each_matrix(F&& f) {
      f(qkv, false);
      f(output, true);
    }

   private:
    Parameters(Carve<Scalar> carve, Index channels)
        : norm(carve.vector(channels)),
          qkv(carve.matrix(3 * channels, channels)),
          output(carve.matrix(channels, channels)) {}
  };

  // What the forward keeps for the backward. The backward's gradients have the same type.
  struct Saved {
    Vector<Scalar> inverse_rms;    // (tokens)
    Matrix<Scalar> normalized;     // (tokens, C): a
    Matrix<Scalar> qkv;            // (tokens, 3C): q and k rotated, v
    Matrix<Scalar> probabilities;  // (heads * tokens, context): P of sequence s and head h begins
                                   //   at row (s * heads + h) * length; unused above the diagonal
    Matrix<Scalar> mixed;          // (tokens, C): m

    Saved(const AttentionShape& shape, Index tokens)
        : inverse_rms(tokens),
          normalized(tokens, shape.channels),
          qkv(tokens, 3 * shape.channels),
          probabilities(shape.heads * tokens, shape.context),
          mixed(tokens, shape.channels) {}
  };

  // Keys (rotated) and values of one sequence's tokens, side by side.
  struct Cache : TokenCache<Scalar> {
    Cache(const AttentionShape& shape, Index capacity)
        : TokenCache<Scalar>(capacity, shape.cached()) {}
  };

  // Scratch of extend(), for at most `tokens` tokens.
  struct Workspace {
    Vector<Scalar> inverse_rms;    // (tokens)
    Matrix<Scalar> normalized;     // (tokens, C): a
    Matrix<Scalar> qkv;            // (tokens, 3C)
    Matrix<Scalar> probabilities;  // (tokens, context): P of one head
    Matrix<Scalar> mixed;          // (tokens, C): m

    Workspace(const AttentionShape& shape, Index tokens)
        : inverse_rms(tokens),
          normalized(tokens, shape.channels),
          qkv(tokens, 3 * shape.channels),
          probabilities(tokens, shape.context),
          mixed(tokens, shape.channels) {}
  };

  explicit Attention(const AttentionShape& shape)
      : shape_(shape), rotary_(shape.context, shape.head_channels()) {}

  // Sequences are independent: each is one task. Keeps everything in `saved`.
  template <class Executor>
  void forward(const Parameters& weights, const ConstRows<Scalar>& u, Index length,
               Rows<Scalar> out, Saved& saved, const Executor& exec) const {
    exec(u.rows() / length, 1, [&](Index first, Index last, int) {
      for (Index s = first; s < last; ++s) {
        const Index row = s * length;
        auto normalized = saved.normalized.middleRows(row, length);
        auto qkv = saved.qkv.middleRows(row, length);
        auto mixed = saved.mixed.middleRows(row, length);
        rms_norm_forward<Scalar>(u.middleRows(row, length), weights.norm, normalized,
                                 saved.inverse_rms.segment(row, length));
        multiply_transposed<Scalar>(normalized, weights.qkv, qkv);
        for (Index h = 0; h < shape_.heads; ++h) {
          rotary_.forward(query(qkv, h));
          rotary_.forward(key(qkv, h));
          causal_mix<Scalar>(scale(), query(qkv, h), key(qkv, h), value(qkv, h),
                             probabilities(saved, s, h, length), head(mixed, h));
        }
        multiply_transposed<Scalar>(mixed, weights.output, out.middleRows(row, length));
      }
    });
  }

  // du is assigned, dweights are added to; dsaved is scratch of the same shape as saved.
  template <class Executor>
  void backward(const Parameters& weights, const ConstRows<Scalar>& u, Index length,
                const Saved& saved, const ConstRows<Scalar>& dout, Saved& dsaved, Rows<Scalar> du,
                Parameters& dweights, const Executor& exec) const {
    exec(u.rows() / length, 1, [&](Index first, Index last, int) {
      for (Index s = first; s < last; ++s) {
        const Index row = s * length;
        const auto qkv = saved.qkv.middleRows(row, length);
        auto dnormalized = dsaved.normalized.middleRows(row, length);
        auto dqkv = dsaved.qkv.middleRows(row, length);
        auto dmixed = dsaved.mixed.middleRows(row, length);
        multiply<Scalar>(dout.middleRows(row, length), weights.output, dmixed);
        for (Index h = 0; h < shape_.heads; ++h) {
          causal_mix_backward<Scalar>(scale(), head(dmixed, h), query(qkv, h), key(qkv, h),
                                      value(qkv, h), probabilities(saved, s, h, length),
                                      probabilities(dsaved, s, h, length), query(dqkv, h),
                                      key(dqkv, h), value(dqkv, h));
          rotary_.backward(query(dqkv, h));
          rotary_.backward(key(dqkv, h));
        }
        multiply<Scalar>(dqkv, weights.qkv, dnormalized);
        rms_norm_backward<Scalar>(dnormalized, u.middleRows(row, length), weights.norm,
                                  saved.inverse_rms.segment(row, length),
                                  du.middleRows(row, length));
      }
    });
    const Index tokens = u.rows();
    add_weight_gradient<Scalar>(dout, saved.mixed.topRows(tokens), dweights.output, exec);
    add_weight_gradient<Scalar>(dsaved.qkv.topRows(tokens), saved.normalized.topRows(tokens),
                                dweights.qkv, exec);
    rms_norm_add_weight_gradient<Scalar>(dsaved.normalized.topRows(tokens), u,
                                         saved.inverse_rms.head(tokens), dweights.norm);
  }

  // The tokens that follow the cached ones; they are appended to the cache, whose capacity is at
  // most the context.
  void extend(const Parameters& weights, const ConstRows<Scalar>& u, Rows<Scalar> out, Cache& cache,
              Workspace& space) const {
    const Index tokens = u.rows();
    const Index past = cache.size();
    auto appended = cache.append(tokens);
    auto normalized = space.normalized.topRows(tokens);
    auto qkv = space.qkv.topRows(tokens);
    auto mixed = space.mixed.topRows(tokens);
    rms_norm_forward<Scalar>(u, weights.norm, normalized, space.inverse_rms.head(tokens));
    multiply_transposed<Scalar>(normalized, weights.qkv, qkv);
    for (Index h = 0; h < shape_.heads; ++h) {
      rotary_.forward(query(qkv, h), past);
      rotary_.forward(key(qkv, h), past);
    }
    appended = qkv.rightCols(shape_.cached());
    const auto cached = cache.rows();
    for (Index h = 0; h < shape_.heads; ++h) {
      causal_mix<Scalar>(scale(), query(qkv, h), head(cached, h), head(cached, shape_.heads + h),
                         space.probabilities.topLeftCorner(tokens, past + tokens), head(mixed, h));
    }
    multiply_transposed<Scalar>(mixed, weights.output, out);
  }

 private:
  double scale() const { return 1 / std::sqrt(static_cast<double>(shape_.head_channels())); }

  template <class M>
  auto query(M& qkv, Index h) const {
    return head(qkv, h);
  }
  template <class M>
  auto key(M& qkv, Index h) const {
    return head(qkv, shape_.heads + h);
  }
  template <class M>
  auto value(M& qkv, Index h) const {
    return head(qkv, 2 * shape_.heads + h);
  }
  template <class M>
  auto head(M& m, Index h) const {
    return m.middleCols(h * shape_.head_channels(), shape_.head_channels());
  }
  template <class S>
  auto probabilities(S& saved, Index s, Index h, Index length) const {
    return saved.probabilities.block((s * shape_.heads + h) * length, 0, length, length);
  }

  AttentionShape shape_;
  Rotary<Scalar> rotary_;
};

}  // namespace language_model
