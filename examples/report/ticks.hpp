// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "text.hpp"

namespace report {

/// A mark on an axis, in the units of its values.
struct Tick {
  double value = 0;
  std::string label = {};  ///< empty: a grid line without a number
};

namespace detail {

/// `least` rounded up to 1, 2 or 5 times a power of ten.
inline double round_step(double least) {
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (digit * power >= least * (1 - 1e-9)) return digit * power;
  }
  return 10 * power;
}

/// A multiple of `step`: plain if that is short, else m x 10^e with one e for the whole axis.
inline std::string linear_label(double value, double step, double size) {
  if (std::abs(value) < step * 1e-6) return "0";
  const int places = static_cast<int>(std::floor(std::log10(step) + 1e-9));
  if (size < 1e6 && size >= 1e-4) return with_minus(fixed(value, std::max(0, -places)));
  const int exponent = static_cast<int>(std::floor(std::log10(size) + 1e-9));
  // Two steps: 10^-exponent alone may overflow.
  const double half = std::pow(10.0, -(exponent / 2));
  const double mantissa = value * half * std::pow(10.0, -(exponent - exponent / 2));
  return with_minus(fixed(mantissa, std::max(0, exponent - places))) + "\xc3\x97" +
         power_of_ten(exponent);
}

/// 0.001 to 10 000 plain, the others as powers.
inline std::string log_label(int digit, int exponent, bool is_plain) {
  if (is_plain) return fixed(digit * std::pow(10.0, exponent), std::max(0, -exponent));
  return (digit == 1 ? "" : std::to_string(digit) + "\xc3\x97") + power_of_ten(exponent);
}

}  // namespace detail

/// Multiples of 1, 2 or 5 times a power of ten in [low, high], at most `most` + 1 of them. low <
/// high, both finite.
inline std::vector<Tick> linear_ticks(double low, double high, int most) {
  std::vector<Tick> ticks;
  // In halves: high - low may be infinite.
  const double least = (high / 2 - low / 2) / std::max(most, 2) * 2;
  const double nice = std::min(detail::round_step(std::max(least, 1e-300)), 1e308);
  const double size = std::max(std::abs(low), std::abs(high));
  const double first = std::ceil(low / nice - 1e-9);
  for (int i = 0; i <= most + 2; ++i) {
    const double value = (first + i) * nice;
    if (value > high + nice * 1e-9) break;
    if (!ticks.empty() && value <= ticks.back().value) break;  // finer than double precision
    ticks.push_back({value, detail::linear_label(value, nice, size)});
  }
  return ticks;
}

/// Powers of ten in [low, high]: every k-th if there are more than `most`, with 2 and 5 in between
/// if there are few, linear_ticks if there is none. 0 < low < high, both finite.
inline std::vector<Tick> log_ticks(double low, double high, int most) {
  const double bottom = std::log10(low), top = std::log10(high);
  const int first = static_cast<int>(std::ceil(bottom - 1e-9));
  const int last = static_cast<int>(std::floor(top + 1e-9));
  const bool is_plain = bottom > -3.01 && top < 4.01;
  std::vector<Tick> ticks;
  if (top - bottom <= 2.5 && 3 * (top - bottom) <= most) {
    for (int exponent = first - 1; exponent <= last; ++exponent) {
      for (const int digit : {1, 2, 5}) {
        const double value = digit * std::pow(10.0, exponent);
        if (value < low * (1 - 1e-9) || value > high * (1 + 1e-9)) continue;
        ticks.push_back({value, detail::log_label(digit, exponent, is_plain)});
      }
    }
    if (ticks.size() >= 3) return ticks;
    return linear_ticks(low, high, most);
  }
  int stride = 1;
  for (const int next : {1, 2, 3, 5, 10, 20, 25, 50, 100, 200, 300}) {
    stride = next;
    if ((last - first) / stride + 1 <= most) break;
  }
  for (int exponent = first; exponent <= last; ++exponent) {
    const double value = std::pow(10.0, exponent);
    const bool has_label = exponent % stride == 0;
    if (has_label || stride <= 3) {
      ticks.push_back({value, has_label ? detail::log_label(1, exponent, is_plain) : ""});
    }
  }
  if (ticks.empty()) return linear_ticks(low, high, most);
  return ticks;
}

}  // namespace report
