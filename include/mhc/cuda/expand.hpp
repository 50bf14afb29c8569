// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/arguments.hpp>
#include <mhc/cuda/uniform.hpp>

MHC_NAMESPACE_BEGIN
namespace cuda {

// Expand on a GPU: from an embedding h (1, C) to the streams x (n, C), the calls of mhc/expand.hpp
// on device memory. Any n, known at run time.
//
//   repeat     x_i = h for every i                 dh = sum_i dx_i        (every released model)
//   one-hot    x_k = h, all other streams zero     dh = dx_k
//
// Each puts one kernel on `stream` and returns, with the guarantees of cuda::Block.

/// x_i = h for every stream: h (tokens, C), x (tokens, n, C), which is assigned. Throws
/// std::invalid_argument for wrong shapes and overlapping memory, as all functions here do, and
/// std::runtime_error with CUDA's words for its errors.
template <class Element>
void expand_repeat(TokenView<const Element> h, StreamView<Element> x, cudaStream_t stream) {
  constexpr const char* here = "cuda::expand_repeat";
  mhc::detail::check_repeat(here, "h", h, "x", x);
  internal::repeat_token(here, h, compute_t<Element>(1), x, stream);
}

/// dh = sum_i dx_i, summed in the compute type and rounded once; dh is assigned.
template <class Element>
void expand_repeat_backward(StreamView<const Element> dx, TokenView<Element> dh,
                            cudaStream_t stream) {
  constexpr const char* here = "cuda::expand_repeat_backward";
  mhc::detail::check_sum(here, "dx", dx, "dh", dh);
  internal::sum_streams(here, dx, compute_t<Element>(1), dh, stream);
}

/// x_k = h for k = `stream_of_h`, and the other streams are zero; x is assigned. Also throws unless
/// 0 <= stream_of_h < n.
template <class Element>
void expand_one_hot(TokenView<const Element> h, StreamView<Element> x, Index stream_of_h,
                    cudaStream_t stream) {
  constexpr const char* here = "cuda::expand_one_hot";
  mhc::detail::check_repeat(here, "h", h, "x", x);
  mhc::detail::check_stream(here, stream_of_h, x.streams);
  internal::place_token(here, h, stream_of_h, x, stream);
}

/// dh = dx_k for k = `stream_of_h`; dh is assigned.
template <class Element>
void expand_one_hot_backward(StreamView<const Element> dx, TokenView<Element> dh, Index stream_of_h,
                             cudaStream_t stream) {
  constexpr const char* here = "cuda::expand_one_hot_backward";
  mhc::detail::check_sum(here, "dx", dx, "dh", dh);
  mhc::detail::check_stream(here, stream_of_h, dx.streams);
  const StreamView<Element> to(dh.data, dh.tokens, 1, dh.channels, dh.token_stride, dh.channels);
  internal::place_token(here, dx.stream(stream_of_h), 0, to, stream);
}

}  // namespace cuda
MHC_NAMESPACE_END
