// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>
#include <unsupported/Eigen/CXX11/Tensor>

#include <mhc/view.hpp>

MHC_NAMESPACE_BEGIN

namespace detail {
template <class Tensor>
struct IsRowMajorTensor
    : std::bool_constant<static_cast<int>(Tensor::Layout) == static_cast<int>(Eigen::RowMajor)> {};
}  // namespace detail

/// A three-dimensional Eigen Tensor or TensorMap as streams, without a copy: (tokens, n, C) if it
/// is row-major, (C, n, tokens) if it is column-major (Eigen's default). The channels of a stream
/// are contiguous in both.
template <class Tensor>
auto tensor_stream_view(Tensor& tensor) {
  static_assert(Tensor::NumDimensions == 3, "mhc::tensor_stream_view: three dimensions");
  using Element = std::remove_pointer_t<decltype(tensor.data())>;
  constexpr int first = detail::IsRowMajorTensor<Tensor>::value ? 0 : 2;
  return StreamView<Element>(tensor.data(), tensor.dimension(first), tensor.dimension(1),
                             tensor.dimension(2 - first));
}

/// A two-dimensional one as tokens: (tokens, C) if it is row-major, (C, tokens) if column-major.
template <class Tensor>
auto tensor_token_view(Tensor& tensor) {
  static_assert(Tensor::NumDimensions == 2, "mhc::tensor_token_view: two dimensions");
  using Element = std::remove_pointer_t<decltype(tensor.data())>;
  constexpr int first = detail::IsRowMajorTensor<Tensor>::value ? 0 : 1;
  return TokenView<Element>(tensor.data(), tensor.dimension(first), tensor.dimension(1 - first));
}

MHC_NAMESPACE_END
