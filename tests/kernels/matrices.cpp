// SPDX-License-Identifier: MIT
// mhc_test_kernels: the projections of matrices with 1, 3 and 5 rows.
#include "../support/kernel_instances.hpp"

MHC_KERNELS_BEGIN
MHC_TEST_MATRIX_INSTANCES()
MHC_KERNELS_END
