// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <type_traits>

#include <mhc/connection.hpp>
#include <mhc/kernels/target.hpp>
#include <mhc/view.hpp>

// The formulas of the mappings, the CPU's own files, with a token in each thread: Lane<Scalar>
// plays the part that Pack<Scalar> has there.

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace kernels {

/// One number; a pack of one lane.
template <class Scalar>
struct Lane {
  static constexpr int size = 1;
  Scalar value;

  Lane() = default;
  __device__ explicit Lane(Scalar value_) : value(value_) {}
  __device__ Scalar operator[](int /*lane*/) const { return value; }
  __device__ void set(int /*lane*/, Scalar value_) { value = value_; }
};

template <class Scalar>
__device__ inline Lane<Scalar> operator+(const Lane<Scalar>& a, const Lane<Scalar>& b) {
  return Lane<Scalar>(a.value + b.value);
}
template <class Scalar>
__device__ inline Lane<Scalar> operator-(const Lane<Scalar>& a, const Lane<Scalar>& b) {
  return Lane<Scalar>(a.value - b.value);
}
template <class Scalar>
__device__ inline Lane<Scalar> operator*(const Lane<Scalar>& a, const Lane<Scalar>& b) {
  return Lane<Scalar>(a.value * b.value);
}
__device__ inline double quotient(double a, double b) {
  return a / b;
}
/// Within 2 ulp, in 2 instructions where IEEE's division takes a branch: Sinkhorn-Knopp waits for
/// 40 of them in a row. Below 2^-126 numbers are zero.
__device__ inline float quotient(float a, float b) {
  float reciprocal;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(reciprocal) : "f"(b));
  return a * reciprocal;
}
template <class Scalar>
__device__ inline Lane<Scalar> operator/(const Lane<Scalar>& a, const Lane<Scalar>& b) {
  return Lane<Scalar>(quotient(a.value, b.value));
}
template <class Scalar>
__device__ inline Lane<Scalar> mul_add(const Lane<Scalar>& a, const Lane<Scalar>& b,
                                       const Lane<Scalar>& c) {
  return Lane<Scalar>(fma(a.value, b.value, c.value));
}
template <class Scalar>
__device__ inline Lane<Scalar> larger(const Lane<Scalar>& a, const Lane<Scalar>& b) {
  return a.value > b.value ? a : b;
}
template <class Scalar>
__device__ inline Lane<Scalar> smaller(const Lane<Scalar>& a, const Lane<Scalar>& b) {
  return a.value < b.value ? a : b;
}
template <class Scalar>
__device__ inline Lane<Scalar> exp(const Lane<Scalar>& a) {
  return Lane<Scalar>(::exp(a.value));
}
template <class Scalar>
__device__ inline Lane<Scalar> tanh(const Lane<Scalar>& a) {
  return Lane<Scalar>(::tanh(a.value));
}
template <class Scalar>
__device__ inline Lane<Scalar> sigmoid(const Lane<Scalar>& a) {
  return Lane<Scalar>(Scalar(1) / (Scalar(1) + ::exp(-a.value)));
}

template <class V>
struct LanesOf;
template <class Scalar>
struct LanesOf<Lane<Scalar>> {
  using Number = Scalar;
};
template <class V>
using NumberOf = typename LanesOf<V>::Number;

// How the CPU's files name their packs.
template <class Scalar>
using Pack = Lane<Scalar>;
template <class Scalar>
using Pair = Lane<Scalar>;

#pragma push_macro("MHC_DEVICE")
#pragma push_macro("MHC_UNROLL")
#pragma push_macro("MHC_UNROLL_4")
#undef MHC_DEVICE
#undef MHC_UNROLL
#undef MHC_UNROLL_4
#define MHC_DEVICE __device__
#define MHC_UNROLL _Pragma("unroll")
#define MHC_UNROLL_4 _Pragma("unroll (N <= 8 ? N : 4)")  // in registers up to n = 8
// clang-format off
#include <mhc/kernels/implicit.inl>
#include <mhc/kernels/sinkhorn_domains.inl>
#include <mhc/kernels/sinkhorn_knopp.inl>
#include <mhc/kernels/residuals.inl>
#include <mhc/kernels/mappings.inl>
// clang-format on
#pragma pop_macro("MHC_UNROLL_4")
#pragma pop_macro("MHC_UNROLL")
#pragma pop_macro("MHC_DEVICE")

}  // namespace kernels
}  // namespace cuda
MHC_NAMESPACE_END
