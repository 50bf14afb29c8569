// SPDX-License-Identifier: MIT
// mhc_test_kernels: 3 streams of double.
#include "../support/kernel_instances.hpp"

MHC_KERNELS_BEGIN
MHC_TEST_INSTANCES_3_DOUBLE()
MHC_KERNELS_END
