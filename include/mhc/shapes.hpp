// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>

#include <mhc/check.hpp>
#include <mhc/view.hpp>

MHC_NAMESPACE_BEGIN

// Argument checks. Each error names the function, the argument, the actual and the expected value.
namespace detail {

template <class Element>
void check_shape(const char* function, const char* argument, const TokenView<Element>& view,
                 index tokens, index channels) {
  if (view.tokens != tokens || view.channels != channels) {
    refuse(function, argument, " is ", view.tokens, " x ", view.channels,
           " (tokens x channels), expected ", tokens, " x ", channels);
  }
  if (view.data == nullptr && tokens > 0) refuse(function, argument, " has no data (null pointer)");
}

template <class Element>
void check_shape(const char* function, const char* argument, const StreamView<Element>& view,
                 index tokens, index streams, index channels) {
  if (view.tokens != tokens || view.streams != streams || view.channels != channels) {
    refuse(function, argument, " is ", view.tokens, " x ", view.streams, " x ", view.channels,
           " (tokens x streams x channels), expected ", tokens, " x ", streams, " x ", channels);
  }
  if (view.data == nullptr && tokens > 0) refuse(function, argument, " has no data (null pointer)");
}

/// Checks the view that determines the sizes of all other arguments.
template <class Element>
void check_streams(const char* function, const char* argument, const StreamView<Element>& view,
                   index streams) {
  if (view.tokens < 0) refuse(function, argument, " has ", view.tokens, " tokens");
  if (view.channels < 1) {
    refuse(function, argument, " has ", view.channels, " channels, expected at least 1");
  }
  check_shape(function, argument, view, view.tokens, streams, view.channels);
}

inline index magnitude(index value) {
  return value < 0 ? -value : value;
}

/// The number of tokens worth handing to another thread: about 16 thousand elements, in tiles of 8.
template <class Element>
index token_grain(const StreamView<Element>& view) {
  const index elements = view.streams * view.channels;
  return std::max<index>(1, 2048 / std::max<index>(1, elements)) * 8;
}

/// Throws if two elements of an output may share memory.
template <class Element>
void check_output(const char* function, const char* argument, const TokenView<Element>& view) {
  if (view.tokens > 1 && magnitude(view.token_stride) < view.channels) {
    refuse(function, argument, " is written, but its rows overlap: token stride ",
           view.token_stride, " with ", view.channels, " channels");
  }
}

template <class Element>
void check_output(const char* function, const char* argument, const StreamView<Element>& view) {
  // Valid nestings: streams inside a token, or tokens inside a stream.
  const index token = magnitude(view.token_stride);
  const index stream = magnitude(view.stream_stride);
  const bool one_token = view.tokens <= 1;
  const bool one_stream = view.streams <= 1;
  const bool streams_inside = (one_stream || stream >= view.channels) &&
                              (one_token || token >= (view.streams - 1) * stream + view.channels);
  const bool tokens_inside = (one_token || token >= view.channels) &&
                             (one_stream || stream >= (view.tokens - 1) * token + view.channels);
  if (!streams_inside && !tokens_inside) {
    refuse(function, argument, " is written, but its rows overlap: token stride ",
           view.token_stride, ", stream stride ", view.stream_stride, " with ", view.tokens, " x ",
           view.streams, " x ", view.channels, " elements");
  }
}

/// The memory of a view: `length` bytes per token, at begin + t * token_stride.
struct Bytes {
  std::intptr_t begin;   ///< the lowest address of token 0
  std::intptr_t length;  ///< the number of bytes that token 0 spans
  std::intptr_t token_stride;
  index tokens;
};

template <class Element>
Bytes bytes_of(const StreamView<Element>& view) {
  const auto bytes = static_cast<std::intptr_t>(sizeof(Element));
  const index span = view.streams > 0 ? (view.streams - 1) * view.stream_stride : 0;
  const auto data = reinterpret_cast<std::intptr_t>(view.data);
  return {data + (span < 0 ? span : 0) * bytes, (magnitude(span) + view.channels) * bytes,
          view.token_stride * bytes, view.tokens};
}

template <class Element>
Bytes bytes_of(const TokenView<Element>& view) {
  return bytes_of(
      StreamView<Element>(view.data, view.tokens, 1, view.channels, view.token_stride, 0));
}

/// True if the two may share memory. Exact for tokens that interleave with a common stride (two
/// fields of a record), conservative otherwise.
inline bool overlap(const Bytes& a, const Bytes& b) {
  if (a.tokens == 0 || b.tokens == 0 || a.length == 0 || b.length == 0) return false;
  const auto low = [](const Bytes& e) {
    return e.begin + (e.token_stride < 0 ? (e.tokens - 1) * e.token_stride : 0);
  };
  const auto high = [](const Bytes& e) {
    return e.begin + e.length + (e.token_stride > 0 ? (e.tokens - 1) * e.token_stride : 0);
  };
  if (high(a) <= low(b) || high(b) <= low(a)) return false;
  const std::intptr_t stride = magnitude(a.token_stride);
  if (magnitude(b.token_stride) != stride || stride == 0) return true;
  // If the ranges are disjoint modulo the common stride, no two tokens overlap.
  const std::intptr_t gap = ((b.begin - a.begin) % stride + stride) % stride;
  return gap < a.length || gap + b.length > stride;
}

template <class A, class B>
void check_disjoint(const char* function, const char* output, const A& a, const char* input,
                    const B& b) {
  if (a.data == nullptr || b.data == nullptr) return;
  if (overlap(bytes_of(a), bytes_of(b))) {
    refuse(function, output, " overlaps ", input, " in memory");
  }
}

template <class A, class B>
bool same_view(const StreamView<A>& a, const StreamView<B>& b) {
  return a.data == b.data && a.token_stride == b.token_stride && a.stream_stride == b.stream_stride;
}
template <class A, class B>
bool same_view(const TokenView<A>& a, const TokenView<B>& b) {
  return a.data == b.data && a.token_stride == b.token_stride;
}

/// Like check_disjoint, but allows the same view, for operations that work in place.
template <class A, class B>
void check_same_or_disjoint(const char* function, const char* output, const A& a, const char* input,
                            const B& b) {
  if (same_view(a, b) || a.data == nullptr || b.data == nullptr) return;
  if (overlap(bytes_of(a), bytes_of(b))) {
    refuse(function, output, " partly overlaps ", input,
           " in memory: it must be the same view or another place");
  }
}

/// Throws unless `x` has at least one stream and `h` is (tokens, C) for the tokens and channels of
/// `x`, in separate memory.
template <class Streams, class Rows>
void check_streams_and_rows(const char* function, const char* streams, const Streams& x,
                            const char* rows, const Rows& h) {
  check_streams(function, streams, x, x.streams);
  if (x.streams < 1) refuse(function, streams, " has ", x.streams, " streams, expected at least 1");
  check_shape(function, rows, h, x.tokens, x.channels);
  check_disjoint(function, streams, x, rows, h);
}

/// Throws unless `stream` is one of the streams.
inline void check_stream(const char* function, index stream, index streams) {
  if (stream < 0 || stream >= streams) {
    refuse(function, "stream is ", stream, ", expected 0 to ", streams - 1);
  }
}

/// Throws unless an option is finite and not negative.
inline void check_not_negative(const char* function, const char* option, double value) {
  if (!(value >= 0.0 && value <= 1e300)) {
    refuse(function, "option ", option, " is ", value, ", expected a finite number >= 0");
  }
}

inline void check_finite(const char* function, const char* option, double value) {
  if (!(value >= -1e300 && value <= 1e300)) {
    refuse(function, "option ", option, " is ", value, ", expected a finite number");
  }
}

}  // namespace detail
MHC_NAMESPACE_END
