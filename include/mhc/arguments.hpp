// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <mhc/check.hpp>
#include <mhc/view.hpp>

MHC_NAMESPACE_BEGIN

// Argument checks. Each error names the function, the argument, the actual and the expected value.
// Nothing here but the conversion from a view depends on the element type, so that a unit compiles
// these functions once.
namespace detail {

/// A view as the checks see it: the memory, the shape and the strides, of rows or of streams.
struct AnyView {
  const void* data;
  std::intptr_t element;  ///< bytes of an element
  Index tokens, streams, channels;
  Index token_stride, stream_stride;
  bool rows;  ///< (tokens, channels), with streams = 1 and stream_stride = 0

  template <class Element>
  AnyView(const TokenView<Element>& view)
      : data(view.data),
        element(sizeof(Element)),
        tokens(view.tokens),
        streams(1),
        channels(view.channels),
        token_stride(view.token_stride),
        stream_stride(0),
        rows(true) {}
  template <class Element>
  AnyView(const StreamView<Element>& view)
      : data(view.data),
        element(sizeof(Element)),
        tokens(view.tokens),
        streams(view.streams),
        channels(view.channels),
        token_stride(view.token_stride),
        stream_stride(view.stream_stride),
        rows(false) {}
  AnyView() = default;
};

/// Throws unless the view is (tokens, channels).
inline void check_shape(const char* function, const char* argument, const AnyView& view,
                        Index tokens, Index channels) {
  if (view.tokens != tokens || view.channels != channels) {
    refuse(function, argument, " is ", view.tokens, " x ", view.channels,
           " (tokens x channels), expected ", tokens, " x ", channels);
  }
  if (view.data == nullptr && tokens > 0) refuse(function, argument, " has no data (null pointer)");
}

/// Throws unless the view is (tokens, streams, channels).
inline void check_shape(const char* function, const char* argument, const AnyView& view,
                        Index tokens, Index streams, Index channels) {
  if (view.tokens != tokens || view.streams != streams || view.channels != channels) {
    refuse(function, argument, " is ", view.tokens, " x ", view.streams, " x ", view.channels,
           " (tokens x streams x channels), expected ", tokens, " x ", streams, " x ", channels);
  }
  if (view.data == nullptr && tokens > 0) refuse(function, argument, " has no data (null pointer)");
}

/// Checks the view that determines the sizes of all other arguments.
inline void check_streams(const char* function, const char* argument, const AnyView& view,
                          Index streams) {
  if (view.tokens < 0) refuse(function, argument, " has ", view.tokens, " tokens");
  if (view.channels < 1) {
    refuse(function, argument, " has ", view.channels, " channels, expected at least 1");
  }
  check_shape(function, argument, view, view.tokens, streams, view.channels);
}

inline Index magnitude(Index value) {
  return value < 0 ? -value : value;
}

/// Throws if two elements of an output may share memory.
inline void check_output(const char* function, const char* argument, const AnyView& view) {
  // Valid nestings: streams inside a token, or tokens inside a stream.
  const Index token = magnitude(view.token_stride);
  const Index stream = magnitude(view.stream_stride);
  const bool one_token = view.tokens <= 1;
  const bool one_stream = view.streams <= 1;
  const bool streams_inside = (one_stream || stream >= view.channels) &&
                              (one_token || token >= (view.streams - 1) * stream + view.channels);
  const bool tokens_inside = (one_token || token >= view.channels) &&
                             (one_stream || stream >= (view.tokens - 1) * token + view.channels);
  if (streams_inside || tokens_inside) return;
  if (view.rows) {
    refuse(function, argument, " is written, but its rows overlap: token stride ",
           view.token_stride, " with ", view.channels, " channels");
  }
  refuse(function, argument, " is written, but its rows overlap: token stride ", view.token_stride,
         ", stream stride ", view.stream_stride, " with ", view.tokens, " x ", view.streams, " x ",
         view.channels, " elements");
}

/// The memory of a view: `length` bytes per token, at begin + t * token_stride.
struct Bytes {
  std::intptr_t begin;   ///< the lowest address of token 0
  std::intptr_t length;  ///< the number of bytes that token 0 spans
  std::intptr_t token_stride;
  Index tokens;

