// SPDX-License-Identifier: MIT
#include <mhc/cuda/compiled/definitions.hpp>

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace compiled {
template struct internal::Uniform<float>;
template struct internal::Uniform<bf16>;
template struct internal::Uniform<f16>;
}  // namespace compiled
}  // namespace cuda
MHC_NAMESPACE_END
