// SPDX-License-Identifier: MIT
#pragma once

#include <array>

#include <mhc/executor.hpp>
#include <mhc/kernels/entry.hpp>
#include <mhc/reference.hpp>
#include <mhc/shapes.hpp>

MHC_NAMESPACE_BEGIN

// Aggregate: the sublayer's input as a weighted sum of the streams.   u = pre x
//
//   pre (1, n),  x (n, C),  u (1, C)
//
// Backward:  dpre_i = <du, x_i>,   dx_i = pre_i du.
//
// With the pre of the last site it is the final collapse of single-pass mHC (DeepSeek-V4.1).
//
// Source: arXiv:2512.24880, eq. (3), H_pre x.

namespace reference {

/// u = pre x.
template <class Scalar>
Row<Scalar> aggregate(const Row<Scalar>& pre, const Matrix<Scalar>& x) {
  return pre * x;
}

}  // namespace reference

/// The pre of the first site of single-pass mHC: 1 at `stream` and 0 elsewhere, for any number of
/// tokens (one row, token stride 0). Throws std::invalid_argument unless 0 <= stream < N. Source:
/// DeepSeek-V4.1, with stream 0.
template <int N, class Scalar = float>
TokenView<const Scalar> one_hot_pre(index tokens, index stream = 0) {
  if (stream < 0 || stream >= N) {
    detail::refuse("one_hot_pre", "stream is ", stream, ", expected 0 to ", N - 1);
  }
  static constexpr auto rows = [] {
    std::array<Scalar, std::size_t{2 * N - 1}> values{};
    values[N - 1] = Scalar(1);
    return values;
  }();
  return {rows.data() + (N - 1 - stream), tokens, N, 0};
}

/// u = pre x for every token: x (tokens, N, C), pre (tokens, N) in the compute type, u (tokens, C),
/// which is assigned. Throws std::invalid_argument for wrong shapes and overlapping memory.
template <int N, class Element, class Executor = Serial>
void aggregate(StreamView<const Element> x, TokenView<const compute_t<Element>> pre,
               TokenView<Element> u, Executor&& exec = {}) {
  constexpr const char* here = "aggregate";
  detail::check_streams(here, "x", x, N);
  detail::check_shape(here, "pre", pre, x.tokens, N);
  detail::check_shape(here, "u", u, x.tokens, x.channels);
  detail::check_output(here, "u", u);
  detail::check_disjoint(here, "u", u, "x", x);
  detail::check_disjoint(here, "u", u, "pre", pre);
  exec(x.tokens, detail::token_grain(x), [&](index begin, index end, int) {
    kernels::StreamKernels<N, Element>::aggregate(x, pre, u, begin, end);
  });
}

/// The gradients dx and dpre from du; both are assigned. Throws as aggregate does.
template <int N, class Element, class Executor = Serial>
void aggregate_backward(StreamView<const Element> x, TokenView<const compute_t<Element>> pre,
                        TokenView<const Element> du, StreamView<Element> dx,
                        TokenView<compute_t<Element>> dpre, Executor&& exec = {}) {
  constexpr const char* here = "aggregate_backward";
  detail::check_streams(here, "x", x, N);
  detail::check_shape(here, "pre", pre, x.tokens, N);
  detail::check_shape(here, "du", du, x.tokens, x.channels);
  detail::check_shape(here, "dx", dx, x.tokens, N, x.channels);
  detail::check_shape(here, "dpre", dpre, x.tokens, N);
  detail::check_output(here, "dx", dx);
  detail::check_output(here, "dpre", dpre);
  detail::check_disjoint(here, "dx", dx, "x", x);
  detail::check_disjoint(here, "dx", dx, "du", du);
  detail::check_disjoint(here, "dx", dx, "pre", pre);
  detail::check_disjoint(here, "dpre", dpre, "pre", pre);
  detail::check_disjoint(here, "dpre", dpre, "x", x);
  detail::check_disjoint(here, "dpre", dpre, "du", du);
  detail::check_disjoint(here, "dpre", dpre, "dx", dx);
  exec(x.tokens, detail::token_grain(x), [&](index begin, index end, int) {
    kernels::StreamKernels<N, Element>::aggregate_backward(x, pre, du, dx, dpre, begin, end);
  });
}

MHC_NAMESPACE_END
