// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include <mhc/element.hpp>

#include "fill.hpp"

namespace mhc_test {

using Range = std::function<void(mhc::Index begin, mhc::Index end, int worker)>;

/// One type for all executors, so that a block is compiled only once.
using Executor = std::function<void(mhc::Index count, mhc::Index grain, const Range& range)>;

inline Executor serial() {
  return [](mhc::Index count, mhc::Index /*grain*/, const Range& range) {
    if (count > 0) range(0, count, 0);
  };
}

/// Ranges of random lengths, some of them empty, in random order.
inline Executor random_ranges(std::uint64_t seed) {
  return [seed](mhc::Index count, mhc::Index /*grain*/, const Range& range) {
    Random random(seed);
    std::vector<std::pair<mhc::Index, mhc::Index>> ranges;
    for (mhc::Index begin = 0; begin < count;) {
      const mhc::Index longest = random.integer(1, count - begin);
      const mhc::Index end = begin + random.integer(0, longest);
      ranges.emplace_back(begin, end);
      begin = end;
    }
    for (std::size_t i = ranges.size(); i > 1; --i) {
      const auto other =
          static_cast<std::size_t>(random.integer(0, static_cast<mhc::Index>(i) - 1));
      std::swap(ranges[i - 1], ranges[other]);
    }
    for (const auto& [begin, end] : ranges) range(begin, end, 0);
  };
}

/// `workers` std::threads, each with one contiguous range of any length.
inline Executor threads(int workers) {
  return [workers](mhc::Index count, mhc::Index /*grain*/, const Range& range) {
    std::vector<std::thread> running;
    for (int worker = 0; worker < workers; ++worker) {
      const mhc::Index begin = count * worker / workers;
      const mhc::Index end = count * (worker + 1) / workers;
      if (begin == end) continue;
      running.emplace_back([&range, begin, end, worker] { range(begin, end, worker); });
    }
    for (std::thread& thread : running) thread.join();
  };
}

}  // namespace mhc_test
