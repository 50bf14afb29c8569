// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <limits>
#include <sstream>
#include <string>

#include <mhc/check.hpp>
#include <mhc/view.hpp>

MHC_NAMESPACE_BEGIN

/// The shape of another library's tensor: sizes and strides in elements, slowest dimension first.
/// Without strides the tensor is contiguous.
struct TensorShape {
  int rank = 0;
  const std::int64_t* sizes = nullptr;    ///< (rank)
  const std::int64_t* strides = nullptr;  ///< (rank), or null
};

namespace detail {

inline std::string list_of(const std::int64_t* values, int count) {
  std::ostringstream text;
  text << '(';
  for (int i = 0; i < count; ++i) text << (i > 0 ? ", " : "") << values[i];
  text << ')';
  return text.str();
}

/// One dimension of a tensor, or several folded into one.
struct Dimension {
  Index size = 1;
  Index stride = 0;
};

/// Dimension d. Without strides, its stride is the product of the sizes after it.
inline Dimension dimension(const TensorShape& shape, int d) {
  if (shape.strides != nullptr) {
    return {static_cast<Index>(shape.sizes[d]), static_cast<Index>(shape.strides[d])};
  }
  Index stride = 1;
  for (int i = d + 1; i < shape.rank; ++i) stride *= static_cast<Index>(shape.sizes[i]);
  return {static_cast<Index>(shape.sizes[d]), stride};
}

/// |stride|, valid for the minimum as well.
inline std::uint64_t stride_length(std::int64_t stride) {
  const auto bits = static_cast<std::uint64_t>(stride);
  return stride < 0 ? 0 - bits : bits;
}

/// Throws for negative sizes, and if the number of elements or the distance between the first and
/// the last element exceeds 1/16 of the largest index, so that byte offsets cannot overflow.
inline void check_sizes(const char* function, const char* argument, const TensorShape& shape,
                        int least_rank, const char* expected) {
  if (shape.rank < least_rank) {
    refuse(function, argument, " has ", shape.rank, " dimensions, expected ", expected);
  }
  constexpr std::int64_t most = (std::numeric_limits<Index>::max)() / 16;
  std::int64_t elements = 1;
  for (int d = 0; d < shape.rank; ++d) {
    const std::int64_t size = shape.sizes[d];
    if (size < 0 || (size > 0 && elements > most / size)) {
      refuse(function, argument, " has impossible sizes ", list_of(shape.sizes, shape.rank));
    }
    if (size > 0) elements *= size;
  }
  if (shape.strides == nullptr) return;
  auto left = static_cast<std::uint64_t>(most);
  for (int d = 0; d < shape.rank; ++d) {
    if (shape.sizes[d] <= 1) continue;
    const auto steps = static_cast<std::uint64_t>(shape.sizes[d] - 1);
    const std::uint64_t stride = stride_length(shape.strides[d]);
    if (stride > left / steps) {
      refuse(function, argument, " of sizes ", list_of(shape.sizes, shape.rank),
             " has impossible strides ", list_of(shape.strides, shape.rank));
    }
    left -= steps * stride;
  }
}

/// Folds the first `count` dimensions, (B, T, ...), into one token dimension, `all`. Returns false
/// if their strides do not allow it; dimensions of size 1 may have any stride.
inline bool try_fold(const TensorShape& shape, int count, Dimension& all) {
  bool is_first = true;
  for (int d = count - 1; d >= 0; --d) {
    const Dimension here = dimension(shape, d);
    if (here.size == 0) {
      all = {0, 0};
      return true;
    }
    if (here.size == 1) continue;
    if (is_first) {
      all = here;
      is_first = false;
    } else if (here.stride == all.size * all.stride) {
      all.size *= here.size;
    } else {
      return false;
    }
  }
  return true;
}

inline Dimension fold(const char* function, const char* argument, const TensorShape& shape,
                      int count) {
  Dimension all;
  if (!try_fold(shape, count, all)) {
    refuse(function, argument, " of sizes ", list_of(shape.sizes, shape.rank), " and strides ",
           list_of(shape.strides, shape.rank),
           " has leading dimensions that do not fold into one: pass it contiguous");
  }
  return all;
}

inline Index contiguous_channels(const char* function, const char* argument,
                                 const TensorShape& shape) {
  const Dimension channels = dimension(shape, shape.rank - 1);
  if (channels.size > 1 && channels.stride != 1) {
    refuse(function, argument, " has channels with a stride of ", channels.stride,
           " elements, expected 1: pass it contiguous");
  }
  return channels.size;
}

}  // namespace detail

/// A tensor (..., n, C) as a StreamView, without a copy; the dimensions before n are the tokens.
/// Throws std::invalid_argument, naming `function` and `argument`, for fewer than three dimensions,
/// sizes or strides that are negative or overflow, channels that are not contiguous, and leading
/// dimensions whose strides do not fold into one.
template <class Element>
StreamView<Element> stream_view(const char* function, const char* argument, Element* data,
                                const TensorShape& shape) {
  detail::check_sizes(function, argument, shape, 3, "(..., streams, channels)");
  const Index channels = detail::contiguous_channels(function, argument, shape);
  const detail::Dimension streams = detail::dimension(shape, shape.rank - 2);
  const detail::Dimension tokens = detail::fold(function, argument, shape, shape.rank - 2);
  return {data, tokens.size, streams.size, channels, tokens.stride, streams.stride};
}

/// The same for a tensor (..., C) as a TokenView.
template <class Element>
TokenView<Element> token_view(const char* function, const char* argument, Element* data,
                              const TensorShape& shape) {
  detail::check_sizes(function, argument, shape, 2, "(..., channels)");
  const Index channels = detail::contiguous_channels(function, argument, shape);
  const detail::Dimension tokens = detail::fold(function, argument, shape, shape.rank - 1);
  return {data, tokens.size, channels, tokens.stride};
}

MHC_NAMESPACE_END
