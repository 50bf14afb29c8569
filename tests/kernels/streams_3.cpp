// SPDX-License-Identifier: MIT
// mhc_test_kernels: 3 streams of float, bf16 and f16.
#include "../support/kernel_instances.hpp"

MHC_KERNELS_BEGIN
MHC_TEST_INSTANCES_3()
MHC_KERNELS_END
