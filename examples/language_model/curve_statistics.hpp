// SPDX-License-Identifier: MIT
// What curves of trainings say: trailing means, gaps to a baseline on the same batches, the spread
// over seeds and what it can tell apart.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace language_model {

struct Spread {
  std::size_t count = 0;
  double mean = std::numeric_limits<double>::quiet_NaN();
  double deviation = std::numeric_limits<double>::quiet_NaN();       // of a sample, by count - 1
  double standard_error = std::numeric_limits<double>::quiet_NaN();  // of the mean
};

// No values have no mean, and a single one has no deviation: not a number.
inline Spread spread_of(const std::vector<double>& values) {
  Spread spread;
  spread.count = values.size();
  if (values.empty()) return spread;
  const auto count = static_cast<double>(values.size());
  spread.mean = 0;
  for (const double value : values) spread.mean += value / count;
  if (values.size() < 2) return spread;
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  spread.deviation = std::sqrt(squares / (count - 1));
  spread.standard_error = spread.deviation / std::sqrt(count);
  return spread;
}

// The half width of a mean's 95 % interval in standard errors: Student's t, two-sided, with
// count - 1 degrees of freedom. From ten of them on that of ten, which is never too narrow. Not a
// number for less than two values.
inline double t95(std::size_t count) {
  constexpr std::array<double, 10> quantiles{12.706, 4.303, 3.182, 2.776, 2.571,
                                             2.447,  2.365, 2.306, 2.262, 2.228};
  if (count < 2) return std::numeric_limits<double>::quiet_NaN();
  return quantiles[std::min(count - 2, quantiles.size() - 1)];
}

// Whether a mean's 95 % interval excludes zero. One value, or what is not finite, has none.
inline bool excludes_zero(const Spread& spread) {
  return std::isfinite(spread.mean) &&
         std::abs(spread.mean) > t95(spread.count) * spread.standard_error;
}

// The mean of each value and the up to window - 1 before it.
inline std::vector<double> trailing_mean(const std::vector<double>& values, std::size_t window) {
  std::vector<double> means;
  means.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t begin = i + 1 > window ? i + 1 - window : 0;
    double sum = 0;
    for (std::size_t k = begin; k <= i; ++k) sum += values[k];
    means.push_back(sum / static_cast<double>(i + 1 - begin));
  }
  return means;
}

// values - baseline, as long as both last.
inline std::vector<double> gap(const std::vector<double>& values,
                               const std::vector<double>& baseline) {
  std::vector<double> gaps(std::min(values.size(), baseline.size()));
  for (std::size_t i = 0; i < gaps.size(); ++i) gaps[i] = values[i] - baseline[i];
  return gaps;
}

// Curves of several seeds at each step, as long as all last: the mean, and one deviation below and
// above it. A single curve has no band.
struct Band {
  std::vector<double> mean, low, high;
};

inline Band band_of(const std::vector<std::vector<double>>& curves) {
  Band band;
  std::size_t steps = curves.empty() ? 0 : curves.front().size();
  for (const auto& curve : curves) steps = std::min(steps, curve.size());
  for (std::size_t i = 0; i < steps; ++i) {
    std::vector<double> values;
    for (const auto& curve : curves) values.push_back(curve[i]);
    const Spread spread = spread_of(values);
    band.mean.push_back(spread.mean);
    if (spread.count < 2) continue;
    band.low.push_back(spread.mean - spread.deviation);
    band.high.push_back(spread.mean + spread.deviation);
  }
  return band;
}

// Steps whose loss makes one point of a smoothed curve.
inline std::size_t smoothing(std::uint64_t steps) {
  return std::max<std::size_t>(1, static_cast<std::size_t>(steps) / 20);
}

// The larger of the two, and infinity if the new one is not finite: a maximum that no NaN hides in.
inline double larger(double most, double value) {
  return std::isfinite(value) ? std::max(most, value) : std::numeric_limits<double>::infinity();
}

// The mean of the last tenth of a curve.
inline double last_tenth(const std::vector<double>& values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  return trailing_mean(values, std::max<std::size_t>(1, values.size() / 10)).back();
}

// The lowest mean of any tenth of a curve.
inline double lowest_tenth(const std::vector<double>& values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const std::size_t window = std::max<std::size_t>(1, values.size() / 10);
  const std::vector<double> means = trailing_mean(values, window);
  double lowest = std::numeric_limits<double>::infinity();
  for (std::size_t i = window - 1; i < means.size(); ++i) lowest = std::min(lowest, means[i]);
  return lowest;
}

// How far the trailing mean rises above the lowest that it has been before: a surge of the loss.
inline double largest_rise(const std::vector<double>& values, std::size_t window) {
  const std::vector<double> means = trailing_mean(values, window);
  double rise = 0;
  double lowest = std::numeric_limits<double>::infinity();
  for (std::size_t i = std::min(window, means.size()); i < means.size(); ++i) {
    lowest = std::min(lowest, means[i]);
    rise = larger(rise, means[i] - lowest);
  }
  return rise;
}

}  // namespace language_model
