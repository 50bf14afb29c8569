// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <vector>

namespace mhc_bench {

/// Seconds per call, the mean over `calls` calls.
template <class Function>
double seconds_per_call(Function&& f, long calls = 1) {
  const auto begin = std::chrono::steady_clock::now();
  for (long i = 0; i < calls; ++i) f();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  return elapsed.count() / static_cast<double>(calls);
}

/// The number of calls of `once` seconds that last `seconds`.
inline long calls_that_last(double seconds, double once) {
  return std::max(1L, std::lround(std::ceil(seconds / std::max(once, 1e-9))));
}

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The shortest of `samples` samples of f, each some `seconds` long.
template <class Function>
double least_seconds(Function&& f, int samples, double seconds) {
  f();
  const long calls = calls_that_last(seconds, seconds_per_call(f));
  double least = seconds_per_call(f, calls);
  for (int i = 1; i < samples; ++i) least = std::min(least, seconds_per_call(f, calls));
  return least;
}

}  // namespace mhc_bench
