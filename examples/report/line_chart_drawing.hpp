// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "axis.hpp"
#include "colour.hpp"
#include "curves.hpp"
#include "line_chart.hpp"
#include "plot.hpp"
#include "refuse.hpp"
#include "svg.hpp"

namespace report {

namespace detail {

inline void check_chart(const LineChart& chart) {
  constexpr const char* function = "report::LineChart";
  check_axis(function, chart.title, "x", chart.x);
  check_axis(function, chart.title, "y", chart.y);
  bool is_empty = true;
  for (const Series& s : chart.series) {
    if (s.x.size() != s.y.size()) {
      detail::refuse(function, "'", chart.title, "': series '", s.name, "' has ", s.x.size(),
                     " x and ", s.y.size(), " y, expected as many");
    }
    const bool has_band = !s.low.empty() || !s.high.empty();
    if (has_band && (s.low.size() != s.x.size() || s.high.size() != s.x.size())) {
      detail::refuse(function, "'", chart.title, "': the band of series '", s.name, "' has ",
                     s.low.size(), " low and ", s.high.size(), " high, expected ", s.x.size(),
                     " of each");
    }
    is_empty = is_empty && s.x.empty();
  }
  if (is_empty) detail::refuse(function, "'", chart.title, "' has no points");
}

class LineChartDrawing {
 public:
  LineChartDrawing(const LineChart& chart, Svg& svg) : chart_(chart), svg_(svg) {
    check_chart(chart);
  }

  void draw(const Box& box) {
    draw_title(svg_, box, chart_.title);
    std::vector<Entry> entries;
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      const Series& s = chart_.series[i];
      const std::string remark = remark_on(chart_.x, s.x, s.y, runs(s));
      if (s.name.empty() && remark.empty()) continue;
      entries.push_back({remark.empty() ? s.name : s.name + " (" + remark + ")", stroke(i)});
    }
    const Extent y_ends = ends_of(chart_.y, y_extent(), 0.05);
    for (const Level& level : chart_.levels) {
      if (is_within(y_ends, level.value)) continue;
      entries.push_back({level.name + " (beyond the axis)", level_stroke});
    }
    const double names = names_width(y_ends);
    const bool are_names_outside = names > 0 && names <= 0.3 * box.width;
    const Legend legend(std::move(entries), box, names == 0);
    const double right = legend.width() + (are_names_outside ? names + 10 : 0);
    plot_ = draw_axes(svg_, box, chart_.x, ends_of(chart_.x, x_extent(), 0.02), chart_.y, y_ends,
                      std::max(right, 12.0), legend.height());
    for (std::size_t i = 0; i < chart_.series.size(); ++i) draw_band(i);
    draw_levels();
    for (std::size_t i = 0; i < chart_.series.size(); ++i) draw_curve(i);
    draw_level_names(are_names_outside);
    legend.draw(svg_, box, plot_.frame);
  }

 private:
  static constexpr Stroke level_stroke{{0x59, 0x63, 0x6e}, 1.2, "2 3"};
  static constexpr double name_size = 11;

  Stroke stroke(std::size_t i) const {
    const Series& s = chart_.series[i];
    const std::size_t colour = s.colour < 0 ? i : static_cast<std::size_t>(s.colour);
    // Where the palette repeats, lines are dotted.
    const char* const again = colour < palette.size() ? "" : "2 2.5";
    return {line_colour(colour), 1.8, s.is_dashed ? "6 4" : again};
  }

  std::vector<Run> runs(const Series& s) const {
    return runs_of(s.x.size(), [&](std::size_t i) {
      return can_show(chart_.x, s.x[i]) && can_show(chart_.y, s.y[i]);
    });
  }

  Extent x_extent() const {
    Extent extent;
    for (const Series& s : chart_.series) {
      for (const double value : s.x) extent.add(chart_.x, value);
    }
    return extent;
  }

  Extent y_extent() const {
    Extent extent;
    for (const Series& s : chart_.series) {
      for (const auto* values : {&s.y, &s.low, &s.high}) {
        for (const double value : *values) extent.add(chart_.y, value);
      }
    }
    for (const Level& level : chart_.levels) extent.add(chart_.y, level.value);
    return extent;
  }

