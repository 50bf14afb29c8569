// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "axis.hpp"
#include "svg.hpp"

namespace report::detail {

/// A legend's entry: a line or a patch of colour, and a name.
struct Entry {
  std::string name;
  Stroke stroke;
  bool is_patch = false;
};

inline constexpr double legend_size = 12, legend_line = 19, sample = 26, legend_gap = 18;

inline double entry_width(const Entry& entry) {
  return sample + 6 + width_of(entry.name, legend_size);
}

inline void draw_entry(Svg& svg, Point at, double width, const Entry& entry) {
  if (entry.is_patch) {
    svg.rectangle({at.x + 6, at.y - 10, 14, 11}, entry.stroke.colour, 0.35);
    svg.frame({at.x + 6, at.y - 10, 14, 11}, entry.stroke.colour);
  } else {
    svg.line({at.x, at.y - 4}, {at.x + sample, at.y - 4}, entry.stroke);
  }
  svg.text_within(width - sample - 6, {at.x + sample + 6, at.y}, entry.name, {legend_size});
}

/// A legend to the right of a plot, or in lines below it if the plot would keep less than two
/// thirds of the width or the entries are too high; never inside the plot.
class Legend {
 public:
  Legend(std::vector<Entry> entries, const Box& box, bool may_stand_right)
      : entries_(std::move(entries)) {
    for (const Entry& entry : entries_) widest_ = std::max(widest_, entry_width(entry));
    const double height = static_cast<double>(entries_.size()) * legend_line;
    is_right_ = may_stand_right && widest_ + 16 <= box.width / 3 && height <= box.height - 60;
    if (is_right_) return;
    // Columns of equal width, as many as fit, unless entries of any width need fewer lines.
    const auto lay_out = [&](double column) {
      std::vector<Point> places;
      double x = 0, y = 0;
      for (const Entry& entry : entries_) {
        const double width = std::min(column > 0 ? column : entry_width(entry), box.width - indent);
        if (x > 0 && x + width > box.width - indent) {
          x = 0;
          y += legend_line;
        }
        places.push_back({x, y});
        x += width + legend_gap;
      }
      return places;
    };
    places_ = lay_out(widest_);
    if (entries_.empty()) return;
    const auto dense = lay_out(0);
    if (dense.back().y < places_.back().y) places_ = dense;
  }

  double width() const { return is_right_ && !entries_.empty() ? widest_ + 16 : 0; }
  double height() const { return places_.empty() ? 0 : places_.back().y + legend_line + 8; }

  /// `box` is the chart's area, `plot` the frame in it.
  void draw(Svg& svg, const Box& box, const Box& plot) const {
    double y = plot.y + 14;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (is_right_) {
        draw_entry(svg, {box.right() - widest_, y}, widest_, entries_[i]);
        y += legend_line;
      } else {
        const Point at{box.x + indent + places_[i].x, box.bottom() - height() + 20 + places_[i].y};
        draw_entry(svg, at, box.right() - at.x, entries_[i]);
      }
    }
  }

 private:
  static constexpr double indent = 20;
  std::vector<Entry> entries_;
  std::vector<Point> places_;  // below the plot, from the legend's corner
  double widest_ = 0;
  bool is_right_ = false;
};

/// The frame of a chart with its grid, axes, labels and title.
struct Plot {
  Box frame;
  Mapping x, y;
};

inline constexpr double title_height = 26;

inline void draw_title(Svg& svg, const Box& box, const std::string& title) {
  svg.text_within(box.width, {box.x, box.y + 13}, title, {13, Anchor::start, ink, true});
}

/// Draws grid, axes and labels into `box`, below its title; `right` and `below` are the legend's
/// sizes.
inline Plot draw_axes(Svg& svg, const Box& box, const Axis& x, const Extent& x_ends, const Axis& y,
                      const Extent& y_ends, double right, double below) {
  Plot plot;
  const double bottom = 22 + (x.label.empty() ? 0 : 18) + below;
  plot.frame.y = box.y + title_height;
  plot.frame.height = std::max(box.bottom() - bottom - plot.frame.y, 40.0);
  const auto y_ticks = ticks_of(y, y_ends, plot.frame.height, true);
  plot.frame.x = box.x + (y.label.empty() ? 0 : 20) + widest(y_ticks) + 8;
  plot.frame.width = std::max(box.right() - right - plot.frame.x, 60.0);
  const Box& frame = plot.frame;
  const auto x_ticks = ticks_of(x, x_ends, frame.width, false);
  plot.x = Mapping(x, x_ends, frame.x, frame.right());
  plot.y = Mapping(y, y_ends, frame.bottom(), frame.y);
  for (const Tick& tick : y_ticks) {
    const double at = plot.y(tick.value);
    svg.line({frame.x, at}, {frame.right(), at}, {grid_grey, 1, ""});
    svg.text({frame.x - 7, at + 4}, tick.label, {tick_size, Anchor::end, soft});
  }
  for (const Tick& tick : x_ticks) {
    const double at = plot.x(tick.value);
    svg.line({at, frame.y}, {at, frame.bottom()}, {grid_grey, 1, ""});
    if (tick.label.empty()) continue;
    svg.line({at, frame.bottom()}, {at, frame.bottom() + 4}, {axis_grey, 1, ""});
    svg.text({at, frame.bottom() + 17}, tick.label, {tick_size, Anchor::middle, soft});
  }
  svg.line({frame.x, frame.y}, {frame.x, frame.bottom()}, {axis_grey, 1, ""});
  svg.line({frame.x, frame.bottom()}, {frame.right(), frame.bottom()}, {axis_grey, 1, ""});
  if (!x.label.empty()) {
    svg.text_within(box.width, {frame.x + frame.width / 2, frame.bottom() + 36}, x.label,
                    {12, Anchor::middle, ink});
  }
  if (!y.label.empty()) {
    // Centred on the frame, or further down if it is longer than the frame.
    const double room = box.bottom() - below - frame.y;
    const double length = std::min(width_of(y.label, 12), room);
    const double middle = frame.y + std::max(frame.height, length) / 2;
    svg.text_within(room, {box.x + 11, middle}, y.label, {12, Anchor::middle, ink, false, true});
  }
  return plot;
}

}  // namespace report::detail