  explicit Bytes(const AnyView& view) {
    const Index span = view.streams > 0 ? (view.streams - 1) * view.stream_stride : 0;
    begin = reinterpret_cast<std::intptr_t>(view.data) + (span < 0 ? span : 0) * view.element;
    length = (magnitude(span) + view.channels) * view.element;
    token_stride = view.token_stride * view.element;
    tokens = view.tokens;
  }
  std::intptr_t low() const { return begin + (token_stride < 0 ? (tokens - 1) * token_stride : 0); }
  std::intptr_t high() const {
    return begin + length + (token_stride > 0 ? (tokens - 1) * token_stride : 0);
  }
};

/// True if the two may share memory. Exact for tokens that interleave with a common stride (two
/// fields of a record), conservative otherwise.
inline bool overlap(const AnyView& first, const AnyView& second) {
  const Bytes a(first);
  const Bytes b(second);
  if (first.data == nullptr || second.data == nullptr) return false;
  if (a.tokens == 0 || b.tokens == 0 || a.length == 0 || b.length == 0) return false;
  if (a.high() <= b.low() || b.high() <= a.low()) return false;
  const std::intptr_t stride = magnitude(a.token_stride);
  if (magnitude(b.token_stride) != stride || stride == 0) return true;
  // If the ranges are disjoint modulo the common stride, no two tokens overlap.
  const std::intptr_t gap = ((b.begin - a.begin) % stride + stride) % stride;
  return gap < a.length || gap + b.length > stride;
}

/// True if both are the same elements in the same order.
inline bool same_view(const AnyView& a, const AnyView& b) {
  return a.data == b.data && a.token_stride == b.token_stride && a.stream_stride == b.stream_stride;
}

/// The arguments of one call: the name and shape of each, and whether it is read or written. What
/// is written must lie apart from everything else, unless it may be the same view as one other.
///
///   Arguments call("merge");
///   call.reads_streams("x", x, N);                             // the sizes of the call
///   call.reads("v", v, x.channels);                            // (tokens, channels)
///   call.writes("x_next", x_next, N, x.channels).or_is("x");   // (tokens, streams, channels)
///   call.check_memory();
///
/// Each function throws std::invalid_argument at the first fault.
class Arguments {
 public:
  explicit Arguments(const char* function) : function_(function) {}

  const char* function() const { return function_; }
  Index tokens() const { return tokens_; }

  /// The view whose tokens and channels are those of the call, with `streams` streams, or any
  /// number from 1 on.
  void reads_streams(const char* name, const AnyView& view, Index streams = 0) {
    sizes(name, view, streams);
    add(name, view, false);
  }
  void writes_streams(const char* name, const AnyView& view, Index streams = 0) {
    sizes(name, view, streams);
    writes(name, view);
  }

  void reads(const char* name, const AnyView& rows, Index channels) {
    check_shape(function_, name, rows, tokens_, channels);
    add(name, rows, false);
  }
  void reads(const char* name, const AnyView& view, Index streams, Index channels) {
    check_shape(function_, name, view, tokens_, streams, channels);
    add(name, view, false);
  }
  /// The same, unless it is absent.
  void reads_if(const char* name, const AnyView& rows, Index channels) {
    if (rows.data != nullptr) reads(name, rows, channels);
  }
  void reads_if(const char* name, const AnyView& view, Index streams, Index channels) {
    if (view.data != nullptr) reads(name, view, streams, channels);
  }
  /// A view whose shape the caller has checked.
  void reads(const char* name, const AnyView& view) { add(name, view, false); }

