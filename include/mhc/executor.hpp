// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include <mhc/element.hpp>

MHC_NAMESPACE_BEGIN

/// How work is split over threads. The library starts no threads itself: every operation takes an
/// executor, which is any callable
///
///   exec(index count, index grain, f)      with      f(index begin, index end, int worker)
///
/// that calls f on disjoint ranges that cover [0, count) and returns when all of them are done.
/// `grain` is the length below which splitting costs more than it saves; multiples of it are
/// fastest. Results do not depend on the split, bit for bit. Exceptions from the executor are
/// passed on; the outputs of the call are then unspecified.
struct Serial {
  template <class Function>
  void operator()(Index count, Index /*grain*/, Function&& f) const {
    if (count > 0) f(Index{0}, count, 0);
  }
};

/// The default executor: the calling thread does all the work.
inline constexpr Serial serial{};

namespace detail {

/// The number of tokens worth handing to another thread: about 16 thousand elements, in tiles of 8.
template <class Streams>
Index token_grain(const Streams& x) {
  const Index elements = x.streams * x.channels;
  return (std::max)(Index{1}, 2048 / (std::max)(Index{1}, elements)) * 8;
}

}  // namespace detail

MHC_NAMESPACE_END
