// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

#include <mhc/check.hpp>

MHC_NAMESPACE_BEGIN

/// What the kernels are compiled for, side by side in every program; the best that the processor
/// has is used. Define MHC_NO_AVX512 or MHC_GENERIC_ONLY, in every unit of a program, to leave sets
/// out.
///
///   generic      16-byte lanes, what the translation unit's flags allow: SSE2, NEON
///   avx2         32-byte lanes: AVX2, FMA, F16C
///   avx512       64-byte lanes: AVX-512 F, BW, DQ, VL
///   avx512_bf16  the same, and AVX-512 BF16 where bf16 streams meet a phi that is rounded to bf16
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

/// Whether kernels for it are compiled in and this processor can run them.
inline bool is_available(InstructionSet set) noexcept {
  switch (set) {
    case InstructionSet::generic:
      return true;
    case InstructionSet::avx2:
#if defined(MHC_HAS_AVX2)
      // clang 14 cannot ask for F16C; every processor with AVX2 has it.
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
      return false;
#endif
    case InstructionSet::avx512:
#if defined(MHC_HAS_AVX512)
      return is_available(InstructionSet::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
#else
      return false;
#endif
    case InstructionSet::avx512_bf16:
#if defined(MHC_HAS_AVX512)
      return is_available(InstructionSet::avx512) && __builtin_cpu_supports("avx512bf16");
#else
      return false;
#endif
  }
  return false;
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

/// Uses this one from now on, in all threads: for tests, and for results that are the same, bit by
/// bit, on every machine that has it. Throws std::invalid_argument if it is not available.
inline void use_instruction_set(InstructionSet set) {
  if (!is_available(set)) {
    detail::refuse(
        "use_instruction_set", name(set),
        " is not available: this processor lacks it, or it was left out at compile time");
  }
  detail::chosen_instruction_set().store(set, std::memory_order_relaxed);
}

MHC_NAMESPACE_END
