// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <mhc/diagnostics/histogram.hpp>

#include "axis.hpp"
#include "colour.hpp"
#include "curves.hpp"
#include "histogram_chart.hpp"
#include "plot.hpp"
#include "refuse.hpp"
#include "svg.hpp"

namespace report {

namespace detail {

inline std::string outside_of(const mhc::Histogram& histogram) {
  std::string text;
  const auto add = [&](mhc::Index count, const std::string& where) {
    if (count > 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + where;
  };
  add(histogram.below(), "below " + with_minus(number(histogram.low())));
  add(histogram.above(), "above " + with_minus(number(histogram.high())));
  add(histogram.not_a_number(), "NaN");
  return text.empty() ? text : " (" + text + ")";
}

inline void draw_bars(const HistogramChart& chart, const Box& box, Svg& svg) {
  constexpr const char* function = "report::HistogramChart";
  check_axis(function, chart.title, "x", chart.x);
  check_axis(function, chart.title, "y", chart.y);
  if (chart.bars.empty()) detail::refuse(function, "'", chart.title, "' has no histograms");
  Extent x_extent, y_extent;
  std::vector<Entry> entries;
  bool is_named = chart.bars.size() > 1;
  for (const Bars& bars : chart.bars) {
    const mhc::Histogram& histogram = bars.histogram;
    x_extent.add(chart.x, histogram.low());
    x_extent.add(chart.x, histogram.high());
    for (const mhc::Index count : histogram.counts()) {
      y_extent.add(chart.y, static_cast<double>(count));
    }
    const std::string outside = outside_of(histogram);
    is_named = is_named || !bars.name.empty() || !outside.empty();
    entries.push_back({bars.name + outside, {line_colour(entries.size()), 1.5, ""}, true});
  }
  if (!is_named) entries.clear();
  Extent x_ends = ends_of(chart.x, x_extent, 0.0);
  Axis y = chart.y;
  if (y.scale == Scale::linear) {
    y_extent.add(y, 0.0);
  } else if (!y.low && !y_extent.is_empty) {
    y.low = y_extent.low / 2;  // so that the lowest count has a bar
  }
  const Extent y_ends = ends_of(y, y_extent, 0.05);
  draw_title(svg, box, chart.title);
  const Legend legend(std::move(entries), box, true);
  const Plot plot = draw_axes(svg, box, chart.x, x_ends, y, y_ends, std::max(legend.width(), 12.0),
                              legend.height());
  for (std::size_t i = 0; i < chart.bars.size(); ++i) {
    const mhc::Histogram& histogram = chart.bars[i].histogram;
    const auto height = [&](mhc::Index count) {
      const auto value = static_cast<double>(count);
      return can_show(y, value) ? plot.y(value) : plot.frame.bottom();
    };
    const auto place = [&](mhc::Index edge) {
      const double value = histogram.edge(edge);
      return can_show(chart.x, value) ? plot.x(value) : plot.frame.x;
    };
    std::vector<Point> steps{{place(0), plot.frame.bottom()}};
    for (mhc::Index bin = 0; bin < histogram.bins(); ++bin) {
      const double top = height(histogram.counts()[static_cast<std::size_t>(bin)]);
      steps.push_back({place(bin), top});
      steps.push_back({place(bin + 1), top});
    }
    steps.push_back({place(histogram.bins()), plot.frame.bottom()});
    svg.area(clipped_area(steps, plot.frame), line_colour(i), 0.25);
    for (const auto& path : clipped_path(steps, plot.frame)) {
      svg.path(path, {line_colour(i), 1.5, ""});
    }
  }
  legend.draw(svg, box, plot.frame);
}

}  // namespace detail
}  // namespace report
