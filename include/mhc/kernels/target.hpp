// SPDX-License-Identifier: MIT
#pragma once

// How a kernel is compiled: inlining, unrolling, the instruction sets, and the names that keep
// units with different flags apart.

#include <mhc/instruction_set.hpp>

#if !defined(__GNUC__)
#error "mhc: the kernels need GNU vector extensions: compile with g++ 12, clang 14 or newer"
#endif

// nvcc does not take vector extensions: in its files the kernels are declared, those of
// mhc::compiled can be called, and calls that need others do not compile.
#if defined(__NVCC__) && defined(__CUDACC__)
#define MHC_HAS_CPU_KERNELS 0
#else
#define MHC_HAS_CPU_KERNELS 1
#endif

#define MHC_INLINE inline __attribute__((always_inline))

// Before a hot loop over packs with a constant bound: g++ -O2 would keep the packs in memory.
// The second one is for a loop around such a loop, whose bound may be large.
#if defined(__clang__)
#define MHC_UNROLL _Pragma("clang loop unroll(full)")
#define MHC_UNROLL_4 _Pragma("clang loop unroll_count(4)")
#else
#define MHC_UNROLL _Pragma("GCC unroll 16")
#define MHC_UNROLL_4 _Pragma("GCC unroll 4")
#endif

// What functions that GPUs share are marked with: cuda/kernels/lane.hpp includes their files again,
// with __device__ in its place.
#define MHC_DEVICE

// Around functions for more than the unit's instructions.
#define MHC_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define MHC_TARGET_BEGIN(set) \
  MHC_PRAGMA(clang attribute push(__attribute__((target(set))), apply_to = function))
#define MHC_TARGET_END MHC_PRAGMA(clang attribute pop)
#else
#define MHC_TARGET_BEGIN(set) MHC_PRAGMA(GCC push_options) MHC_PRAGMA(GCC target(set))
#define MHC_TARGET_END MHC_PRAGMA(GCC pop_options)
#endif

// Packs never cross a call, since all that take them are inlined (-Wpsabi); g++ 12 sees a change of
// sign in every subscript of packs.
#if defined(__GNUC__) && !defined(__clang__)
#define MHC_KERNEL_WARNINGS_BEGIN              \
  MHC_PRAGMA(GCC diagnostic push)              \
  MHC_PRAGMA(GCC diagnostic ignored "-Wpsabi") \
  MHC_PRAGMA(GCC diagnostic ignored "-Wsign-conversion")
#define MHC_KERNEL_WARNINGS_END MHC_PRAGMA(GCC diagnostic pop)
#else
#define MHC_KERNEL_WARNINGS_BEGIN
#define MHC_KERNEL_WARNINGS_END
#endif

// Units of one program may be compiled with different flags, and the linker keeps one copy of an
// inline function: each kind of flags has its kernels under a name of its own.
#if defined(__FAST_MATH__)
#define MHC_MATH fast_math
#else
#define MHC_MATH exact_math
#endif
#if defined(__AVX512F__)
#define MHC_FLAGS flags_avx512
#elif defined(__AVX2__)
#define MHC_FLAGS flags_avx2
#elif defined(__AVX__)
#define MHC_FLAGS flags_avx
#else
#define MHC_FLAGS flags_baseline
#endif
#define MHC_KERNELS_BEGIN     \
  MHC_NAMESPACE_BEGIN         \
  namespace kernels {         \
  inline namespace MHC_MATH { \
  inline namespace MHC_FLAGS {
#define MHC_KERNELS_END \
  }                     \
  }                     \
  }                     \
  MHC_NAMESPACE_END

// Calls a kernel of the instruction set in use: MHC_DISPATCH(finish<N>(x, v, ...)).
#if MHC_HAS_CPU_KERNELS
#if defined(MHC_HAS_AVX512)
#define MHC_DISPATCH_AVX512(...)                                 \
  ::mhc::instruction_set() == ::mhc::InstructionSet::avx512_bf16 \
      ? ::mhc::kernels::avx512_bf16::__VA_ARGS__                 \
  : ::mhc::instruction_set() == ::mhc::InstructionSet::avx512    \
      ? ::mhc::kernels::avx512::__VA_ARGS__                      \
      :
#else
#define MHC_DISPATCH_AVX512(...)
#endif
#if defined(MHC_HAS_AVX2)
#define MHC_DISPATCH_AVX2(...) \
  ::mhc::instruction_set() == ::mhc::InstructionSet::avx2 ? ::mhc::kernels::avx2::__VA_ARGS__:
#else
#define MHC_DISPATCH_AVX2(...)
#endif
#define MHC_DISPATCH(...)           \
  (MHC_DISPATCH_AVX512(__VA_ARGS__) \
       MHC_DISPATCH_AVX2(__VA_ARGS__)::mhc::kernels::generic::__VA_ARGS__)
#else
#define MHC_DISPATCH(...)                                                                       \
  static_assert(sizeof(Scalar) == 0,                                                            \
                "mhc: nvcc cannot compile the kernels of the CPU: make this call in a file of " \
                "the host's compiler, link mhc::compiled, which has the usual ones, or call "   \
                "mhc::cuda")
#endif
