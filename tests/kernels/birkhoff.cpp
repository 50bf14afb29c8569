// SPDX-License-Identifier: MIT
// mhc_test_kernels: sites with the exact projection.
#include "../support/kernel_instances.hpp"

MHC_KERNELS_BEGIN
MHC_TEST_BIRKHOFF_INSTANCES()
MHC_KERNELS_END
