// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "heat_map.hpp"
#include "histogram_chart.hpp"
#include "line_chart.hpp"

namespace report {

/// Any kind of chart.
using Chart = std::variant<LineChart, HeatMaps, HistogramChart>;

/// Charts in rows: one self-contained SVG with a light background.
///
///   report::Figure figure("Gain over depth");
///   figure.row({forward, backward}).row({maps}, 240);
///   report::write_svg("gain.svg", figure);
///
/// Throws std::invalid_argument if a width or a height is out of range, or there is no chart.
class Figure {
 public:
  explicit Figure(std::string title, double width = 860);

  /// Appends a row of charts of one height.
  Figure& row(std::vector<Chart> charts, double height = 300);

  const std::string& title() const { return title_; }

  /// A line below the title that applies to all charts.
  Figure& subtitle(std::string words) {
    subtitle_ = std::move(words);
    return *this;
  }

  std::string svg() const;

 private:
  struct Row {
    std::vector<Chart> charts;
    double height;
  };

  std::string title_, subtitle_;
  double width_;
  std::vector<Row> rows_;
};

/// Writes the figure atomically; missing folders are created. Throws std::runtime_error if it
/// cannot be written.
void write_svg(const std::string& path, const Figure& figure);

}  // namespace report
