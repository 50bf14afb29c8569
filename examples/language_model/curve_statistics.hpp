// SPDX-License-Identifier: MIT
// Statistics of training curves: trailing means, gaps to a baseline on the same batches, the spread
// over seeds and its significance.
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

// NaN where undefined: the mean of no values, the deviation of one.
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

// The half width of a mean's 95 % confidence interval in standard errors: Student's t, two-sided,
// with count - 1 degrees of freedom, at most ten, which is never too narrow. NaN for fewer than two
// values.
inline double t95(std::size_t count) {
  constexpr std::array<double, 10> quantiles{12.706, 4.303, 3.182, 2.776, 2.571,
                                             2.447,  2.365, 2.306, 2.262, 2.228};
  if (count < 2) return std::numeric_limits<double>::quiet_NaN();
  return quantiles[std::min(count - 2, quantiles.size() - 1)];
}

// Whether a mean's 95 % confidence interval excludes zero; false for fewer than two values or a
// mean that is not finite.
inline bool excludes_zero(const Spread& spread) {
  return std::isfinite(spread.mean) &&
         std::abs(spread.mean) > t95(spread.count) * spread.standard_error;
}

// The mean of each value and of up to window - 1 values before it.
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

// values - baseline, up to the shorter length.
inline std::vector<double> gap(const std::vector<double>& values,
                               const std::vector<double>& baseline) {
  std::vector<double> gaps(std::min(values.size(), baseline.size()));
  for (std::size_t i = 0; i < gaps.size(); ++i) gaps[i] = values[i] - baseline[i];
  return gaps;
}

// The curves of several seeds, up to the shortest: at each step the mean, and one standard
// deviation below and above it. A single curve has no band.
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

// The window of a smoothed loss curve, in steps.
inline std::size_t smoothing(std::uint64_t steps) {
  return std::max<std::size_t>(1, static_cast<std::size_t>(steps) / 20);
}

// The larger of the two, or infinity if `value` is not finite: a NaN must not vanish in a maximum.
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

// How far the trailing mean rises above its lowest value so far: a surge of the loss.
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
