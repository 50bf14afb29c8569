// SPDX-License-Identifier: MIT
// mhc_test_kernels: 16 streams.
#include "../support/kernel_instances.hpp"

MHC_KERNELS_BEGIN
MHC_TEST_INSTANCES_16()
MHC_KERNELS_END
