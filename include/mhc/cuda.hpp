// SPDX-License-Identifier: MIT
#pragma once

// mHC on NVIDIA GPUs, for files that nvcc compiles. Optional: mhc.hpp does not include it.

#include <mhc/cuda/block.hpp>