  Arguments& writes(const char* name, const AnyView& rows, Index channels) {
    check_shape(function_, name, rows, tokens_, channels);
    return writes(name, rows);
  }
  Arguments& writes(const char* name, const AnyView& view, Index streams, Index channels) {
    check_shape(function_, name, view, tokens_, streams, channels);
    return writes(name, view);
  }
  Arguments& writes(const char* name, const AnyView& view) {
    check_output(function_, name, view);
    add(name, view, true);
    return *this;
  }
  Arguments& writes_if(const char* name, const AnyView& rows, Index channels) {
    if (rows.data != nullptr) writes(name, rows, channels);
    return *this;
  }

  /// What was added last may also be the same view as `other`, for calls that work in place.
  void or_is(const char* other) { entries_[count_ - 1].or_is = other; }

  /// Throws unless everything that is written lies apart from all other arguments.
  void check_memory() const {
    for (int i = 0; i < count_; ++i) {
      if (!entries_[i].written) continue;
      for (int j = 0; j < count_; ++j) {
        if (entries_[j].written ? j < i : j != i) check_pair(entries_[i], entries_[j]);
      }
    }
  }

 private:
  struct Entry {
    const char* name;
    AnyView view;
    bool written;
    const char* or_is;
  };
  static constexpr int most = 12;

  void sizes(const char* name, const AnyView& view, Index streams) {
    check_streams(function_, name, view, streams > 0 ? streams : view.streams);
    if (view.streams < 1) {
      refuse(function_, name, " has ", view.streams, " streams, expected at least 1");
    }
    tokens_ = view.tokens;
  }
  void add(const char* name, const AnyView& view, bool written) {
    entries_[count_++] = {name, view, written, nullptr};
  }

  void check_pair(const Entry& output, const Entry& other) const {
    if (!overlap(output.view, other.view)) return;
    // Names are literals of one call, but one literal need not have one address.
    const bool in_place = output.or_is != nullptr && std::strcmp(output.or_is, other.name) == 0;
    if (!in_place) refuse(function_, output.name, " overlaps ", other.name, " in memory");
    if (!same_view(output.view, other.view)) {
      refuse(function_, output.name, " partly overlaps ", other.name,
             " in memory: it must be the same view or another place");
    }
  }

  const char* function_;
  Index tokens_ = 0;
  int count_ = 0;
  Entry entries_[most];
};

/// Throws unless `stream` is one of `streams`.
inline void check_stream(const char* function, Index stream, Index streams) {
  if (stream < 0 || stream >= streams) {
    refuse(function, "stream is ", stream, ", expected 0 to ", streams - 1);
  }
}

/// A batch of matrices (any count, n, n), which is read and whose count is the call's.
inline void check_matrices(Arguments& call, const char* name, const AnyView& view, Index n) {
  call.reads_streams(name, view, n);
  check_shape(call.function(), name, view, view.tokens, n, n);
}

/// Checks rows h that are written into every stream of x; the names are those of the caller.
inline void check_repeat(const char* function, const char* rows, const AnyView& h,
                         const char* streams, const AnyView& x) {
  Arguments call(function);
  call.writes_streams(streams, x);
  call.reads(rows, h, x.channels);
  call.check_memory();
}

/// Checks streams x that are summed into rows h.
inline void check_sum(const char* function, const char* streams, const AnyView& x, const char* rows,
                      const AnyView& h) {
  Arguments call(function);
  call.reads_streams(streams, x);
  call.writes(rows, h, x.channels);
  call.check_memory();
}

inline void check_disjoint(const char* function, const char* output, const AnyView& a,
                           const char* input, const AnyView& b) {
  if (overlap(a, b)) refuse(function, output, " overlaps ", input, " in memory");
}
inline void check_same_or_disjoint(const char* function, const char* output, const AnyView& a,
                                   const char* input, const AnyView& b) {
  if (!same_view(a, b) && overlap(a, b)) {
    refuse(function, output, " partly overlaps ", input,
           " in memory: it must be the same view or another place");
  }
}

}  // namespace detail
MHC_NAMESPACE_END
