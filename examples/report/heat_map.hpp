// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <mhc/reference.hpp>

namespace report {

/// Row i of `values` is drawn i-th from above. Takes any dense Eigen matrix of doubles.
struct HeatMap {
  std::string title = {};
  mhc::reference::Matrix<double> values = {};
};

/// Maps with one colour bar: 0 to `limit`, or -limit to limit if a value is negative; the default
/// limit is the largest absolute value. Values that are not finite are grey. `rows` and `columns`
/// name the axes; `in_row` is the number of maps per row, 0: as many as make them largest.
///
/// Throws, when drawn, std::invalid_argument if there is no map, a map has no values, or the limit
/// is not a finite number above 0.
struct HeatMaps {
  std::string title = {};
  std::string rows = {}, columns = {};
  std::vector<HeatMap> maps = {};
  std::optional<double> limit = {};
  std::size_t in_row = 0;
};

}  // namespace report
