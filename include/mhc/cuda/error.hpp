// SPDX-License-Identifier: MIT
#pragma once

#include <cuda_runtime_api.h>
#include <stdexcept>

#include <mhc/check.hpp>

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#error "mhc::cuda needs compute capability 8.0 or newer: compile with -arch=sm_80 or later"
#endif

MHC_NAMESPACE_BEGIN
namespace cuda {

/// Throws std::runtime_error with the sentence "mhc::<function>: <CUDA's own words>" unless
/// `status` is success. Errors of kernels that run already are met by a later call, as everywhere
/// in CUDA.
inline void check(const char* function, cudaError_t status) {
  if (status == cudaSuccess) return;
  const std::string sentence = std::string("mhc::") + function + ": " + cudaGetErrorString(status) +
                               " (" + cudaGetErrorName(status) + ")";
  MHC_THROW(std::runtime_error(sentence));
}

}  // namespace cuda
MHC_NAMESPACE_END
