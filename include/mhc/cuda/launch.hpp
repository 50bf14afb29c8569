// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cuda_runtime.h>
#include <limits>

#include <mhc/cuda/error.hpp>
#include <mhc/view.hpp>

// Putting kernels on a stream. The namespace is not called detail: kernels/lane.hpp includes
// formulas of the CPU whose detail is that of mhc.

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace internal {

/// Puts a kernel with `bytes` of shared memory on a stream; more than 48 KiB if need be.
template <class... Parameters, class... Arguments>
void launch_with_memory(const char* function, cudaStream_t stream, dim3 grid, int threads,
                        int bytes, void (*kernel)(Parameters...), const Arguments&... arguments) {
  check_earlier_calls(function);
  if (bytes > 0) {
    check(function,
          cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = static_cast<std::size_t>(bytes);
  config.stream = stream;
  check(function, cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...));
}

/// The same with no shared memory but the kernel's own.
template <class... Parameters, class... Arguments>
void launch(const char* function, cudaStream_t stream, dim3 grid, int threads,
            void (*kernel)(Parameters...), const Arguments&... arguments) {
  launch_with_memory(function, stream, grid, threads, 0, kernel, arguments...);
}

/// A number that the current device has.
inline int device_number(const char* function, cudaDeviceAttr attribute) {
  check_earlier_calls(function);
  int device = 0;
  int value = 0;
  check(function, cudaGetDevice(&device));
  check(function, cudaDeviceGetAttribute(&value, attribute, device));
  return value;
}

inline unsigned blocks(const char* function, Index count) {
  if (count > (std::numeric_limits<int>::max)()) {
    mhc::detail::refuse(function, "the call would need ", count,
                        " blocks of threads, more than a grid has: pass fewer tokens at once");
  }
  return static_cast<unsigned>(count);
}

}  // namespace internal

}  // namespace cuda
MHC_NAMESPACE_END
