// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <mhc/diagnostics/histogram.hpp>

#include "axis.hpp"

namespace report {

/// One histogram and its name in the legend.
struct Bars {
  std::string name = {};
  mhc::Histogram histogram = {};
};

/// Overlaid histograms, one colour each: counts over values. The legend counts what lies outside a
/// histogram's range.
///
/// Throws, when drawn, std::invalid_argument if there is no histogram or the limits of an axis are
/// invalid.
struct HistogramChart {
  std::string title = {};
  Axis x = {}, y = {};
  std::vector<Bars> bars = {};
};

}  // namespace report
