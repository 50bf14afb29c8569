// SPDX-License-Identifier: MIT
// Multi-head latent attention of DeepSeek-V2 and V3, including its RMSNorm.
//
//   a             = rms_norm(u)                                 (tokens, C)
//   c_q           = rms_norm(a W_dq^T)                          (tokens, q_rank)
//   c_kv, k_rope  = rms_norm(a W_dkv^T), a W_kr^T               (tokens, kv_rank), (tokens, d_r)
//   per sequence and head, with q_rope and k_rope rotated by Rotary:
//     q = [q_nope, q_rope] = c_q W_uq^T                         (length, d_n + d_r)
//     k = [c_kv W_uk^T, k_rope]                                 k_rope is the same for all heads
//     v = c_kv W_uv^T                                           (length, d_v)
//     m = softmax(q k^T / sqrt(d_n + d_r)) v under the mask     see causal_mix.hpp
//   out           = m W_o^T                                     (tokens, C)
//
// tokens = sequences * length, sequence after sequence.
//
// In generation a cache keeps [c_kv, k_rope] of each token: kv_rank + d_r numbers, whatever the
// number of heads. Keys and values are never formed; W_uk and W_uv are absorbed into the other
// factor of their products:
//
//   q_nope (W_uk c_kv) = (q_nope W_uk) c_kv,     sum of P W_uv c_kv = W_uv (sum of P c_kv)
//
// so that one token's heads are queries [q_nope W_uk, q_rope] to one common key [c_kv, k_rope] and
// one common value c_kv.
//
// Sources: DeepSeek-AI, arXiv:2405.04434, section 2.1; arXiv:2412.19437, section 2.1.1.
#pragma once

#include <cmath>

#include "causal_mix.hpp"
#include "latents.hpp"
#include "linear.hpp"
#include "rms_norm.hpp"
#include "rotary.hpp"
#include "token_cache.hpp"

namespace language_model {

template <class Scalar>
class LatentAttention {
 public:
  using Shape = LatentAttentionShape;

  using Parameters = LatentAttentionParameters<Scalar>;

  // What the forward keeps for the backward. The backward's gradients have the same type.
  struct Saved : Latents<Scalar> {
    Matrix<Scalar> k;              // (tokens, heads (d_n + d_r)), k_rope in each head
    Matrix<Scalar> v;              // (tokens, heads d_v)
    Matrix<Scalar> probabilities;  // (heads * tokens, context): P of sequence s and head h begins
                                   //   at row (s * heads + h) * length; unused above the diagonal
    Matrix<Scalar> mixed;          // (tokens, heads d_v): m

    Saved(const Shape& s, Index tokens)
        : Latents<Scalar>(s, tokens),
          k(tokens, s.heads * s.head_channels()),
          v(tokens, s.heads * s.value),
          probabilities(s.heads * tokens, s.context),
          mixed(tokens, s.heads * s.value) {}
  };

  // [c_kv, k_rope] of one sequence's tokens.
  struct Cache : TokenCache<Scalar> {
    Cache(const Shape& shape, Index capacity) : TokenCache<Scalar>(capacity, shape.cached()) {}
  };

  // Scratch of extend(), for at most `tokens` tokens.
  struct Workspace : Latents<Scalar> {
    Matrix<Scalar> absorbed;       // (tokens, kv_rank + d_r): [q_nope W_uk, q_rope] of one head
    Matrix<Scalar> probabilities;  // (tokens, context): P of one head
    Matrix<Scalar> mixed_latent;   // (tokens, kv_rank): P c_kv of one head
    Matrix<Scalar> mixed;          // (tokens, heads d_v): m

    Workspace(const Shape& s, Index tokens)
        : Latents<Scalar>(s, tokens),
          absorbed(tokens, s.cached()),
          probabilities(tokens, s.context),
          mixed_latent(tokens, s.kv_rank),
          mixed(tokens, s.heads * s.value) {}
  };

  explicit LatentAttention(const Shape& shape)
      : shape_(shape), rotary_(shape.context, shape.rope) {}

