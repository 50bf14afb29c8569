// SPDX-License-Identifier: MIT
#pragma once

// The kernels: f32 or f64 arithmetic on any storage type. They are written once, in the .inl files
// beside this one, with W-lane packs, and compiled here for each instruction set inside a region of
// its own, so that a user's plain -O2 reaches the machine's units; MHC_DISPATCH picks at run time.
// To add a target: a region below and a line in detect().

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <Eigen/Core>

#include <mhc/connection.hpp>
#include <mhc/element.hpp>
#include <mhc/parameters.hpp>
#include <mhc/saved.hpp>
#include <mhc/view.hpp>

#if !defined(__GNUC__)
#error "mhc: the kernels need GNU vector extensions: compile with g++ 12, clang 14 or newer"
#endif

#define MHC_INLINE inline __attribute__((always_inline))

// Before a hot loop over packs with a constant bound: g++ -O2 would keep the packs in memory.
#if defined(__clang__)
#define MHC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define MHC_UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored \
    "-Wpsabi"  // packs never cross a call: all that take them are inlined
#pragma GCC diagnostic ignored "-Wsign-conversion"  // g++ 12 sees one in every subscript of packs
#endif

MHC_NAMESPACE_BEGIN
namespace kernels {

enum class Target { generic, avx2 };

/// The numbers of one site, as every target's kernels take them.
template <int N, class Scalar, class Connection>
struct Site {
  typename Connection::Options options;
  ParametersView<N, const Scalar, Connection> parameters;
};

// Baseline of the translation unit, 16 bytes: SSE2, NEON.
namespace generic {
#define MHC_LANE_BYTES 16
#include <mhc/kernels/all.inl>
#undef MHC_LANE_BYTES
}  // namespace generic

#if defined(__x86_64__) && !defined(MHC_GENERIC_ONLY)
#define MHC_HAS_AVX2 1
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
namespace avx2 {
#define MHC_LANE_BYTES 32
#include <mhc/kernels/all.inl>
#undef MHC_LANE_BYTES
}  // namespace avx2
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

inline Target detect() noexcept {
#if defined(MHC_HAS_AVX2)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Target::avx2;
#endif
  return Target::generic;
}

/// The instruction set in use, found once.
inline Target target() noexcept {
  static const Target found = detect();
  return found;
}

// Calls a kernel of the instruction set in use: MHC_DISPATCH(finish<N>(x, v, ...)).
#if defined(MHC_HAS_AVX2)
#define MHC_DISPATCH(...)                                   \
  (::mhc::kernels::target() == ::mhc::kernels::Target::avx2 \
       ? ::mhc::kernels::avx2::__VA_ARGS__                  \
       : ::mhc::kernels::generic::__VA_ARGS__)
#else
#define MHC_DISPATCH(...) (::mhc::kernels::generic::__VA_ARGS__)
#endif

}  // namespace kernels
MHC_NAMESPACE_END

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
