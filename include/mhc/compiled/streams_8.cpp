// SPDX-License-Identifier: MIT
// mhc::compiled: 8 streams of float, bf16 and f16, whose arithmetic is float.
#include <mhc/kernels/entry.hpp>

MHC_KERNELS_BEGIN
MHC_STREAM_INSTANCES(, 8, float)
MHC_STREAM_INSTANCES(, 8, bf16)
MHC_STREAM_INSTANCES(, 8, f16)
MHC_ROUNDED_INSTANCES(, 8, float)
MHC_ROUNDED_INSTANCES(, 8, bf16)
MHC_ROUNDED_INSTANCES(, 8, f16)
MHC_MATRIX_INSTANCES(, 8, float)
MHC_KERNELS_END
