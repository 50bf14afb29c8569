// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

#include <mhc/check.hpp>

MHC_NAMESPACE_BEGIN

/// The instruction sets that the kernels are compiled for. Every program contains all of them and
/// uses the best one that the processor supports. Define MHC_NO_AVX512 or MHC_GENERIC_ONLY in every
/// translation unit of a program to exclude sets.
///
///   generic      16-byte vectors, with the translation unit's flags: SSE2, NEON. With
///                MHC_GENERIC_ONLY the widest vectors of the flags, -march=native for example
///   avx2         32-byte vectors: AVX2, FMA, F16C
///   avx512       64-byte vectors: AVX-512 F, BW, DQ, VL
///   avx512_bf16  the same, with AVX-512 BF16 for products of bf16 streams and a bf16 phi
enum class InstructionSet { generic, avx2, avx512, avx512_bf16 };

#if defined(__x86_64__) && !defined(MHC_GENERIC_ONLY)
#define MHC_HAS_AVX2 1
#if !defined(MHC_NO_AVX512)
#define MHC_HAS_AVX512 1
#endif
#endif

/// "generic", "avx2", "avx512" or "avx512_bf16".
inline const char* name(InstructionSet set) {
  switch (set) {
    case InstructionSet::generic:
      return "generic";
    case InstructionSet::avx2:
      return "avx2";
    case InstructionSet::avx512:
      return "avx512";
    case InstructionSet::avx512_bf16:
      return "avx512_bf16";
  }
  return "generic";
}

/// True if the kernels for this set are compiled in and this processor can run them.
inline bool is_available(InstructionSet set) noexcept {
  switch (set) {
    case InstructionSet::generic:
      return true;
#if defined(MHC_HAS_AVX2)
    case InstructionSet::avx2:
      // clang 14 cannot query F16C; every processor with AVX2 has it.
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
#if defined(MHC_HAS_AVX512)
    case InstructionSet::avx512:
      return is_available(InstructionSet::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
    case InstructionSet::avx512_bf16:
      return is_available(InstructionSet::avx512) && __builtin_cpu_supports("avx512bf16");
#endif
    default:  // compiled without it
      return false;
  }
}

namespace detail {
inline InstructionSet best_instruction_set() noexcept {
  if (is_available(InstructionSet::avx512_bf16)) return InstructionSet::avx512_bf16;
  if (is_available(InstructionSet::avx512)) return InstructionSet::avx512;
  if (is_available(InstructionSet::avx2)) return InstructionSet::avx2;
  return InstructionSet::generic;
}

inline std::atomic<InstructionSet>& chosen_instruction_set() noexcept {
  static std::atomic<InstructionSet> chosen{best_instruction_set()};
  return chosen;
}
}  // namespace detail

/// The instruction set in use.
inline InstructionSet instruction_set() noexcept {
  return detail::chosen_instruction_set().load(std::memory_order_relaxed);
}

/// Selects an instruction set for all threads from now on: for tests, and for results that are
/// bit-identical on all machines that have it. Throws std::invalid_argument if it is not available.
inline void use_instruction_set(InstructionSet set) {
  if (!is_available(set)) {
    detail::refuse(
        "use_instruction_set", name(set),
        " is not available: this processor lacks it, or it was excluded at compile time");
  }
  detail::chosen_instruction_set().store(set, std::memory_order_relaxed);
}

MHC_NAMESPACE_END
