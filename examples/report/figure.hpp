// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "file.hpp"
#include "heat_map.hpp"
#include "histogram_chart.hpp"
#include "line_chart.hpp"
#include "refuse.hpp"
#include "svg.hpp"

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
  explicit Figure(std::string title, double width = 860) : title_(std::move(title)), width_(width) {
    if (!(width >= 200 && width <= 10000)) {
      detail::refuse("report::Figure", "the width is ", width, ", expected 200 to 10000");
    }
  }

  /// Appends a row of charts of one height.
  Figure& row(std::vector<Chart> charts, double height = 300) {
    if (!(height >= 100 && height <= 20000)) {
      detail::refuse("report::Figure::row", "the height is ", height, ", expected 100 to 20000");
    }
    if (charts.empty()) detail::refuse("report::Figure::row", "there is no chart");
    rows_.push_back({std::move(charts), height});
    return *this;
  }

  const std::string& title() const { return title_; }

  /// A line below the title that applies to all charts.
  Figure& subtitle(std::string words) {
    subtitle_ = std::move(words);
    return *this;
  }

  std::string svg() const {
    if (rows_.empty()) detail::refuse("report::Figure", "'", title_, "' has no charts");
    Svg svg;
    double y = margin;
    if (!title_.empty()) {
      svg.text_within(width_ - 2 * margin, {margin, y + 12}, title_,
                      {16, Anchor::start, detail::ink, true});
      y += subtitle_.empty() ? 34 : 24;
    }
    if (!subtitle_.empty()) {
      svg.text_within(width_ - 2 * margin, {margin, y + 10}, subtitle_,
                      {12, Anchor::start, detail::soft});
      y += 32;
    }
    for (const Row& row : rows_) {
      const auto count = static_cast<double>(row.charts.size());
      const double width = (width_ - 2 * margin - (count - 1) * gap) / count;
      for (std::size_t i = 0; i < row.charts.size(); ++i) {
        const Box box{margin + static_cast<double>(i) * (width + gap), y, width, row.height};
        draw(row.charts[i], box, svg);
      }
      y += row.height + gap;
    }
    return svg.document(width_, y - gap + margin, title_);
  }

 private:
  static constexpr double margin = 20, gap = 26;

  struct Row {
    std::vector<Chart> charts;
    double height;
  };

  static void draw(const Chart& chart, const Box& box, Svg& svg) {
    if (const auto* const lines = std::get_if<LineChart>(&chart)) {
      detail::LineChartDrawing(*lines, svg).draw(box);
    } else if (const auto* const maps = std::get_if<HeatMaps>(&chart)) {
      detail::HeatMapsDrawing(*maps, svg).draw(box);
    } else if (const auto* const bars = std::get_if<HistogramChart>(&chart)) {
      detail::draw_bars(*bars, box, svg);
    }
  }

  std::string title_, subtitle_;
  double width_;
  std::vector<Row> rows_;
};

/// Writes the figure atomically; missing folders are created. Throws std::runtime_error if it
/// cannot be written.
inline void write_svg(const std::string& path, const Figure& figure) {
  write_file(path, figure.svg());
}

}  // namespace report
