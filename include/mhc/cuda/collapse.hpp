// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/arguments.hpp>
#include <mhc/cuda/uniform.hpp>

MHC_NAMESPACE_BEGIN
namespace cuda {

// Collapse on a GPU: from the streams x (n, C) to the hidden state h (1, C), the calls of
// mhc/collapse.hpp on device memory. Any n, known at run time.
//
//   mean   h = 1/n sum_i x_i     dx_i = dh / n     (GLM-5.3-Flash, Megatron-LM)
//   sum    h = sum_i x_i         dx_i = dh         (hyper-connections)
//
// Each puts one kernel on `stream` and returns, with the guarantees of cuda::Block. The learned
// collapse of DeepSeek-V4, which has parameters, is cuda::Head.

/// h = 1/n sum_i x_i, summed in the compute type and rounded once: x (tokens, n, C), h (tokens, C),
/// which is assigned. Throws std::invalid_argument for wrong shapes and overlapping memory, as all
/// functions here do, and std::runtime_error with CUDA's words for its errors.
template <class Element>
void collapse_mean(StreamView<const Element> x, TokenView<Element> h, cudaStream_t stream) {
  using Scalar = compute_t<Element>;
  constexpr const char* here = "cuda::collapse_mean";
  mhc::detail::check_sum(here, "x", x, "h", h);
  internal::sum_streams(here, x, Scalar(1) / static_cast<Scalar>(x.streams), h, stream);
}

/// dx_i = dh / n; dx is assigned.
template <class Element>
void collapse_mean_backward(TokenView<const Element> dh, StreamView<Element> dx,
                            cudaStream_t stream) {
  using Scalar = compute_t<Element>;
  constexpr const char* here = "cuda::collapse_mean_backward";
  mhc::detail::check_repeat(here, "dh", dh, "dx", dx);
  internal::repeat_token(here, dh, Scalar(1) / static_cast<Scalar>(dx.streams), dx, stream);
}

/// h = sum_i x_i, summed in the compute type and rounded once; h is assigned.
template <class Element>
void collapse_sum(StreamView<const Element> x, TokenView<Element> h, cudaStream_t stream) {
  constexpr const char* here = "cuda::collapse_sum";
  mhc::detail::check_sum(here, "x", x, "h", h);
  internal::sum_streams(here, x, compute_t<Element>(1), h, stream);
}

/// dx_i = dh; dx is assigned.
template <class Element>
void collapse_sum_backward(TokenView<const Element> dh, StreamView<Element> dx,
                           cudaStream_t stream) {
  constexpr const char* here = "cuda::collapse_sum_backward";
  mhc::detail::check_repeat(here, "dh", dh, "dx", dx);
  internal::repeat_token(here, dh, compute_t<Element>(1), dx, stream);
}

}  // namespace cuda
MHC_NAMESPACE_END
