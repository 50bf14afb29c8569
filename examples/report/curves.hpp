// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "axis.hpp"
#include "svg.hpp"

namespace report::detail {

/// The points [begin, end) of a series, all of which can be drawn.
struct Run {
  std::size_t begin = 0, end = 0;
};

template <class CanShow>
std::vector<Run> runs_of(std::size_t size, const CanShow& can_show) {
  std::vector<Run> runs;
  for (std::size_t i = 0; i < size; ++i) {
    if (!can_show(i)) continue;
    if (runs.empty() || runs.back().end != i) runs.push_back({i, i});
    runs.back().end = i + 1;
  }
  return runs;
}

/// Why a point is not drawn.
inline const char* reason_of(const Axis& x_axis, double x, double y) {
  if (is_nan(y)) return "NaN";
  if (!is_finite(y)) return "infinite";
  if (!can_show(x_axis, x)) return "no place on the x axis";
  return "\xe2\x89\xa4 0";
}

/// The legend's remark on the points that are not drawn: "NaN from x = 120" if no later point is
/// drawn, else how many they are; empty if all are drawn.
inline std::string remark_on(const Axis& x_axis, const std::vector<double>& x,
                             const std::vector<double>& y, const std::vector<Run>& runs) {
  if (y.empty()) return "no points";
  std::size_t shown = 0;
  for (const Run& run : runs) shown += run.end - run.begin;
  if (shown == y.size()) return {};
  std::size_t first = 0;
  for (const Run& run : runs) {
    if (run.begin == first) first = run.end;
  }
  const std::string reason = reason_of(x_axis, x[first], y[first]);
  bool is_common = true;
  for (std::size_t i = 0, run = 0; i < y.size(); ++i) {
    while (run < runs.size() && runs[run].end <= i) ++run;
    if (run < runs.size() && i >= runs[run].begin) continue;
    is_common = is_common && reason == reason_of(x_axis, x[i], y[i]);
  }
  const std::string what = is_common ? reason : "nothing to draw";
  if (first == shown && is_finite(x[first])) return what + " from x = " + number(x[first], 6);
  return what + " at " + std::to_string(y.size() - shown) + " of " + std::to_string(y.size());
}

/// The part of the segment a b in the box, or none (Liang and Barsky).
inline std::optional<std::pair<Point, Point>> clipped(Point a, Point b, const Box& box) {
  double begin = 0, end = 1;
  const double dx = b.x - a.x, dy = b.y - a.y;
  const double p[] = {-dx, dx, -dy, dy};
  const double q[] = {a.x - box.x, box.right() - a.x, a.y - box.y, box.bottom() - a.y};
  for (int side = 0; side < 4; ++side) {
    if (p[side] < 0) {
      begin = std::max(begin, q[side] / p[side]);
    } else if (p[side] > 0) {
      end = std::min(end, q[side] / p[side]);
    } else if (q[side] < 0) {
      return std::nullopt;
    }
  }
  if (begin > end) return std::nullopt;
  return std::pair<Point, Point>{{a.x + begin * dx, a.y + begin * dy},
                                 {a.x + end * dx, a.y + end * dy}};
}

/// The paths of a curve in the box.
inline std::vector<std::vector<Point>> clipped_path(const std::vector<Point>& points,
                                                    const Box& box) {
  std::vector<std::vector<Point>> paths;
  const auto same = [](Point a, Point b) {
    return std::abs(a.x - b.x) + std::abs(a.y - b.y) < 1e-9;
  };
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    const auto part = clipped(points[i], points[i + 1], box);
    if (!part) continue;
    if (paths.empty() || !same(paths.back().back(), part->first)) {
      paths.push_back({part->first});
    }
    paths.back().push_back(part->second);
  }
  return paths;
}

/// The part of a polygon in the box (Sutherland and Hodgman).
inline std::vector<Point> clipped_area(std::vector<Point> corners, const Box& box) {
  const auto cut = [&](auto inside_by) {
    std::vector<Point> kept;
    for (std::size_t i = 0; i < corners.size(); ++i) {
      const Point a = corners[i], b = corners[(i + 1) % corners.size()];
      const double from = inside_by(a), to = inside_by(b);
      if (from >= 0) kept.push_back(a);
      if ((from >= 0) == (to >= 0)) continue;
      const double share = from / (from - to);
      kept.push_back({a.x + share * (b.x - a.x), a.y + share * (b.y - a.y)});
    }
    corners = std::move(kept);
  };
  cut([&](Point p) { return p.x - box.x; });
  cut([&](Point p) { return box.right() - p.x; });
  cut([&](Point p) { return p.y - box.y; });
  cut([&](Point p) { return box.bottom() - p.y; });
  return corners;
}

/// A curve that looks the same, with at most four points for each half pixel of x: the first, the
/// lowest, the highest and the last.
inline std::vector<Point> thinned(const std::vector<Point>& points) {
  constexpr std::size_t enough = 2000;
  if (points.size() <= enough) return points;
  std::vector<Point> kept;
  for (std::size_t begin = 0, end = 0; begin < points.size(); begin = end) {
    const double column = std::floor(points[begin].x * 2);
    std::size_t low = begin, high = begin;
    for (end = begin; end < points.size() && std::floor(points[end].x * 2) == column; ++end) {
      if (points[end].y < points[low].y) low = end;
      if (points[end].y > points[high].y) high = end;
    }
    std::size_t last = begin;
    kept.push_back(points[begin]);
    for (const std::size_t next : {std::min(low, high), std::max(low, high), end - 1}) {
      if (next > last) kept.push_back(points[next]);
      last = std::max(last, next);
    }
  }
  return kept;
}

}  // namespace report::detail
