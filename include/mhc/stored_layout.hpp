// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>

#include <mhc/arguments.hpp>
#include <mhc/parameters.hpp>

MHC_NAMESPACE_BEGIN

/// How a checkpoint stores a site's parameters, packed as [pre | post | res]. The tensors are
/// permuted once, at load time, so that the kernels have a single layout.
struct StoredLayout {
  enum class Phi {
    rows,     ///< (R, K): one row per coefficient, like the weight of an nn.Linear
    columns,  ///< (K, R): as in the paper and in this library
  };
  enum class Res {
    out_in,   ///< coefficient i*n + j is H_res[out i, in j]: the paper, Megatron-LM main, Liger
    src_dst,  ///< coefficient j*n + k moves stream j to stream k: DeepSeek, GLM, openPangu
  };
  Phi phi = Phi::columns;
  Res res = Res::out_in;
};

namespace detail {

/// The stored index of the library's logit r. (A head has no H_res to transpose.)
template <int N, class Connection>
constexpr int stored_row(int r, StoredLayout::Res res) {
  if constexpr (Connection::template Shape<N>::res_rows > 0) {
    if (r >= 2 * N && res == StoredLayout::Res::src_dst) {
      return 2 * N + Connection::Residual::template transposed<N>(r - 2 * N);
    }
  }
  return r;
}

template <int N, class Phi, class Small, class Scalar, class Connection, class Copy>
void walk_stored(const StoredLayout& layout, Phi* phi, Small* alpha, Small* b,
                 ParametersView<N, Scalar, Connection> parameters, Copy copy) {
  using Shape = typename Connection::template Shape<N>;
  static_assert(Shape::groups == 1, "mhc: StoredLayout is for sites that project from the token");
  constexpr int R = Shape::projections;
  const Index depth = parameters.depth(parameters.channels);
  for (int r = 0; r < R; ++r) {
    const int row = stored_row<N, Connection>(r, layout.res);
    for (Index k = 0; k < depth; ++k) {
      const Index at = layout.phi == StoredLayout::Phi::rows ? row * depth + k : k * R + row;
      copy(phi[at], parameters.phi_data()[k * R + r]);
    }
    copy(b[row], parameters.b_data()[r]);
  }
  for (int g = 0; g < Shape::gates; ++g) copy(alpha[g], parameters.alpha_data()[g]);
}

/// The copy of a number into another type.
inline constexpr auto convert = [](const auto& from, auto& to) {
  to = static_cast<std::decay_t<decltype(to)>>(from);
};

inline void check_stored(const char* function, const char* name, const void* data) {
  if (data == nullptr) refuse(function, name, " has no data (null pointer)");
}

template <class Parameters>
void check_stored_parameters(const char* function, const Parameters& parameters) {
  if (parameters.channels < 1) {
    refuse(function, "parameters have ", parameters.channels, " channels");
  }
  check_stored(function, "parameters", parameters.data);
}

}  // namespace detail

/// Assigns to `parameters` those of a site or a head from a checkpoint's tensors, of any element
/// type and in the given layout: phi (R K numbers), alpha (one number for each of pre, post and res
/// that the connection has) and b (R). Throws std::invalid_argument for a null pointer or
/// channels < 1.
template <class Phi, class Small, class Parameters>
void load_stored(const StoredLayout& layout, const Phi* phi, const Small* alpha, const Small* b,
                 Parameters&& parameters) {
  constexpr const char* here = "load_stored";
  const auto to = detail::view_of(parameters);
  detail::check_stored_parameters(here, to);
  detail::check_stored(here, "phi", phi);
  detail::check_stored(here, "alpha", alpha);
  detail::check_stored(here, "b", b);
  detail::walk_stored(layout, phi, alpha, b, to, detail::convert);
}

/// The inverse of load_stored: assigns a checkpoint's tensors from parameters, or their gradients.
/// Throws as load_stored does.
template <class Parameters, class Phi, class Small>
void save_stored(const StoredLayout& layout, const Parameters& parameters, Phi* phi, Small* alpha,
                 Small* b) {
  constexpr const char* here = "save_stored";
  const auto from = detail::view_of(parameters);
  detail::check_stored_parameters(here, from);
  detail::check_stored(here, "phi", phi);
  detail::check_stored(here, "alpha", alpha);
  detail::check_stored(here, "b", b);
  detail::walk_stored(layout, phi, alpha, b, from,
                      [](auto& to, const auto& value) { detail::convert(value, to); });
}

