// SPDX-License-Identifier: MIT
#include <mhc/cuda/compiled/definitions.hpp>

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace compiled {
MHC_CUDA_INSTANCES(8)
}  // namespace compiled
}  // namespace cuda
MHC_NAMESPACE_END
