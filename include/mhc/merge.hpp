// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/arguments.hpp>
#include <mhc/executor.hpp>
#include <mhc/kernels/entry.hpp>
#include <mhc/reference.hpp>
#include <mhc/storage.hpp>

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
/// (tokens, N) and res (tokens, N, N) in the compute type; views or owners. x_next is assigned and
/// may be `x` itself; each element is rounded once. Throws std::invalid_argument for wrong shapes,
/// rows of res that are not contiguous, and partly overlapping memory.
template <int N, class Next, class Executor = Serial>
void merge(StreamView<const element_of<Next>> x, TokenView<const element_of<Next>> v,
           TokenView<const compute_of<Next>> post, StreamView<const compute_of<Next>> res,
           Next&& x_next, Executor&& exec = {}) {
  using Element = element_of<Next>;
  const StreamView<Element> to = x_next;
  detail::Arguments call("merge");
  call.reads_streams("x", x, N);
  call.reads("v", v, x.channels);
  call.reads("post", post, N);
  call.reads("res", res, N, N);
  call.writes("x_next", to, N, x.channels).or_is("x");
  call.check_memory();
  if (res.stream_stride != N) {
    detail::refuse(call.function(), "the rows of res must be contiguous: stream stride ",
                   res.stream_stride, ", expected ", N);
  }
  exec(x.tokens, detail::token_grain(x), [&](Index begin, Index end, int) {
    kernels::StreamKernels<N, Element>::merge(x, v, post, res, to, begin, end);
  });
}

/// What merge reads.
template <class Element>
struct MergeInputs {
  StreamView<const Element> x;
  TokenView<const Element> v;
  TokenView<const compute_t<Element>> post;
  StreamView<const compute_t<Element>> res;
};

/// The gradients of what merge reads.
template <class Element>
struct MergeGradients {
  StreamView<Element> dx;  ///< may be dx_next itself
  TokenView<Element> dv;
  TokenView<compute_t<Element>> dpost;
  StreamView<compute_t<Element>> dres;
};

/// The gradients of merge's inputs from dx_next; all are assigned. Throws as merge does.
template <int N, class Element, class Executor = Serial>
void merge_backward(const MergeInputs<Element>& inputs,
                    StreamView<const element_of<StreamView<Element>>> dx_next,
                    const MergeGradients<Element>& gradients, Executor&& exec = {}) {
  const auto& [x, v, post, res] = inputs;
  const auto& [dx, dv, dpost, dres] = gradients;
  detail::Arguments call("merge_backward");
  call.reads_streams("x", x, N);
  call.reads("v", v, x.channels);
  call.reads("post", post, N);
  call.reads("res", res, N, N);
  call.reads("dx_next", dx_next, N, x.channels);
  call.writes("dx", dx, N, x.channels).or_is("dx_next");
  call.writes("dv", dv, x.channels);
  call.writes("dpost", dpost, N);
  call.writes("dres", dres, N, N);
  call.check_memory();
  if (res.stream_stride != N || dres.stream_stride != N) {
    detail::refuse(call.function(), "the rows of res and dres must be contiguous: stream strides ",
                   res.stream_stride, " and ", dres.stream_stride, ", expected ", N);
  }
  exec(x.tokens, detail::token_grain(x), [&](Index begin, Index end, int) {
    kernels::StreamKernels<N, Element>::merge_backward(dx_next, inputs.x, inputs.v, inputs.post,
                                                       inputs.res, gradients.dx, gradients.dv,
                                                       gradients.dpost, gradients.dres, begin, end);
  });
}

MHC_NAMESPACE_END
