// SPDX-License-Identifier: MIT
// mhc::compiled: expand and collapse, of any number of streams.
#include <mhc/kernels/entry.hpp>

MHC_KERNELS_BEGIN
MHC_UNIFORM_INSTANCES(, float)
MHC_UNIFORM_INSTANCES(, double)
MHC_UNIFORM_INSTANCES(, bf16)
MHC_UNIFORM_INSTANCES(, f16)
MHC_KERNELS_END