/// A site's tensors if one (alpha) holds pre and res and another (beta) holds post, as in the
/// pseudocode of arXiv:2409.19606, in lucidrains' hyper-connections, mHC-lite and KromHC.
///
///   FromStreams   alpha (C, 1 + n), static (n, 1 + n): for each stream its weight in pre, then its
///                 weights in the n target streams;  beta (C), static (n)
///   FromToken     alpha (n C, n + L), static (n + L): pre of each stream, then the logits of res;
///                 beta (n C, n), static (n)
///
/// H_res is stored as [src, dst].
template <class Stored>
struct StoredAlphaBeta {
  Stored* dynamic_alpha_fn = nullptr;
  Stored* dynamic_beta_fn = nullptr;
  Stored* static_alpha = nullptr;
  Stored* static_beta = nullptr;
  /// The gates of pre, post and res. If pre and res share one scale, both point to it.
  Stored* scale_pre = nullptr;
  Stored* scale_post = nullptr;
  Stored* scale_res = nullptr;
};

namespace detail {

template <int N, class Stored, class Scalar, class Connection, class Copy>
void walk_alpha_beta(const StoredAlphaBeta<Stored>& stored,
                     ParametersView<N, Scalar, Connection> parameters, Copy copy) {
  using Shape = typename Connection::template Shape<N>;
  constexpr bool by_stream = Shape::groups == N && Shape::projections == N + 2;
  static_assert(by_stream || Shape::groups == 1,
                "mhc: StoredAlphaBeta is for sites that project from the token or its streams");
  static_assert(Shape::gates == 3, "mhc: StoredAlphaBeta is for sites with pre, post and res");
  constexpr int pre = by_stream ? 1 : N;  // the number of columns of phi for pre, and for post
  constexpr int res = Shape::projections - 2 * pre;
  const auto from = [](int r) {  // with FromStreams, column i of phi already is for target i
    return by_stream ? r : Connection::Residual::template transposed<N>(r);
  };
  for (Index k = 0; k < parameters.depth(parameters.channels); ++k) {
    Scalar* row = parameters.phi_data() + k * Shape::projections;
    Stored* alpha = stored.dynamic_alpha_fn + k * (pre + res);
    for (int i = 0; i < pre; ++i) {
      copy(alpha[i], row[i]);
      copy(stored.dynamic_beta_fn[k * pre + i], row[pre + i]);
    }
    for (int r = 0; r < res; ++r) copy(alpha[pre + from(r)], row[2 * pre + r]);
  }
  copy(*stored.scale_pre, parameters.alpha_data()[0]);
  copy(*stored.scale_post, parameters.alpha_data()[1]);
  copy(*stored.scale_res, parameters.alpha_data()[2]);
  Scalar* b = parameters.b_data();
  for (int i = 0; i < N; ++i) {
    copy(stored.static_alpha[by_stream ? i * (N + 1) : i], b[i]);
    copy(stored.static_beta[i], b[N + i]);
  }
  for (int r = 0; r < Shape::logits - 2 * N; ++r) {
    const int source = Connection::Residual::template transposed<N>(r);
    copy(stored.static_alpha[by_stream ? source + source / N + 1 : N + source], b[2 * N + r]);
  }
}

template <class Stored>
void check_alpha_beta(const char* function, const StoredAlphaBeta<Stored>& stored) {
  check_stored(function, "dynamic_alpha_fn", stored.dynamic_alpha_fn);
  check_stored(function, "dynamic_beta_fn", stored.dynamic_beta_fn);
  check_stored(function, "static_alpha", stored.static_alpha);
  check_stored(function, "static_beta", stored.static_beta);
  check_stored(function, "scale_pre", stored.scale_pre);
  check_stored(function, "scale_post", stored.scale_post);
  check_stored(function, "scale_res", stored.scale_res);
}

}  // namespace detail

/// Assigns to `parameters` those of a site with pre, post and res from tensors of any element type.
/// Throws std::invalid_argument for a null pointer or channels < 1.
template <class Stored, class Parameters>
void load_stored(const StoredAlphaBeta<const Stored>& stored, Parameters&& parameters) {
  const auto to = detail::view_of(parameters);
  detail::check_stored_parameters("load_stored", to);
  detail::check_alpha_beta("load_stored", stored);
  detail::walk_alpha_beta(stored, to, detail::convert);
}

/// The inverse, which ADDS to the tensors, so that gradients accumulate and a scale shared by pre
/// and res gets the sum of both. To save parameters, pass tensors of zeros. Throws as load_stored
/// does.
template <class Parameters, class Stored>
void save_stored(const Parameters& parameters, const StoredAlphaBeta<Stored>& stored) {
  const auto from = detail::view_of(parameters);
  detail::check_stored_parameters("save_stored", from);
  detail::check_alpha_beta("save_stored", stored);
  detail::walk_alpha_beta(stored, from, [](Stored& to, const auto& value) {
    to = static_cast<Stored>(static_cast<std::decay_t<decltype(value)>>(to) + value);
  });
}

MHC_NAMESPACE_END
