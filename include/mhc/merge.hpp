// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/executor.hpp>
#include <mhc/kernels/entry.hpp>
#include <mhc/reference.hpp>
#include <mhc/shapes.hpp>

MHC_NAMESPACE_BEGIN

// Merge: mixes the streams and adds the sublayer's output.
//
//   x' = res x + post^T v          res (n, n) [out, in],  post (1, n),  v (1, C),  x, x' (n, C)
//
// Backward:  dx = res^T dx',   dv = post dx',   dpost_o = <dx'_o, v>,   dres[o, i] = <dx'_o, x_i>.
//
// Source: arXiv:2512.24880, eq. (3).

namespace reference {

/// x' = res x + post^T v.
template <class Scalar>
Matrix<Scalar> merge(const Matrix<Scalar>& res, const Row<Scalar>& post, const Matrix<Scalar>& x,
                     const Row<Scalar>& v) {
  return res * x + post.transpose() * v;
}

}  // namespace reference

/// x_next = res x + post^T v for every token: x, x_next (tokens, N, C), v (tokens, C), post
/// (tokens, N) and res (tokens, N, N) in the compute type. x_next is assigned and may be `x`
/// itself; each element is rounded once. Throws std::invalid_argument for wrong shapes, rows of res
/// that are not contiguous, and partly overlapping memory.
template <int N, class Element, class Executor = Serial>
void merge(StreamView<const Element> x, TokenView<const Element> v,
           TokenView<const compute_t<Element>> post, StreamView<const compute_t<Element>> res,
           StreamView<Element> x_next, Executor&& exec = {}) {
  constexpr const char* here = "merge";
  detail::check_streams(here, "x", x, N);
  detail::check_shape(here, "v", v, x.tokens, x.channels);
  detail::check_shape(here, "post", post, x.tokens, N);
  detail::check_shape(here, "res", res, x.tokens, N, N);
  detail::check_shape(here, "x_next", x_next, x.tokens, N, x.channels);
  detail::check_output(here, "x_next", x_next);
  detail::check_same_or_disjoint(here, "x_next", x_next, "x", x);
  detail::check_disjoint(here, "x_next", x_next, "v", v);
  detail::check_disjoint(here, "x_next", x_next, "post", post);
  detail::check_disjoint(here, "x_next", x_next, "res", res);
  if (res.stream_stride != N) {
    detail::refuse(here, "the rows of res must be contiguous: stream stride ", res.stream_stride,
                   ", expected ", N);
  }
  exec(x.tokens, detail::token_grain(x), [&](index begin, index end, int) {
    kernels::StreamKernels<N, Element>::merge(x, v, post, res, x_next, begin, end);
  });
}

/// The gradients dx, dv, dpost and dres from dx_next; all are assigned, and dx may be dx_next
/// itself. Throws as merge does.
template <int N, class Element, class Executor = Serial>
void merge_backward(StreamView<const Element> dx_next, StreamView<const Element> x,
                    TokenView<const Element> v, TokenView<const compute_t<Element>> post,
                    StreamView<const compute_t<Element>> res, StreamView<Element> dx,
                    TokenView<Element> dv, TokenView<compute_t<Element>> dpost,
                    StreamView<compute_t<Element>> dres, Executor&& exec = {}) {
  constexpr const char* here = "merge_backward";
  detail::check_streams(here, "x", x, N);
  detail::check_shape(here, "dx_next", dx_next, x.tokens, N, x.channels);
  detail::check_shape(here, "v", v, x.tokens, x.channels);
  detail::check_shape(here, "post", post, x.tokens, N);
  detail::check_shape(here, "res", res, x.tokens, N, N);
  detail::check_shape(here, "dx", dx, x.tokens, N, x.channels);
  detail::check_shape(here, "dv", dv, x.tokens, x.channels);
  detail::check_shape(here, "dpost", dpost, x.tokens, N);
  detail::check_shape(here, "dres", dres, x.tokens, N, N);
  detail::check_output(here, "dx", dx);
  detail::check_output(here, "dv", dv);
  detail::check_output(here, "dpost", dpost);
  detail::check_output(here, "dres", dres);
  detail::check_same_or_disjoint(here, "dx", dx, "dx_next", dx_next);
  detail::check_disjoint(here, "dx", dx, "x", x);
  detail::check_disjoint(here, "dx", dx, "v", v);
  detail::check_disjoint(here, "dv", dv, "dx_next", dx_next);
  detail::check_disjoint(here, "dv", dv, "x", x);
  detail::check_disjoint(here, "dv", dv, "v", v);
  detail::check_disjoint(here, "dv", dv, "dx", dx);
  const auto check_against_coefficients = [&](const char* name, const auto& output) {
    detail::check_disjoint(here, name, output, "post", post);
    detail::check_disjoint(here, name, output, "res", res);
  };
  check_against_coefficients("dx", dx);
  check_against_coefficients("dv", dv);
  check_against_coefficients("dpost", dpost);
  check_against_coefficients("dres", dres);
  const auto check_against_streams = [&](const char* name, const auto& output) {
    detail::check_disjoint(here, name, output, "dx_next", dx_next);
    detail::check_disjoint(here, name, output, "x", x);
    detail::check_disjoint(here, name, output, "v", v);
    detail::check_disjoint(here, name, output, "dx", dx);
    detail::check_disjoint(here, name, output, "dv", dv);
  };
  check_against_streams("dpost", dpost);
  check_against_streams("dres", dres);
  detail::check_disjoint(here, "dpost", dpost, "dres", dres);
  if (res.stream_stride != N || dres.stream_stride != N) {
    detail::refuse(here, "the rows of res and dres must be contiguous: stream strides ",
                   res.stream_stride, " and ", dres.stream_stride, ", expected ", N);
  }
  exec(x.tokens, detail::token_grain(x), [&](index begin, index end, int) {
    kernels::StreamKernels<N, Element>::merge_backward(dx_next, x, v, post, res, dx, dv, dpost,
                                                       dres, begin, end);
  });
}

MHC_NAMESPACE_END
