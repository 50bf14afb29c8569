// SPDX-License-Identifier: MIT
// The sizes and weights of multi-head latent attention, and its latents. The formulas are in
// latent_attention.hpp.
#pragma once

#include "linear.hpp"

namespace language_model {

struct LatentAttentionShape {
  Index channels;  // C
  Index heads;
  Index context;  // longest sequence
  Index q_rank;
  Index kv_rank;
  Index nope;   // d_n, channels of a head's query and key without position
  Index rope;   // d_r, rotary channels; even
  Index value;  // d_v, channels of a head's value
  Index head_channels() const { return nope + rope; }
  Index cached() const { return kv_rank + rope; }  // cached numbers per token
};

// Views into an arena; gradients have the same type.
template <class Scalar>
struct LatentAttentionParameters {
  VectorMap<Scalar> norm;     // (C)
  VectorMap<Scalar> q_norm;   // (q_rank)
  VectorMap<Scalar> kv_norm;  // (kv_rank)
  MatrixMap<Scalar> q_down;   // (q_rank, C): W_dq
  MatrixMap<Scalar> q_up;     // (heads (d_n + d_r), q_rank): W_uq
  MatrixMap<Scalar> kv_down;  // (kv_rank + d_r, C): W_dkv, W_kr
  MatrixMap<Scalar> k_up;     // (heads d_n, kv_rank): W_uk
  MatrixMap<Scalar> v_up;     // (heads d_v, kv_rank): W_uv
  MatrixMap<Scalar> output;   // (C, heads d_v): W_o

  LatentAttentionParameters(Scalar* data, const LatentAttentionShape& shape)
      : LatentAttentionParameters(Carve<Scalar>(data), shape) {}
  static Index size(const LatentAttentionShape& s) {
    return norms(s) + (s.q_rank + s.cached()) * s.channels +
           s.heads * (s.head_channels() * s.q_rank + (s.nope + s.value) * s.kv_rank +
                      s.value * s.channels);
  }
  // The number of norm weights, which come first.
  static Index norms(const LatentAttentionShape& s) { return s.channels + s.q_rank + s.kv_rank; }

  // f(matrix, writes): `writes` marks the sublayer's output matrix.
  template <class F>
  void each_matrix(F&& f) {
    for (MatrixMap<Scalar>* const w : {&q_down, &q_up, &kv_down, &k_up, &v_up}) f(*w, false);
    f(output, true);
  }

 private:
  LatentAttentionParameters(Carve<Scalar> carve, const LatentAttentionShape& s)
      : norm(carve.vector(s.channels)),
        q_norm(carve.vector(s.q_rank)),
        kv_norm(carve.vector(s.kv_rank)),
        q_down(carve.matrix(s.q_rank, s.channels)),
        q_up(carve.matrix(s.heads * s.head_channels(), s.q_rank)),
        kv_down(carve.matrix(s.cached(), s.channels)),
        k_up(carve.matrix(s.heads * s.nope, s.kv_rank)),
        v_up(carve.matrix(s.heads * s.value, s.kv_rank)),
        output(carve.matrix(s.channels, s.heads * s.value)) {}
};

// The latents of some tokens' queries, keys and values.
template <class Scalar>
struct Latents {
  Vector<Scalar> inverse_rms, q_inverse_rms, kv_inverse_rms;  // (tokens), of the three norms
  Matrix<Scalar> normalized;                                  // (tokens, C): a
  Matrix<Scalar> q_down;                                      // (tokens, q_rank): a W_dq^T
  Matrix<Scalar> q_latent;                                    // (tokens, q_rank): c_q
  Matrix<Scalar> q;          // (tokens, heads (d_n + d_r)), q_rope rotated
  Matrix<Scalar> kv_down;    // (tokens, kv_rank + d_r): a W_dkv^T, k_rope rotated
  Matrix<Scalar> kv_latent;  // (tokens, kv_rank): c_kv

  Latents(const LatentAttentionShape& s, Index tokens)
      : inverse_rms(tokens),
        q_inverse_rms(tokens),
        kv_inverse_rms(tokens),
        normalized(tokens, s.channels),
        q_down(tokens, s.q_rank),
        q_latent(tokens, s.q_rank),
        q(tokens, s.heads * s.head_channels()),
        kv_down(tokens, s.cached()),
        kv_latent(tokens, s.kv_rank) {}
};

}  // namespace language_model
