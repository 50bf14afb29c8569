// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Ways to copy and to read floats as fast as memory allows. Pointers are aligned to 64 bytes and
// counts are multiples of 32.
namespace mhc_bench::bandwidth {

using Copy = void (*)(const float* from, float* to, std::ptrdiff_t count);
using Read = float (*)(const float* from, std::ptrdiff_t count);

inline void copy_by_memcpy(const float* from, float* to, std::ptrdiff_t count) {
  std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
}

typedef float Vector __attribute__((vector_size(16)));  // SSE2, NEON

inline float read_generic(const float* from, std::ptrdiff_t count) {
  Vector a{};
  Vector b{};
  Vector c{};
  Vector d{};
  const auto load = [&](std::ptrdiff_t i) {
    Vector value;
    std::memcpy(&value, from + i, sizeof value);
    return value;
  };
  for (std::ptrdiff_t i = 0; i < count; i += 16) {
    a += load(i);
    b += load(i + 4);
    c += load(i + 8);
    d += load(i + 12);
  }
  a += b + c + d;
  return a[0];
}

#if defined(__x86_64__)
/// Streaming stores bypass the cache, without reading what is overwritten.
template <bool Streaming>
__attribute__((target("avx"))) void copy_avx(const float* from, float* to, std::ptrdiff_t count) {
  for (std::ptrdiff_t i = 0; i < count; i += 32) {
    __m256 values[4];
    for (int j = 0; j < 4; ++j) values[j] = _mm256_load_ps(from + i + 8 * j);
    for (int j = 0; j < 4; ++j) {
      if constexpr (Streaming) {
        _mm256_stream_ps(to + i + 8 * j, values[j]);
      } else {
        _mm256_store_ps(to + i + 8 * j, values[j]);
      }
    }
  }
  if constexpr (Streaming) _mm_sfence();
}

/// Reads sequentially, or eight regions interleaved, which keeps more of the memory busy.
template <int Runs>
__attribute__((target("avx"))) float read_avx(const float* from, std::ptrdiff_t count) {
  const std::ptrdiff_t run = count / Runs / 16 * 16;
  __m256 a = _mm256_setzero_ps();
  __m256 b = a;
  for (std::ptrdiff_t i = 0; i < run; i += 16) {
    for (int j = 0; j < Runs; ++j) {
      a = _mm256_or_ps(a, _mm256_load_ps(from + j * run + i));
      b = _mm256_or_ps(b, _mm256_load_ps(from + j * run + i + 8));
    }
  }
  return _mm256_cvtss_f32(_mm256_or_ps(a, b));
}
#endif

// The best of them is the ceiling.

inline std::vector<Copy> copies() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx")) return {copy_by_memcpy, copy_avx<false>, copy_avx<true>};
#endif
  return {copy_by_memcpy};
}

inline std::vector<Read> reads() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx")) return {read_avx<1>, read_avx<8>};
#endif
  return {read_generic};
}

}  // namespace mhc_bench::bandwidth
