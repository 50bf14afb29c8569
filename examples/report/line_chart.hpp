// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "axis.hpp"

namespace report {

/// How the points of a curve are drawn: a line through them, a dot for each, or both. automatic: a
/// line, with dots if there are at most 24 points.
enum class Marks { automatic, line, dots, both };

/// A curve through (x[i], y[i]), in order. A point that is not finite, or not above 0 on a
/// logarithmic axis, leaves a gap that the legend reports.
struct Series {
  std::string name = {};  ///< for the legend, which omits a curve without one
  std::vector<double> x = {}, y = {};
  bool is_dashed = false;
  std::vector<double> low = {}, high = {};  ///< a band around y, as long as x, or empty
  int colour = -1;                          ///< index into the palette; -1: its index in the chart
  Marks marks = Marks::automatic;           ///< a line of a single point is a dot
};

/// A horizontal line with a name: {3000, "paper's HC, 3000"}.
struct Level {
  double value = 0;
  std::string name = {};
};

/// Throws, when drawn, std::invalid_argument if there is no point at all, x, y, low and high of a
/// series differ in length, or the limits of an axis are invalid.
struct LineChart {
  std::string title = {};
  Axis x = {}, y = {};
  std::vector<Series> series = {};
  std::vector<Level> levels = {};
};

}  // namespace report
