// SPDX-License-Identifier: MIT
// mhc_test_kernels: 5 streams.
#include "../support/kernel_instances.hpp"

MHC_KERNELS_BEGIN
MHC_TEST_INSTANCES_5()
MHC_KERNELS_END
