// SPDX-License-Identifier: MIT
// Learning rate: a linear warm-up over the first twentieth of the steps, then half a cosine down to
// a twentieth of the peak.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace language_model {

inline double learning_rate_at(std::uint64_t step, std::uint64_t steps, double peak) {
  constexpr double pi = 3.14159265358979323846;
  const std::uint64_t warm_up = std::max<std::uint64_t>(1, steps / 20);
  if (step < warm_up) return peak * static_cast<double>(step + 1) / static_cast<double>(warm_up);
  const double done = static_cast<double>(step - warm_up) /
                      static_cast<double>(std::max<std::uint64_t>(1, steps - warm_up));
  const double floor = peak / 20;
  return floor + (peak - floor) * 0.5 * (1 + std::cos(pi * done));
}

}  // namespace language_model
