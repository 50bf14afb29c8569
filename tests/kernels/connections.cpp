// SPDX-License-Identifier: MIT
// mhc_test_kernels: the other connections.
#include "../support/kernel_instances.hpp"

MHC_KERNELS_BEGIN
MHC_TEST_CONNECTION_INSTANCES()
MHC_KERNELS_END