  bool is_within(const Extent& ends, double value) const {
    return can_show(chart_.y, value) && value >= ends.low && value <= ends.high;
  }

  double names_width(const Extent& ends) const {
    double width = 0;
    for (const Level& level : chart_.levels) {
      if (is_within(ends, level.value)) width = std::max(width, width_of(level.name, name_size));
    }
    return width;
  }

  Point place(double x, double y) const { return {plot_.x(x), plot_.y(y)}; }

  void draw_band(std::size_t i) {
    const Series& s = chart_.series[i];
    if (s.low.empty()) return;
    const auto parts = runs_of(s.x.size(), [&](std::size_t k) {
      return can_show(chart_.x, s.x[k]) && can_show(chart_.y, s.low[k]) &&
             can_show(chart_.y, s.high[k]);
    });
    for (const Run& run : parts) {
      std::vector<Point> lower, upper;
      for (std::size_t k = run.begin; k < run.end; ++k) {
        lower.push_back(place(s.x[k], s.low[k]));
        upper.push_back(place(s.x[k], s.high[k]));
      }
      std::vector<Point> corners = thinned(upper);
      lower = thinned(lower);
      corners.insert(corners.end(), lower.rbegin(), lower.rend());
      svg_.area(clipped_area(std::move(corners), plot_.frame), stroke(i).colour, 0.16);
    }
  }

  void draw_curve(std::size_t i) {
    constexpr std::size_t most_dots = 24;
    const Series& s = chart_.series[i];
    const Box& frame = plot_.frame;
    const bool has_line = s.marks != Marks::dots;
    const bool has_dots = s.marks == Marks::dots || s.marks == Marks::both ||
                          (s.marks == Marks::automatic && s.x.size() <= most_dots);
    for (const Run& run : runs(s)) {
      std::vector<Point> points;
      for (std::size_t k = run.begin; k < run.end; ++k) points.push_back(place(s.x[k], s.y[k]));
      for (const auto& path : clipped_path(thinned(points), frame)) {
        if (has_line) svg_.path(path, stroke(i));
      }
      if (!has_dots && points.size() > 1) continue;
      for (const Point& p : points) {
        const bool is_in = p.x >= frame.x - 1e-6 && p.x <= frame.right() + 1e-6 &&
                           p.y >= frame.y - 1e-6 && p.y <= frame.bottom() + 1e-6;
        if (is_in) svg_.dot(p, 2.4, stroke(i).colour);
      }
    }
  }

  void draw_levels() {
    for (const Level& level : chart_.levels) {
      if (!is_within(plot_.y.ends(), level.value)) continue;
      const double at = plot_.y(level.value);
      svg_.line({plot_.frame.x, at}, {plot_.frame.right(), at}, level_stroke);
    }
  }

  /// To the right of the frame, or, where that takes too much width, inside it with a white halo;
  /// from the top down, at least a line apart.
  void draw_level_names(bool are_outside) {
    std::vector<Level> shown;
    for (const Level& level : chart_.levels) {
      if (is_within(plot_.y.ends(), level.value)) shown.push_back(level);
    }
    std::sort(shown.begin(), shown.end(),
              [](const Level& a, const Level& b) { return a.value > b.value; });
    const Box& frame = plot_.frame;
    double least = frame.y;
    for (const Level& level : shown) {
      const double at = plot_.y(level.value);
      if (are_outside) {
        const double y = std::max(at, least);
        svg_.text({frame.right() + 6, y + 4}, level.name, {name_size, Anchor::start, soft});
        least = y + name_size + 3;
      } else {
        const double y = std::max(at - 4, least + name_size);
        svg_.text_within(frame.width - 12, {frame.right() - 6, y}, level.name,
                         {name_size, Anchor::end, soft, false, false, true});
        least = y + 3;
      }
    }
  }

  const LineChart& chart_;
  Svg& svg_;
  Plot plot_;
};

}  // namespace detail
}  // namespace report
