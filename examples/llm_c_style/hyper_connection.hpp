// SPDX-License-Identifier: MIT
#pragma once

#if defined(_OPENMP)
#include <mhc/adapters/openmp.hpp>
#endif
#include <mhc/mhc.hpp>

// Hyper-connections as functions on raw pointers, in the style of llm.c. A sublayer is called
// between
//
//   hyper_connection_pre_forward     x (B,T,n,C) -> u (B,T,C), what the sublayer reads, and saved
//   hyper_connection_post_forward    x, v (B,T,C), the sublayer's output -> out (B,T,n,C)
//
// and its backward between hyper_connection_post_backward and hyper_connection_pre_backward, which
// takes the same dout. w: hyper_connection_num_parameters numbers, saved:
// hyper_connection_num_saved numbers.
//
// Gradients are ADDED to, those of activations as well. mhc assigns the latter, since a site's dx
// is the sum of three terms that it rounds once: here they are computed into `scratch` and added,
// which costs one more pass over them. Only dsaved is assigned: it only passes from one backward to
// the other.

#if defined(_OPENMP)
inline const mhc::OpenMp hyper_connection_threads{};
#else
inline constexpr mhc::Serial hyper_connection_threads{};
#endif

/// Calls f(std::integral_constant<int, n>). Further values of n take longer to compile.
template <class Function>
decltype(auto) hyper_connection_streams(int n, Function&& f) {
  return mhc::with_streams<2, 4>(n, f);
}

template <class floatX>
size_t hyper_connection_num_parameters(int n, int C) {
  return hyper_connection_streams(n, [&](auto streams) {
    return static_cast<size_t>(mhc::ParametersView<streams(), floatX>::size(C));
  });
}

template <class floatX>
size_t hyper_connection_num_saved(int B, int T, int n) {
  return hyper_connection_streams(n, [&](auto streams) {
    return static_cast<size_t>(mhc::SavedView<streams(), floatX>::size(mhc::Index{B} * T));
  });
}

/// Starts almost as an ordinary residual.
template <class floatX>
void hyper_connection_init(floatX* w, int n, int C, unsigned seed) {
  hyper_connection_streams(n, [&](auto streams) {
    mhc::initialize(mhc::ParametersView<streams(), floatX>(w, C), seed);
  });
}

template <class floatX>
void hyper_connection_pre_forward(floatX* u, floatX* saved, const floatX* x, const floatX* w, int B,
                                  int T, int n, int C) {
  const mhc::Index BT = mhc::Index{B} * T;
  hyper_connection_streams(n, [&](auto streams) {
    const mhc::Block<streams(), floatX> block({w, C});
    block.prepare({x, BT, n, C}, {u, BT, C}, {saved, BT}, hyper_connection_threads);
  });
}

template <class floatX>
void hyper_connection_post_forward(floatX* out, const floatX* x, const floatX* v,
                                   const floatX* saved, const floatX* w, int B, int T, int n,
                                   int C) {
  const mhc::Index BT = mhc::Index{B} * T;
  hyper_connection_streams(n, [&](auto streams) {
    const mhc::Block<streams(), floatX> block({w, C});
    block.finish({x, BT, n, C}, {v, BT, C}, {saved, BT}, {out, BT, n, C}, hyper_connection_threads);
  });
}

template <class floatX>
void hyper_connection_add(floatX* sum, const floatX* term, size_t N) {
  for (size_t i = 0; i < N; i++) sum[i] += term[i];
}

/// dv += ..., dsaved = ...; scratch (B,T,C).
template <class floatX>
void hyper_connection_post_backward(floatX* dv, floatX* dsaved, const floatX* dout, const floatX* x,
                                    const floatX* v, const floatX* saved, const floatX* w,
                                    floatX* scratch, int B, int T, int n, int C) {
  const mhc::Index BT = mhc::Index{B} * T;
  hyper_connection_streams(n, [&](auto streams) {
    const mhc::Block<streams(), floatX> block({w, C});
    block.finish_backward({x, BT, n, C}, {v, BT, C}, {saved, BT}, {dout, BT, n, C},
                          {scratch, BT, C}, {dsaved, BT}, hyper_connection_threads);
  });
  hyper_connection_add(dv, scratch, static_cast<size_t>(BT * C));
}

/// dx += ..., dw += ..., including the path through the streams (from dout); scratch (B,T,n,C).
template <class floatX>
void hyper_connection_pre_backward(floatX* dx, floatX* dw, const floatX* du, floatX* dsaved,
                                   const floatX* dout, const floatX* x, const floatX* saved,
                                   const floatX* w, floatX* scratch, int B, int T, int n, int C) {
  const mhc::Index BT = mhc::Index{B} * T;
  hyper_connection_streams(n, [&](auto streams) {
    const mhc::Block<streams(), floatX> block({w, C});
    block.prepare_backward({x, BT, n, C}, {saved, BT}, {dout, BT, n, C}, {du, BT, C}, {dsaved, BT},
                           {scratch, BT, n, C}, {dw, C}, hyper_connection_threads);
  });
  hyper_connection_add(dx, scratch, static_cast<size_t>(BT * n * C));
}

/// Expands the streams, x_i = h, and averages them at the end.
template <class floatX>
void hyper_connection_expand_forward(floatX* x, const floatX* h, int B, int T, int n, int C) {
  const mhc::Index BT = mhc::Index{B} * T;
  mhc::expand_repeat({h, BT, C}, mhc::StreamView<floatX>(x, BT, n, C));
}

template <class floatX>
void hyper_connection_expand_backward(floatX* dh, const floatX* dx, floatX* scratch, int B, int T,
                                      int n, int C) {
  const mhc::Index BT = mhc::Index{B} * T;
  mhc::expand_repeat_backward({dx, BT, n, C}, mhc::TokenView<floatX>(scratch, BT, C));
  hyper_connection_add(dh, scratch, static_cast<size_t>(BT * C));
}

template <class floatX>
void hyper_connection_collapse_forward(floatX* h, const floatX* x, int B, int T, int n, int C) {
  const mhc::Index BT = mhc::Index{B} * T;
  mhc::collapse_mean({x, BT, n, C}, mhc::TokenView<floatX>(h, BT, C));
}

template <class floatX>
void hyper_connection_collapse_backward(floatX* dx, const floatX* dh, floatX* scratch, int B, int T,
                                        int n, int C) {
  const mhc::Index BT = mhc::Index{B} * T;
  mhc::collapse_mean_backward({dh, BT, C}, mhc::StreamView<floatX>(scratch, BT, n, C));
  hyper_connection_add(dx, scratch, static_cast<size_t>(BT * n * C));
}
