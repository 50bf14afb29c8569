// SPDX-License-Identifier: MIT
#include "figure.hpp"

#include <cstddef>

#include "file.hpp"
#include "heat_map_drawing.hpp"
#include "histogram_chart_drawing.hpp"
#include "line_chart_drawing.hpp"
#include "refuse.hpp"
#include "svg.hpp"

namespace report {

namespace {

constexpr double margin = 20, gap = 26;

void draw(const Chart& chart, const Box& box, Svg& svg) {
  if (const auto* const lines = std::get_if<LineChart>(&chart)) {
    detail::LineChartDrawing(*lines, svg).draw(box);
  } else if (const auto* const maps = std::get_if<HeatMaps>(&chart)) {
    detail::HeatMapsDrawing(*maps, svg).draw(box);
  } else if (const auto* const bars = std::get_if<HistogramChart>(&chart)) {
    detail::draw_bars(*bars, box, svg);
  }
}

}  // namespace

Figure::Figure(std::string title, double width) : title_(std::move(title)), width_(width) {
  if (!(width >= 200 && width <= 10000)) {
    detail::refuse("report::Figure", "the width is ", width, ", expected 200 to 10000");
  }
}

Figure& Figure::row(std::vector<Chart> charts, double height) {
  if (!(height >= 100 && height <= 20000)) {
    detail::refuse("report::Figure::row", "the height is ", height, ", expected 100 to 20000");
  }
  if (charts.empty()) detail::refuse("report::Figure::row", "there is no chart");
  rows_.push_back({std::move(charts), height});
  return *this;
}

std::string Figure::svg() const {
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

void write_svg(const std::string& path, const Figure& figure) {
  write_file(path, figure.svg());
}

}  // namespace report
