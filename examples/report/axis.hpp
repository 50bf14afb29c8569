// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "refuse.hpp"
#include "svg.hpp"
#include "ticks.hpp"

namespace report {

/// How values map to positions along an axis.
enum class Scale { linear, log };

/// `low` and `high` are the limits of the axis, by default those of the data. `ticks`, if any,
/// replace the numbers: {2, "1 mlp"}; they are thinned out where they are dense.
struct Axis {
  std::string label = {};
  Scale scale = Scale::linear;
  std::optional<double> low = {}, high = {};
  std::vector<Tick> ticks = {};
};

namespace detail {

inline bool can_show(const Axis& axis, double value) {
  return is_finite(value) && (axis.scale == Scale::linear || value > 0);
}

/// Throws std::invalid_argument if the limits of the axis are invalid.
inline void check_axis(const char* function, const std::string& chart, const char* which,
                       const Axis& axis) {
  for (const auto& limit : {axis.low, axis.high}) {
    if (!limit || can_show(axis, *limit)) continue;
    detail::refuse(function, "'", chart, "': the ", which, " axis ends at ", number(*limit),
                   axis.scale == Scale::log ? ", expected a finite number above 0, as it is "
                                              "logarithmic"
                                            : ", expected a finite number");
  }
  if (axis.low && axis.high && !(*axis.low < *axis.high)) {
    detail::refuse(function, "'", chart, "': the ", which, " axis goes from ",
                   number(*axis.low, 17), " to ", number(*axis.high, 17),
                   ", expected the first to be less");
  }
}

/// The range of the values that an axis can show.
struct Extent {
  double low = 0, high = 0;
  bool is_empty = true;

  void add(const Axis& axis, double value) {
    if (!can_show(axis, value)) return;
    low = is_empty ? value : std::min(low, value);
    high = is_empty ? value : std::max(high, value);
    is_empty = false;
  }
};

/// The limits of the axis: those given, else those of the data widened by `pad` of their range, but
/// not across zero.
inline Extent ends_of(const Axis& axis, Extent data, double pad) {
  const bool is_log = axis.scale == Scale::log;
  if (data.is_empty) {
    const double at = axis.low ? *axis.low : axis.high ? *axis.high : is_log ? 1 : 0;
    data.low = data.high = at;
  }
  Extent ends = data;
  if (is_log) {
    constexpr double least = 1e-300, most = 1e300;
    const double ratio = std::log10(data.high) - std::log10(data.low);
    const double factor = ratio < 1e-6 ? 2.0 : std::pow(10.0, pad * ratio);
    ends.low = std::max(data.low / factor, std::min(data.low, least));
    ends.high = data.high < most ? data.high * factor : data.high;
  } else {
    const double size = std::max(std::abs(data.low), std::abs(data.high));
    const bool is_flat = data.high / 2 - data.low / 2 <= 1e-12 * size;
    const double span = is_flat ? std::max(0.1 * size, size > 0 ? 1e-290 : 1.0)
                                : std::min(data.high / 2 - data.low / 2, 1e307) * 2 * pad;
    constexpr double most = 1.7e308;
    ends.low = data.low >= 0 && data.low < span ? 0.0 : std::max(data.low - span, -most);
    ends.high = data.high <= 0 && data.high > -span ? 0.0 : std::min(data.high + span, most);
    if (ends.low >= ends.high) ends.high = ends.low + 1;
  }
  if (axis.low) ends.low = *axis.low;
  if (axis.high) ends.high = *axis.high;
  if (ends.low < ends.high) return ends;
  // All data lie beyond the given limit.
  const double distance = is_log ? 10.0 : std::max(1.0, std::abs(axis.low ? ends.low : ends.high));
  if (axis.low) {
    ends.high = is_log ? ends.low * distance : ends.low + distance;
  } else {
    ends.low = is_log ? ends.high / distance : ends.high - distance;
  }
  return ends;
}

/// Values to coordinates.
class Mapping {
 public:
  Mapping() = default;
  Mapping(const Axis& axis, const Extent& ends, double begin, double end)
      : is_log_(axis.scale == Scale::log), ends_(ends), begin_(begin), end_(end) {}

  double operator()(double value) const {
    const double share = is_log_ ? (std::log10(value) - std::log10(ends_.low)) /
                                       (std::log10(ends_.high) - std::log10(ends_.low))
                                 : (value / 2 - ends_.low / 2) / (ends_.high / 2 - ends_.low / 2);
    // Clamped far outside the frame: what is drawn is clipped to it.
    return begin_ + std::clamp(share, -1e6, 1e6) * (end_ - begin_);
  }

  const Extent& ends() const { return ends_; }

 private:
  bool is_log_ = false;
  Extent ends_;
  double begin_ = 0, end_ = 1;
};

/// The font size of the numbers on an axis.
inline constexpr double tick_size = 12;

/// The axis's own ticks, or as many numbers as fit on `pixels` without overlap.
inline std::vector<Tick> ticks_of(const Axis& axis, const Extent& ends, double pixels,
                                  bool is_upright) {
  const Mapping at(axis, ends, 0, pixels);
  const auto room = [&](const Tick& tick) {
    return is_upright ? tick_size + 8 : width_of(tick.label, tick_size) + 10;
  };
  if (!axis.ticks.empty()) {
    std::vector<Tick> kept;
    double from = -1e9;
    for (const Tick& tick : axis.ticks) {
      if (!can_show(axis, tick.value)) continue;
      const double place = at(tick.value);
      if (place < -0.5 || place > pixels + 0.5) continue;
      const bool fits = place - room(tick) / 2 >= from;
      if (fits) from = place + room(tick) / 2;
      kept.push_back({tick.value, fits ? tick.label : ""});
    }
    return kept;
  }
  std::vector<Tick> ticks;
  for (int most = static_cast<int>(std::clamp(pixels / (is_upright ? 26 : 34), 2.0, 10.0));
       most >= 2; --most) {
    ticks = axis.scale == Scale::log ? log_ticks(ends.low, ends.high, most)
                                     : linear_ticks(ends.low, ends.high, most);
    double from = -1e9;
    bool fits = true;
    for (const Tick& tick : ticks) {
      if (tick.label.empty()) continue;
      fits = fits && at(tick.value) - room(tick) / 2 >= from;
      from = at(tick.value) + room(tick) / 2;
    }
    if (fits) break;
  }
  return ticks;
}

inline double widest(const std::vector<Tick>& ticks) {
  double width = 0;
  for (const Tick& tick : ticks) width = std::max(width, width_of(tick.label, tick_size));
  return width;
}

}  // namespace detail
}  // namespace report
