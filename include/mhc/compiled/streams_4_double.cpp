// SPDX-License-Identifier: MIT
// mhc::compiled: 4 streams of double.
#include <mhc/kernels/entry.hpp>

MHC_KERNELS_BEGIN
MHC_STREAM_INSTANCES(, 4, double)
MHC_MATRIX_INSTANCES(, 4, double)
MHC_KERNELS_END
