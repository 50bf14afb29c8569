// SPDX-License-Identifier: MIT
// mhc_test_kernels: sites with Kronecker products.
#include "../support/kernel_instances.hpp"

MHC_KERNELS_BEGIN
MHC_TEST_KRONECKER_INSTANCES()
MHC_KERNELS_END
