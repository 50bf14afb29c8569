// SPDX-License-Identifier: MIT
#pragma once

#include <array>

#include <mhc/arguments.hpp>
#include <mhc/executor.hpp>
#include <mhc/kernels/entry.hpp>
#include <mhc/reference.hpp>
#include <mhc/storage.hpp>

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
TokenView<const Scalar> one_hot_pre(Index tokens, Index stream = 0) {
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
/// which is assigned; views or owners. Throws std::invalid_argument for wrong shapes and
/// overlapping memory.
template <int N, class Rows, class Executor = Serial>
void aggregate(StreamView<const element_of<Rows>> x, TokenView<const compute_of<Rows>> pre,
               Rows&& u, Executor&& exec = {}) {
  using Element = element_of<Rows>;
  const TokenView<Element> to = u;
  detail::Arguments call("aggregate");
  call.reads_streams("x", x, N);
  call.reads("pre", pre, N);
  call.writes("u", to, x.channels);
  call.check_memory();
  exec(x.tokens, detail::token_grain(x), [&](Index begin, Index end, int) {
    kernels::StreamKernels<N, Element>::aggregate(x, pre, to, begin, end);
  });
}

/// The gradients dx and dpre from du; both are assigned. Throws as aggregate does.
template <int N, class Gradient, class Executor = Serial>
void aggregate_backward(StreamView<const element_of<Gradient>> x,
                        TokenView<const compute_of<Gradient>> pre,
                        TokenView<const element_of<Gradient>> du, Gradient&& dx,
                        TokenView<compute_of<Gradient>> dpre, Executor&& exec = {}) {
  using Element = element_of<Gradient>;
  const StreamView<Element> to = dx;
  detail::Arguments call("aggregate_backward");
  call.reads_streams("x", x, N);
  call.reads("pre", pre, N);
  call.reads("du", du, x.channels);
  call.writes("dx", to, N, x.channels);
  call.writes("dpre", dpre, N);
  call.check_memory();
  exec(x.tokens, detail::token_grain(x), [&](Index begin, Index end, int) {
    kernels::StreamKernels<N, Element>::aggregate_backward(x, pre, du, to, dpre, begin, end);
  });
}

MHC_NAMESPACE_END
