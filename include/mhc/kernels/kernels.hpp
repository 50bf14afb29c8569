// SPDX-License-Identifier: MIT
#pragma once

// The definitions of the kernels, for every instruction set: f32 or f64 arithmetic on any storage
// type. The calls reach them through entry.hpp.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <mhc/connection.hpp>
#include <mhc/element.hpp>
#include <mhc/kernels/parts.hpp>
#include <mhc/kernels/site.hpp>
#include <mhc/kernels/target.hpp>
#include <mhc/saved.hpp>
#include <mhc/view.hpp>

#if MHC_HAS_CPU_KERNELS
MHC_KERNEL_WARNINGS_BEGIN
MHC_KERNELS_BEGIN

// NOLINTNEXTLINE(bugprone-macro-parentheses): the name of a file
#define MHC_KERNELS <mhc/kernels/all.inl>
#include <mhc/kernels/each_instruction_set.inl>

// Nothing is compiled a second time: the kernels of avx512, and another one of the projection of
// bf16 by bf16.
#if defined(MHC_HAS_AVX512)
MHC_TARGET_BEGIN("avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
namespace avx512_bf16 {
using avx512::prepare;
using avx512::prepare_parts;
#include <mhc/kernels/projection_dot.inl>
}  // namespace avx512_bf16
MHC_TARGET_END
#endif

MHC_KERNELS_END
MHC_KERNEL_WARNINGS_END
#endif
