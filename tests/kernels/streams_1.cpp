// SPDX-License-Identifier: MIT
// mhc_test_kernels: 1 stream.
#include "../support/kernel_instances.hpp"

MHC_KERNELS_BEGIN
MHC_TEST_INSTANCES_1()
MHC_KERNELS_END
