// SPDX-License-Identifier: MIT
// mhc::compiled: 8 streams of double.
#include <mhc/kernels/entry.hpp>

MHC_KERNELS_BEGIN
MHC_STREAM_INSTANCES(, 8, double)
MHC_MATRIX_INSTANCES(, 8, double)
MHC_KERNELS_END
