// SPDX-License-Identifier: MIT
#pragma once

#include <cuda_runtime_api.h>
#include <stdexcept>
#include <string>

#include <mhc/check.hpp>

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#error "mhc::cuda needs compute capability 8.0 or newer: compile with -arch=sm_80 or later"
#endif

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace internal {

/// True for the errors of running kernels and of the device itself: they belong to work of before
/// the call that meets them, and every later call meets them again.
inline bool is_of_earlier_work(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorECCUncorrectable:
      return true;
    default:
      return false;
  }
}

/// "the program has no code for ...", naming the current device.
inline std::string no_code_for_device() {
  int device = 0;
  cudaDeviceProp properties = {};
  if (cudaGetDevice(&device) != cudaSuccess ||
      cudaGetDeviceProperties(&properties, device) != cudaSuccess) {
    return "the program has no code for this device";
  }
  const std::string major = std::to_string(properties.major);
  const std::string minor = std::to_string(properties.minor);
  const std::string sentence = "the program has no code for " + std::string(properties.name) +
                               ", which has compute capability " + major + "." + minor + ": ";
  if (properties.major < 8) return sentence + "mhc::cuda needs 8.0 or newer";
  return sentence + "compile it with -arch=sm_" + major + minor +
         " (in CMake CMAKE_CUDA_ARCHITECTURES=" + major + minor + ") as well";
}

/// What is reported is no longer pending: cudaGetLastError does not report it again.
[[noreturn]] MHC_COLD inline void fail(const char* function, cudaError_t status) {
  const bool no_code =
      status == cudaErrorNoKernelImageForDevice || status == cudaErrorInvalidDeviceFunction;
  const std::string sentence =
      std::string("mhc::") + function + ": " +
      (no_code ? no_code_for_device() : std::string(cudaGetErrorString(status))) +
      (is_of_earlier_work(status) ? ", in work that was put on the device before this call" : "") +
      " (" + cudaGetErrorName(status) + ")";
  if (cudaPeekAtLastError() == status) cudaGetLastError();
  MHC_THROW(std::runtime_error(sentence));
  std::abort();  // reached only if a user's MHC_THROW returns
}

/// Throws if an earlier CUDA call of this thread failed and nobody has asked for its error: a
/// launch would clear it. It stays pending.
inline void check_earlier_calls(const char* function) {
  const cudaError_t status = cudaPeekAtLastError();
  if (status == cudaSuccess) return;
  if (is_of_earlier_work(status)) fail(function, status);
  const std::string sentence = std::string("mhc::") + function +
                               ": an earlier CUDA call has failed, and nobody has asked for " +
                               "its error with cudaGetLastError: " + cudaGetErrorString(status) +
                               " (" + cudaGetErrorName(status) + ")";
  MHC_THROW(std::runtime_error(sentence));
}

}  // namespace internal

/// Throws std::runtime_error with the sentence "mhc::<function>: <CUDA's own words>" unless
/// `status` is success. A device that the program has no code for is named. Errors of kernels that
/// run already are met by a later call, as everywhere in CUDA: the sentence says that they are of
/// earlier work.
inline void check(const char* function, cudaError_t status) {
  if (status != cudaSuccess) internal::fail(function, status);
}

}  // namespace cuda
MHC_NAMESPACE_END