  // Sequences are independent: each is one task. Keeps everything in `saved`.
  template <class Executor>
  void forward(const Parameters& weights, const ConstRows<Scalar>& u, Index length,
               Rows<Scalar> out, Saved& saved, const Executor& exec) const {
    exec(u.rows() / length, 1, [&](Index first, Index last, int) {
      for (Index s = first; s < last; ++s) {
        const Index row = s * length;
        auto mixed = saved.mixed.middleRows(row, length);
        down_and_up(weights, u.middleRows(row, length), row, 0, saved);
        const auto latent = saved.kv_latent.middleRows(row, length);
        const auto k_rope = saved.kv_down.middleRows(row, length).rightCols(shape_.rope);
        const auto q = saved.q.middleRows(row, length);
        auto k = saved.k.middleRows(row, length);
        auto v = saved.v.middleRows(row, length);
        multiply_transposed<Scalar>(latent, weights.v_up, v);
        for (Index h = 0; h < shape_.heads; ++h) {
          multiply_transposed<Scalar>(latent, k_up(weights, h), nope(k, h));
          rope(k, h) = k_rope;
          causal_mix<Scalar>(scale(), head(q, h), head(k, h), value(v, h),
                             probabilities(saved, s, h, length), value(mixed, h));
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
        mix_backward(weights, s, length, saved, dout, dsaved);
        down_and_up_backward(weights, u, s * length, length, saved, dsaved, du);
      }
    });
    const Index tokens = u.rows();
    const auto normalized = saved.normalized.topRows(tokens);
    const auto latent = saved.kv_latent.topRows(tokens);
    add_weight_gradient<Scalar>(dout, saved.mixed.topRows(tokens), dweights.output, exec);
    add_weight_gradient<Scalar>(dsaved.v.topRows(tokens), latent, dweights.v_up, exec);
    exec(shape_.heads, 1, [&](Index first, Index last, int) {
      for (Index h = first; h < last; ++h) {
        const auto dk = dsaved.k.topRows(tokens);
        add_transposed_multiply<Scalar>(nope(dk, h), latent, k_up(dweights, h));
      }
    });
    add_weight_gradient<Scalar>(dsaved.q.topRows(tokens), saved.q_latent.topRows(tokens),
                                dweights.q_up, exec);
    add_weight_gradient<Scalar>(dsaved.q_down.topRows(tokens), normalized, dweights.q_down, exec);
    add_weight_gradient<Scalar>(dsaved.kv_down.topRows(tokens), normalized, dweights.kv_down, exec);
    rms_norm_add_weight_gradient<Scalar>(dsaved.normalized.topRows(tokens), u,
                                         saved.inverse_rms.head(tokens), dweights.norm);
    rms_norm_add_weight_gradient<Scalar>(dsaved.q_latent.topRows(tokens),
                                         saved.q_down.topRows(tokens),
                                         saved.q_inverse_rms.head(tokens), dweights.q_norm);
    rms_norm_add_weight_gradient<Scalar>(dsaved.kv_latent.topRows(tokens),
                                         saved.kv_down.topRows(tokens).leftCols(shape_.kv_rank),
                                         saved.kv_inverse_rms.head(tokens), dweights.kv_norm);
  }

  // The tokens that follow the cached ones; they are appended to the cache, whose capacity is at
  // most the context.
  void extend(const Parameters& weights, const ConstRows<Scalar>& u, Rows<Scalar> out, Cache& cache,
              Workspace& space) const {
    const Index tokens = u.rows();
    const Index past = cache.size();
    auto appended = cache.append(tokens);
    down_and_up(weights, u, 0, past, space);
    appended.leftCols(shape_.kv_rank) = space.kv_latent.topRows(tokens);
    appended.rightCols(shape_.rope) = space.kv_down.topRows(tokens).rightCols(shape_.rope);
    const auto cached = cache.rows();
    const auto q = space.q.topRows(tokens);
    auto absorbed = space.absorbed.topRows(tokens);
    auto mixed_latent = space.mixed_latent.topRows(tokens);
    auto mixed = space.mixed.topRows(tokens);
    for (Index h = 0; h < shape_.heads; ++h) {
      multiply<Scalar>(nope(q, h), k_up(weights, h), absorbed.leftCols(shape_.kv_rank));
      absorbed.rightCols(shape_.rope) = rope(q, h);
      causal_mix<Scalar>(scale(), absorbed, cached, cached.leftCols(shape_.kv_rank),
                         space.probabilities.topLeftCorner(tokens, past + tokens), mixed_latent);
      multiply_transposed<Scalar>(
          mixed_latent, weights.v_up.middleRows(h * shape_.value, shape_.value), value(mixed, h));
    }
    multiply_transposed<Scalar>(mixed, weights.output, out);
  }

 private:
  // c_q and q, c_kv and k_rope of u, whose first row is row `at` of `saved` and has the position
  // `position` in its sequence.
  void down_and_up(const Parameters& weights, const ConstRows<Scalar>& u, Index at, Index position,
                   Latents<Scalar>& saved) const {
    const Index tokens = u.rows();
    auto normalized = saved.normalized.middleRows(at, tokens);
    auto q_down = saved.q_down.middleRows(at, tokens);
    auto q_latent = saved.q_latent.middleRows(at, tokens);
    auto q = saved.q.middleRows(at, tokens);
    auto kv_down = saved.kv_down.middleRows(at, tokens);
    rms_norm_forward<Scalar>(u, weights.norm, normalized, saved.inverse_rms.segment(at, tokens));
    multiply_transposed<Scalar>(normalized, weights.q_down, q_down);
    rms_norm_forward<Scalar>(q_down, weights.q_norm, q_latent,
                             saved.q_inverse_rms.segment(at, tokens));
    multiply_transposed<Scalar>(q_latent, weights.q_up, q);
    for (Index h = 0; h < shape_.heads; ++h) rotary_.forward(rope(q, h), position);
    multiply_transposed<Scalar>(normalized, weights.kv_down, kv_down);
    rms_norm_forward<Scalar>(kv_down.leftCols(shape_.kv_rank), weights.kv_norm,
                             saved.kv_latent.middleRows(at, tokens),
                             saved.kv_inverse_rms.segment(at, tokens));
    rotary_.forward(kv_down.rightCols(shape_.rope), position);
  }

  // From dout to the gradients of q, k, v, k_rope and c_kv of sequence s.
  void mix_backward(const Parameters& weights, Index s, Index length, const Saved& saved,
                    const ConstRows<Scalar>& dout, Saved& dsaved) const {
    const Index row = s * length;
    const auto q = saved.q.middleRows(row, length);
    const auto k = saved.k.middleRows(row, length);
    const auto v = saved.v.middleRows(row, length);
    auto dq = dsaved.q.middleRows(row, length);
    auto dk = dsaved.k.middleRows(row, length);
    auto dv = dsaved.v.middleRows(row, length);
    auto dmixed = dsaved.mixed.middleRows(row, length);
    auto dlatent = dsaved.kv_latent.middleRows(row, length);
    auto dk_rope = dsaved.kv_down.middleRows(row, length).rightCols(shape_.rope);
    multiply<Scalar>(dout.middleRows(row, length), weights.output, dmixed);
    dk_rope.setZero();
    for (Index h = 0; h < shape_.heads; ++h) {
      causal_mix_backward<Scalar>(scale(), value(dmixed, h), head(q, h), head(k, h), value(v, h),
                                  probabilities(saved, s, h, length),
                                  probabilities(dsaved, s, h, length), head(dq, h), head(dk, h),
                                  value(dv, h));
      dk_rope += rope(dk, h);
    }
    multiply<Scalar>(dv, weights.v_up, dlatent);
    for (Index h = 0; h < shape_.heads; ++h) {
      add_multiply<Scalar>(nope(dk, h), k_up(weights, h), dlatent);
    }
  }

  // From there to du.
  void down_and_up_backward(const Parameters& weights, const ConstRows<Scalar>& u, Index at,
                            Index tokens, const Saved& saved, Saved& dsaved,
                            Rows<Scalar> du) const {
    auto dq = dsaved.q.middleRows(at, tokens);
    auto dq_latent = dsaved.q_latent.middleRows(at, tokens);
    auto dq_down = dsaved.q_down.middleRows(at, tokens);
    auto dkv_down = dsaved.kv_down.middleRows(at, tokens);
    auto dnormalized = dsaved.normalized.middleRows(at, tokens);
    for (Index h = 0; h < shape_.heads; ++h) rotary_.backward(rope(dq, h));
    multiply<Scalar>(dq, weights.q_up, dq_latent);
    rms_norm_backward<Scalar>(dq_latent, saved.q_down.middleRows(at, tokens), weights.q_norm,
                              saved.q_inverse_rms.segment(at, tokens), dq_down);
    rotary_.backward(dkv_down.rightCols(shape_.rope));
    rms_norm_backward<Scalar>(dsaved.kv_latent.middleRows(at, tokens),
                              saved.kv_down.middleRows(at, tokens).leftCols(shape_.kv_rank),
                              weights.kv_norm, saved.kv_inverse_rms.segment(at, tokens),
                              dkv_down.leftCols(shape_.kv_rank));
    multiply<Scalar>(dq_down, weights.q_down, dnormalized);
    add_multiply<Scalar>(dkv_down, weights.kv_down, dnormalized);
    rms_norm_backward<Scalar>(dnormalized, u.middleRows(at, tokens), weights.norm,
                              saved.inverse_rms.segment(at, tokens), du.middleRows(at, tokens));
  }

  double scale() const { return 1 / std::sqrt(static_cast<double>(shape_.head_channels())); }

  template <class M>
  auto head(M& m, Index h) const {  // of q and k
    return m.middleCols(h * shape_.head_channels(), shape_.head_channels());
  }
  template <class M>
  auto nope(M& m, Index h) const {
    return m.middleCols(h * shape_.head_channels(), shape_.nope);
  }
  template <class M>
  auto rope(M& m, Index h) const {
    return m.middleCols(h * shape_.head_channels() + shape_.nope, shape_.rope);
  }
  template <class M>
  auto value(M& m, Index h) const {  // of v and m
    return m.middleCols(h * shape_.value, shape_.value);
  }
  template <class P>
  auto k_up(P& weights, Index h) const {
    return weights.k_up.middleRows(h * shape_.nope, shape_.nope);
  }
  template <class S>
  auto probabilities(S& saved, Index s, Index h, Index length) const {
    return saved.probabilities.block((s * shape_.heads + h) * length, 0, length, length);
  }

  Shape shape_;
  Rotary<Scalar> rotary_;
};

}  // namespace language_model
