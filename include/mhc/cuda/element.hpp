// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <type_traits>

#include <mhc/element.hpp>
#include <mhc/view.hpp>

MHC_NAMESPACE_BEGIN
namespace cuda {

namespace internal {
template <class Element>
struct DeviceElement {
  using type = Element;
};
template <>
struct DeviceElement<bf16> {
  using type = __nv_bfloat16;
};
template <>
struct DeviceElement<f16> {
  using type = __half;
};
}  // namespace internal

/// The type of CUDA with the bits of an element: kernels are compiled for it, whatever Eigen's own
/// types do under a CUDA compiler.
template <class Element>
using device_t = typename internal::DeviceElement<Element>::type;

namespace kernels {

__device__ inline float to_scalar(float value) {
  return value;
}
__device__ inline double to_scalar(double value) {
  return value;
}
__device__ inline float to_scalar(__nv_bfloat16 value) {
  return __bfloat162float(value);
}
__device__ inline float to_scalar(__half value) {
  return __half2float(value);
}

/// Rounds to nearest, ties to even.
__device__ inline void from_scalar(float value, float& to) {
  to = value;
}
__device__ inline void from_scalar(double value, double& to) {
  to = value;
}
__device__ inline void from_scalar(float value, __nv_bfloat16& to) {
  to = __float2bfloat16_rn(value);
}
__device__ inline void from_scalar(float value, __half& to) {
  to = __float2half_rn(value);
}

/// V neighbouring elements, moved as one.
template <class D, int V>
struct alignas(sizeof(D) * V) Vector {
  D at[V];
};

template <int V, class D>
__device__ inline Vector<D, V> load(const D* from) {
  return *reinterpret_cast<const Vector<D, V>*>(from);
}
template <int V, class D>
__device__ inline void store(const Vector<D, V>& value, D* to) {
  *reinterpret_cast<Vector<D, V>*>(to) = value;
}

/// The views, as kernels take them: no shape, no member that is for the host alone.
template <class D>
struct Rows {
  D* data;
  Index token_stride;
  __device__ D* row(Index t) const { return data + t * token_stride; }
};
template <class D>
struct StreamRows {
  D* data;
  Index token_stride;
  Index stream_stride;
  __device__ D* row(Index t, Index i) const { return data + t * token_stride + i * stream_stride; }
};

}  // namespace kernels

namespace internal {

template <class Element>
using device_pointer_t =
    std::conditional_t<std::is_const_v<Element>, const device_t<std::remove_const_t<Element>>*,
                       device_t<Element>*>;

template <class Element>
auto rows(const TokenView<Element>& view) {
  const auto data = reinterpret_cast<device_pointer_t<Element>>(view.data);
  return kernels::Rows<std::remove_pointer_t<decltype(data)>>{data, view.token_stride};
}
template <class Element>
auto rows(const StreamView<Element>& view) {
  const auto data = reinterpret_cast<device_pointer_t<Element>>(view.data);
  return kernels::StreamRows<std::remove_pointer_t<decltype(data)>>{data, view.token_stride,
                                                                    view.stream_stride};
}

/// True if all rows of a view begin at multiples of V elements, so that V can be moved as one.
template <int V, class Element>
bool in_vectors(const TokenView<Element>& view) {
  return reinterpret_cast<std::uintptr_t>(view.data) % (V * sizeof(Element)) == 0 &&
         view.token_stride % V == 0 && view.channels % V == 0;
}
template <int V, class Element>
bool in_vectors(const StreamView<Element>& view) {
  return reinterpret_cast<std::uintptr_t>(view.data) % (V * sizeof(Element)) == 0 &&
         view.token_stride % V == 0 && view.stream_stride % V == 0 && view.channels % V == 0;
}

}  // namespace internal
}  // namespace cuda
MHC_NAMESPACE_END
