// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>
#include <utility>
#include <Eigen/Core>

#include <mhc/check.hpp>
#include <mhc/element.hpp>

MHC_NAMESPACE_BEGIN

namespace detail {
// The Eigen matrix type with the constness of Element, as Eigen::Map requires it.
template <class Element, int Rows>
using RowMajor = std::conditional_t<
    std::is_const_v<Element>,
    const Eigen::Matrix<std::remove_const_t<Element>, Rows, Eigen::Dynamic, Eigen::RowMajor>,
    Eigen::Matrix<std::remove_const_t<Element>, Rows, Eigen::Dynamic, Eigen::RowMajor>>;

template <class Element>
using MatrixMap =
    Eigen::Map<RowMajor<Element, Eigen::Dynamic>, Eigen::Unaligned, Eigen::OuterStride<>>;

template <class Element>
using RowMap = Eigen::Map<RowMajor<Element, 1>>;

template <class From, class To>
using enable_if_adds_const = std::enable_if_t<std::is_same_v<const From, To>, int>;
}  // namespace detail

/// A view of rows (tokens, C) with contiguous channels: a sublayer's input u and output v.
///
///   element (t, c) = data[t * token_stride + c]
///
/// Strides count elements; for input they may be zero or negative. A default-constructed view is
/// absent (`!view`), which is how a missing cotangent is passed.
template <class Element>
struct TokenView {
  Element* data = nullptr;
  Index tokens = 0;
  Index channels = 0;
  Index token_stride = 0;

  TokenView() = default;
  TokenView(Element* data_, Index tokens_, Index channels_)
      : TokenView(data_, tokens_, channels_, channels_) {}
  TokenView(Element* data_, Index tokens_, Index channels_, Index token_stride_)
      : data(data_), tokens(tokens_), channels(channels_), token_stride(token_stride_) {}
  template <class Other, detail::enable_if_adds_const<Other, Element> = 0>
  TokenView(const TokenView<Other>& other)
      : TokenView(other.data, other.tokens, other.channels, other.token_stride) {}

  explicit operator bool() const { return data != nullptr; }

  Element* row(Index t) const { return data + t * token_stride; }

  /// Row t as an Eigen::Map, (1, C).
  auto token(Index t) const { return detail::RowMap<Element>(row(t), channels); }

  /// All rows as one row-major Eigen::Map, (tokens, C). The stride must not be negative.
  auto matrix() const {
    return detail::MatrixMap<Element>(data, tokens, channels, Eigen::OuterStride<>(token_stride));
  }

  /// Tokens [begin, end).
  TokenView slice(Index begin, Index end) const {
    return {data == nullptr ? nullptr : row(begin), end - begin, channels, token_stride};
  }
};

/// A view of residual streams (tokens, n, C) with contiguous channels, at any alignment.
///
///   element (t, i, c) = data[t * token_stride + i * stream_stride + c]
///
/// The two free strides cover [T][n][C] and [n][T][C] arrays, padded rows and the tensors of ggml
/// and torch without a copy. Strides count elements; for input they may be zero or negative. A
/// default-constructed view is absent (`!view`).
template <class Element>
struct StreamView {
  Element* data = nullptr;
  Index tokens = 0;
  Index streams = 0;
  Index channels = 0;
  Index token_stride = 0;
  Index stream_stride = 0;

  StreamView() = default;
  StreamView(Element* data_, Index tokens_, Index streams_, Index channels_)
      : StreamView(data_, tokens_, streams_, channels_, streams_ * channels_, channels_) {}
  StreamView(Element* data_, Index tokens_, Index streams_, Index channels_, Index token_stride_,
             Index stream_stride_)
      : data(data_),
        tokens(tokens_),
        streams(streams_),
        channels(channels_),
        token_stride(token_stride_),
        stream_stride(stream_stride_) {}
  template <class Other, detail::enable_if_adds_const<Other, Element> = 0>
  StreamView(const StreamView<Other>& other)
      : StreamView(other.data, other.tokens, other.streams, other.channels, other.token_stride,
                   other.stream_stride) {}

  explicit operator bool() const { return data != nullptr; }

  Element* row(Index t, Index i) const { return data + t * token_stride + i * stream_stride; }

  /// The streams of token t as an Eigen::Map, (n, C). Eigen 3.4 requires stream_stride >= 0.
  auto token(Index t) const {
    return detail::MatrixMap<Element>(row(t, 0), streams, channels,
                                      Eigen::OuterStride<>(stream_stride));
  }

  /// Stream i of every token, (tokens, C).
  TokenView<Element> stream(Index i) const {
    return {data == nullptr ? nullptr : row(0, i), tokens, channels, token_stride};
  }

  /// Tokens [begin, end).
  StreamView slice(Index begin, Index end) const {
    return {data == nullptr ? nullptr : row(begin, 0),
            end - begin,
            streams,
            channels,
            token_stride,
            stream_stride};
  }
};

/// An Eigen matrix, Map or Ref as a TokenView, without a copy: (tokens, C) if it is row-major, (C,
/// tokens) if it is column-major. The channels of a token are contiguous in both.
template <class Matrix>
auto token_view(Matrix&& matrix) {
  using Derived = std::remove_reference_t<Matrix>;
  static_assert(Derived::InnerStrideAtCompileTime == 1,
                "mhc::token_view: the channels of a token must be contiguous");
  static_assert(std::is_lvalue_reference_v<Matrix> ||
                    !std::is_base_of_v<Eigen::PlainObjectBase<std::remove_const_t<Derived>>,
                                       std::remove_const_t<Derived>>,
                "mhc::token_view: a view of a temporary matrix would dangle");
  using Element = std::remove_pointer_t<decltype(matrix.data())>;
  constexpr bool row_major = Derived::IsRowMajor;
  return TokenView<Element>(matrix.data(), row_major ? matrix.rows() : matrix.cols(),
                            row_major ? matrix.cols() : matrix.rows(), matrix.outerStride());
}

/// An Eigen matrix as a StreamView, without a copy: (tokens, n C) if it is row-major, (n C, tokens)
/// if it is column-major. Throws std::invalid_argument if `streams` does not divide n C.
template <class Matrix>
auto stream_view(Matrix&& matrix, Index streams) {
  const auto rows = token_view(std::forward<Matrix>(matrix));
  if (streams < 1 || rows.channels % streams != 0) {
    detail::refuse("stream_view", "a token of ", rows.channels, " elements does not divide into ",
                   streams, " streams");
  }
  using Element = std::remove_pointer_t<decltype(rows.data)>;
  return StreamView<Element>(rows.data, rows.tokens, streams, rows.channels / streams,
                             rows.token_stride, rows.channels / streams);
}

MHC_NAMESPACE_END
