// SPDX-License-Identifier: MIT
// mhc_test_kernels: sites with permutations.
#include "../support/kernel_instances.hpp"

MHC_KERNELS_BEGIN
MHC_TEST_PERMUTATION_INSTANCES()
MHC_KERNELS_END
