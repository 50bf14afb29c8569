// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <type_traits>

#include <mhc/parameters.hpp>
#include <mhc/shapes.hpp>

MHC_NAMESPACE_BEGIN

/// How a checkpoint stores the parameters of an mHC site. Conventions end here: the tensors are
/// permuted once, at load time, and no kernel ever asks.
struct StoredLayout {
  enum class Phi {
    rows,     ///< (R, K): one row per coefficient, as an nn.Linear weight
    columns,  ///< (K, R): as the paper multiplies, and as this library keeps it
  };
  enum class Res {
    out_in,   ///< coefficient i*n + j is H_res[out i, in j]: the paper, Megatron-LM main, Liger
    src_dst,  ///< coefficient j*n + k moves stream j to stream k: DeepSeek, GLM, openPangu
  };
  Phi phi = Phi::columns;
  Res res = Res::out_in;

  static StoredLayout paper() { return {Phi::columns, Res::out_in}; }
  /// hc_attn_fn (24, 4C), hc_attn_scale (3), hc_attn_base (24); comb[src, dst].
  static StoredLayout deepseek_v4() { return {Phi::rows, Res::src_dst}; }
};

namespace detail {

/// Where logit r of the library stands in the stored order.
template <int N>
constexpr int stored_row(int r, StoredLayout::Res res) {
  if (r < 2 * N || res == StoredLayout::Res::out_in) return r;
  const int out = (r - 2 * N) / N;
  const int in = (r - 2 * N) % N;
  return 2 * N + in * N + out;
}

template <int N, class Stored, class Scalar, class Copy>
void walk_stored(const StoredLayout& layout, Stored* phi, Stored* alpha, Stored* b,
                 ParametersView<N, Scalar, ManifoldConstrained> parameters, Copy copy) {
  constexpr int R = N * (N + 2);
  const index depth = parameters.depth(parameters.channels);
  for (int r = 0; r < R; ++r) {
    const int row = stored_row<N>(r, layout.res);
    for (index k = 0; k < depth; ++k) {
      const index at = layout.phi == StoredLayout::Phi::rows ? row * depth + k : k * R + row;
      copy(phi[at], parameters.phi_data()[k * R + r]);
    }
    copy(b[row], parameters.b_data()[r]);
  }
  for (int g = 0; g < 3; ++g) copy(alpha[g], parameters.alpha_data()[g]);
}

template <class Data>
void check_stored(const char* function, Data* phi, Data* alpha, Data* b, const void* parameters,
                  index channels) {
  if (channels < 1) refuse(function, "parameters have ", channels, " channels");
  if (parameters == nullptr) refuse(function, "parameters have no data (null pointer)");
  if (phi == nullptr) refuse(function, "phi has no data (null pointer)");
  if (alpha == nullptr) refuse(function, "alpha has no data (null pointer)");
  if (b == nullptr) refuse(function, "b has no data (null pointer)");
}

}  // namespace detail

/// parameters (assigned) from a checkpoint's tensors: phi (R K numbers), alpha (3: pre, post, res)
/// and b (R), in any element type, in the given layout.
template <int N, class Stored, class Scalar>
void load_stored(const StoredLayout& layout, const Stored* phi, const Stored* alpha,
                 const Stored* b, ParametersView<N, Scalar, ManifoldConstrained> parameters) {
  detail::check_stored("load_stored", phi, alpha, b, parameters.data, parameters.channels);
  detail::walk_stored<N>(layout, phi, alpha, b, parameters,
                         [](const Stored& from, Scalar& to) { to = static_cast<Scalar>(from); });
}

/// The inverse of load_stored: a checkpoint's tensors (assigned) from parameters.
template <int N, class Stored, class Scalar>
void save_stored(const StoredLayout& layout,
                 ParametersView<N, Scalar, ManifoldConstrained> parameters, Stored* phi,
                 Stored* alpha, Stored* b) {
  detail::check_stored("save_stored", phi, alpha, b, parameters.data, parameters.channels);
  detail::walk_stored<N>(layout, phi, alpha, b, parameters,
                         [](Stored& to, const Scalar& from) { to = static_cast<Stored>(from); });
}

MHC_NAMESPACE_END
