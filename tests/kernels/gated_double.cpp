// SPDX-License-Identifier: MIT
// mhc_test_kernels: the gated residual with double.
#include "../support/kernel_instances.hpp"

MHC_KERNELS_BEGIN
MHC_TEST_GATED_INSTANCES_DOUBLE()
MHC_KERNELS_END
