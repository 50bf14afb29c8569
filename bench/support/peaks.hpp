// SPDX-License-Identifier: MIT
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Before a loop over chains, so that each stays in a register.
#if defined(__clang__)
#define MHC_CHAINS _Pragma("clang loop unroll(full)")
#else
#define MHC_CHAINS _Pragma("GCC unroll 16")
#endif

// Multiply-adds in registers and nothing else, which no kernel can exceed. Each function runs
// `rounds` rounds of 12 independent chains, enough for two units with a latency of 4 to 5 cycles,
// and returns a number that depends on all of them. The machine's best is picked at run time.
namespace mhc_bench::peaks {

constexpr int chains = 12;

typedef float Vector __attribute__((vector_size(16)));  // SSE2, NEON

inline float fma_generic(long rounds) {
  Vector sums[chains];
  MHC_CHAINS
  for (int i = 0; i < chains; ++i) sums[i] = static_cast<float>(i) - Vector{};
  const Vector factor = 0.999F - Vector{};
  const Vector term = 0.001F - Vector{};
  for (long round = 0; round < rounds; ++round) {
    MHC_CHAINS
    for (int i = 0; i < chains; ++i) sums[i] = sums[i] * factor + term;
  }
  MHC_CHAINS
  for (int i = 1; i < chains; ++i) sums[0] += sums[i];
  return sums[0][0];
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) inline float fma_avx2(long rounds) {
  __m256 sums[chains];
  MHC_CHAINS
  for (int i = 0; i < chains; ++i) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 factor = _mm256_set1_ps(0.999F);
  const __m256 term = _mm256_set1_ps(0.001F);
  for (long round = 0; round < rounds; ++round) {
    MHC_CHAINS
    for (int i = 0; i < chains; ++i) sums[i] = _mm256_fmadd_ps(sums[i], factor, term);
  }
  MHC_CHAINS
  for (int i = 1; i < chains; ++i) sums[0] = _mm256_add_ps(sums[0], sums[i]);
  return _mm256_cvtss_f32(sums[0]);
}

__attribute__((target("avx512f"))) inline float fma_avx512(long rounds) {
  __m512 sums[chains];
  MHC_CHAINS
  for (int i = 0; i < chains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 factor = _mm512_set1_ps(0.999F);
  const __m512 term = _mm512_set1_ps(0.001F);
  for (long round = 0; round < rounds; ++round) {
    MHC_CHAINS
    for (int i = 0; i < chains; ++i) sums[i] = _mm512_fmadd_ps(sums[i], factor, term);
  }
  MHC_CHAINS
  for (int i = 1; i < chains; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return _mm512_cvtss_f32(sums[0]);
}

/// 32 products of bf16 added to 16 floats at a time.
__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))) inline float bf16_dot_avx512(
    long rounds) {
  __m512 sums[chains];
  MHC_CHAINS
  for (int i = 0; i < chains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 small = _mm512_set1_ps(0.001F);
  const __m512bh factor = _mm512_cvtne2ps_pbh(small, small);
  for (long round = 0; round < rounds; ++round) {
    MHC_CHAINS
    for (int i = 0; i < chains; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], factor, factor);
  }
  MHC_CHAINS
  for (int i = 1; i < chains; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return _mm512_cvtss_f32(sums[0]);
}
#endif

/// A function that runs rounds, and the flops of one round; null if the machine lacks it.
struct Peak {
  float (*run)(long rounds) = nullptr;
  double flops = 0;
};

inline Peak fma() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {fma_avx512, 2.0 * 16 * chains};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {fma_avx2, 2.0 * 8 * chains};
  }
#endif
  return {fma_generic, 2.0 * 4 * chains};
}

inline Peak bf16_dot() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bf16")) return {bf16_dot_avx512, 2.0 * 32 * chains};
#endif
  return {};
}

}  // namespace mhc_bench::peaks
