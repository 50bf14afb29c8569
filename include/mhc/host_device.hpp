// SPDX-License-Identifier: MIT
#pragma once

// Before a function that host code and GPU kernels may call alike; nothing where no CUDA compiler
// looks.
#if defined(__CUDACC__)
#define MHC_HOST_DEVICE __host__ __device__
#else
#define MHC_HOST_DEVICE
#endif
