// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/cuda/block.hpp>

MHC_NAMESPACE_BEGIN
namespace cuda {

/// mhc::aggregate on a GPU: u = pre x for every token, x (tokens, N, C), pre (tokens, N) in the
/// compute type, u (tokens, C), which is assigned, all of device memory. With the pre of the last
/// site it is the final collapse of single-pass mHC (DeepSeek-V4.1). Puts one kernel on `stream`
/// and returns, with the guarantees of cuda::Block, and the bits of its u. Throws
/// std::invalid_argument for wrong shapes and overlapping memory, and std::runtime_error with
/// CUDA's words for its errors.
template <int N, class Element>
void aggregate(StreamView<const Element> x, TokenView<const compute_t<Element>> pre,
               TokenView<Element> u, cudaStream_t stream) {
  constexpr const char* here = "cuda::aggregate";
  mhc::detail::check_streams(here, "x", x, N);
  mhc::detail::check_shape(here, "pre", pre, x.tokens, N);
  mhc::detail::check_shape(here, "u", u, x.tokens, x.channels);
  mhc::detail::check_output(here, "u", u);
  mhc::detail::check_disjoint(here, "u", u, "x", x);
  mhc::detail::check_disjoint(here, "u", u, "pre", pre);
  if (x.tokens == 0) return;
  const Block<N, Element, OrdinaryResidual> without_parameters(here, {nullptr, x.channels}, {});
  without_parameters.aggregate(here, x, pre, u, stream);
}

}  // namespace cuda
MHC_NAMESPACE_END
