// SPDX-License-Identifier: MIT
// mhc_test_kernels: the gated residual with float, bf16 and f16.
#include "../support/kernel_instances.hpp"

MHC_KERNELS_BEGIN
MHC_TEST_GATED_INSTANCES()
MHC_KERNELS_END
