// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <mhc/element.hpp>

namespace mhc_bench {

/// The largest difference over the plain program's largest value; NaN if a value is NaN.
template <class Element>
double relative_difference(const Element* ours, const Element* plain, mhc::Index size) {
  float difference = 0;
  float largest = 0;
  for (mhc::Index i = 0; i < size; ++i) {
    const auto expected = static_cast<float>(plain[i]);
    const float distance = std::abs(static_cast<float>(ours[i]) - expected);
    if (std::isnan(distance)) return static_cast<double>(distance);
    difference = std::max(difference, distance);
    largest = std::max(largest, std::abs(expected));
  }
  return static_cast<double>(difference) / std::max(static_cast<double>(largest), 1e-30);
}

/// Reports a wrong result and ends the program, so that it is not timed.
template <class Element>
void require_close(const std::string& row, const char* what, const Element* ours,
                   const Element* plain, mhc::Index size, double tolerance) {
  const double difference = relative_difference(ours, plain, size);
  if (difference <= tolerance) return;
  std::fprintf(stderr,
               "mhc: %s is not timed: %s differs from plain Eigen's by %.3g of its largest value, "
               "expected at most %.3g\n",
               row.c_str(), what, difference, tolerance);
  std::exit(1);
}

}  // namespace mhc_bench
