// SPDX-License-Identifier: MIT
// Many trainings side by side, and what their curves say: gaps to a baseline on the same batches,
// and the spread over seeds. Each training has one thread, so the bits of its curve depend neither
// on how many run at once nor on the others.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "evaluation.hpp"
#include "parallel.hpp"
#include "text.hpp"
#include "trainer.hpp"

namespace language_model {

// The curve of one training, a value for each step done.
struct Curve {
  std::vector<double> loss;                  // nats per byte, of the step's batch
  std::vector<double> gradient_norm;         // before clipping
  std::optional<std::uint64_t> diverged_at;  // the step, from 1, whose gradient was not finite
};

// Steps until the end, or until the training diverges. after(step) sees the model after each step.
template <class After>
Curve train_to_the_end(Trainer& trainer, After&& after) {
  Curve curve;
  try {
    while (!trainer.finished()) {
      const StepResult result = trainer.step();
      curve.loss.push_back(result.loss);
      curve.gradient_norm.push_back(result.gradient_norm);
      after(result.step);
    }
  } catch (const DivergenceError& error) {
    curve.diverged_at = error.step;
  }
  return curve;
}

// Calls run(i) for i = 0 .. count - 1, `threads` of them at a time.
template <class Run>
void run_side_by_side(std::size_t count, int threads, Run&& run) {
  const Workers side_by_side(threads);
  side_by_side(static_cast<index>(count), 1, [&](index begin, index end, int) {
    for (index i = begin; i < end; ++i) run(static_cast<std::size_t>(i));
  });
}

// The first `size` bytes of a text, or all of it.
inline Bytes beginning(const Bytes& text, std::size_t size) {
  return {text.begin(), text.begin() + static_cast<index>(std::min(size, text.size()))};
}

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

// The mean of the last tenth of a curve.
inline double last_tenth(const std::vector<double>& values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  return trailing_mean(values, std::max<std::size_t>(1, values.size() / 10)).back();
}

// How far the trailing mean rises above the lowest that it has been before: a surge of the loss.
inline double largest_rise(const std::vector<double>& values, std::size_t window) {
  const std::vector<double> means = trailing_mean(values, window);
  double rise = 0;
  double lowest = std::numeric_limits<double>::infinity();
  for (std::size_t i = std::min(window, means.size()); i < means.size(); ++i) {
    lowest = std::min(lowest, means[i]);
    rise = std::max(rise, means[i] - lowest);
  }
  return rise;
}

}  // namespace language_model
