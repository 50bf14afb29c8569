// SPDX-License-Identifier: MIT
#pragma once

// mHC on NVIDIA GPUs, for files that nvcc compiles. Optional: mhc.hpp does not include it.

#include <mhc/cuda/aggregate.hpp>
#include <mhc/cuda/block.hpp>
#include <mhc/cuda/collapse.hpp>
#include <mhc/cuda/expand.hpp>
#include <mhc/cuda/head.hpp>
#include <mhc/cuda/sinkhorn_knopp.hpp>
