// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "colour.hpp"
#include "heat_map.hpp"
#include "plot.hpp"
#include "refuse.hpp"
#include "svg.hpp"

namespace report {

namespace detail {

class HeatMapsDrawing {
 public:
  HeatMapsDrawing(const HeatMaps& chart, Svg& svg) : chart_(chart), svg_(svg) {
    constexpr const char* function = "report::HeatMaps";
    if (chart.maps.empty()) detail::refuse(function, "'", chart.title, "' has no maps");
    for (const HeatMap& map : chart.maps) {
      if (map.values.size() == 0) {
        detail::refuse(function, "'", chart.title, "': the map '", map.title, "' has no values");
      }
      add(map);
    }
    if (chart.limit && !(is_finite(*chart.limit) && *chart.limit > 0)) {
      detail::refuse(function, "'", chart.title, "': the limit is ", number(*chart.limit),
                     ", expected a finite number above 0");
    }
    limit_ = chart.limit ? *chart.limit : largest_ > 0 ? largest_ : 1;
  }

  void draw(const Box& box) {
    const double above = chart_.title.empty() ? 0 : title_height;
    if (above > 0) draw_title(svg_, box, chart_.title);
    Box maps{box.x, box.y + above, box.width, box.height - above};
    const double row_numbers = width_of(std::to_string(most_rows_ - 1), number_size) + 8;
    const double left = std::max(row_numbers, width_of(chart_.rows, number_size) + 8);
    const double bar = bar_width();
    maps = {maps.x + left, maps.y, std::max(maps.width - left - bar - 14, 40.0),
            std::max(maps.height - 18, 40.0)};
    choose_sizes(maps);
    has_numbers_ = have_numbers_room();
    const double width = cell_width_ * static_cast<double>(most_columns_);
    const double height = cell_height_ * static_cast<double>(most_rows_);
    for (std::size_t i = 0; i < chart_.maps.size(); ++i) {
      const std::size_t line = i / in_row_;
      const Box at{maps.x + static_cast<double>(i % in_row_) * (width + gap),
                   maps.y + label_ + static_cast<double>(line) * (height + label_ + gap),
                   cell_width_ * static_cast<double>(chart_.maps[i].values.cols()),
                   cell_height_ * static_cast<double>(chart_.maps[i].values.rows())};
      svg_.text_within(width + gap - 4, {at.x, at.y - 6}, chart_.maps[i].title, {12});
      draw_map(chart_.maps[i].values, at);
      if (i % in_row_ == 0) number_rows(chart_.maps[i].values.rows(), at);
      if (i + in_row_ >= chart_.maps.size()) number_columns(chart_.maps[i].values.cols(), at);
      if (i == 0) {
        svg_.text({at.x - 6, at.y - 6}, chart_.rows, {number_size, Anchor::end, soft});
      }
      if (line == (chart_.maps.size() - 1) / in_row_ && i % in_row_ == 0) {
        svg_.text({at.x - 6, at.bottom() + 14}, chart_.columns, {number_size, Anchor::end, soft});
      }
    }
    const double columns = static_cast<double>(std::min(in_row_, chart_.maps.size()));
    const double lines = std::ceil(static_cast<double>(chart_.maps.size()) / columns);
    const double total = lines * (height + label_ + gap) - gap - label_;
    draw_bar({maps.x + columns * (width + gap) - gap + 16, maps.y + label_, 14,
              std::clamp(total, 60.0, 180.0)});
  }

 private:
  static constexpr double number_size = 11, gap = 14;

  void add(const HeatMap& map) {
    most_rows_ = std::max(most_rows_, map.values.rows());
    most_columns_ = std::max(most_columns_, map.values.cols());
    are_square_ = are_square_ && map.values.rows() == map.values.cols();
    if (!map.title.empty()) label_ = 20;
    for (const double value : map.values.reshaped()) {
      if (!is_finite(value)) {
        has_no_value_ = true;
        continue;
      }
      largest_ = std::max(largest_, std::abs(value));
      is_signed_ = is_signed_ || value < 0;
    }
  }

  /// Chooses the number of maps per row and the size of their cells.
  void choose_sizes(const Box& box) {
    constexpr double largest_cell = 56;
    const std::size_t count = chart_.maps.size();
    if (label_ == 0 && !chart_.rows.empty()) label_ = 16;
    double best = -1;
    const std::size_t first = chart_.in_row > 0 ? std::min(chart_.in_row, count) : 1;
    const std::size_t last = chart_.in_row > 0 ? first : count;
    for (std::size_t in_row = first; in_row <= last; ++in_row) {
      const auto across = static_cast<double>(in_row);
      const std::size_t lines = (count + in_row - 1) / in_row;
      const auto down = static_cast<double>(lines);
      double width = (box.width - (across - 1) * gap) / across / static_cast<double>(most_columns_);
      double height =
          (box.height - down * label_ - (down - 1) * gap) / down / static_cast<double>(most_rows_);
      width = std::clamp(width, 0.2, largest_cell);
      height = std::clamp(height, 0.2, largest_cell);
      if (are_square_) width = height = std::min(width, height);
      if (width * height < best * (1 - 1e-9)) continue;
      best = width * height;
      cell_width_ = width;
      cell_height_ = height;
      in_row_ = in_row;
    }
  }

  /// Numbers are drawn in all cells of all maps or in none.
  bool have_numbers_room() const {
    if (cell_height_ < 15) return false;
    for (const HeatMap& map : chart_.maps) {
      for (const double value : map.values.reshaped()) {
        if (width_of(words_of(value), number_size) + 2 > cell_width_) return false;
      }
    }
    return true;
  }

  double share(double value) const { return value / limit_; }
  Colour colour_of(double value) const {
    if (!is_finite(value)) return no_value;
    return is_signed_ ? diverging(share(value)) : sequential(share(value));
  }

  std::string words_of(double value) const {
    if (is_nan(value)) return "NaN";
    if (!is_finite(value)) return value < 0 ? "\xe2\x88\x92\xe2\x88\x9e" : "\xe2\x88\x9e";
    const int decimals = largest_ >= 99.5 ? 0 : largest_ >= 9.95 ? 1 : largest_ >= 0.1 ? 2 : 3;
    if (largest_ < 0.01 || largest_ >= 1e5) return with_minus(number(value, 2));
    std::string text = fixed(value, decimals);
    if (text.find_first_not_of("-0.") == std::string::npos && text[0] == '-') text.erase(0, 1);
    return with_minus(text);
  }

  void draw_map(const mhc::reference::Matrix<double>& values, const Box& at) {
    for (Eigen::Index i = 0; i < values.rows(); ++i) {
      for (Eigen::Index j = 0; j < values.cols(); ++j) {
        const Box cell{at.x + static_cast<double>(j) * cell_width_,
                       at.y + static_cast<double>(i) * cell_height_, cell_width_, cell_height_};
        const Colour colour = colour_of(values(i, j));
        // A little larger, so that no background shows between cells.
        const double more_x = j + 1 < values.cols() ? 0.4 : 0,
                     more_y = i + 1 < values.rows() ? 0.4 : 0;
        svg_.rectangle({cell.x, cell.y, cell.width + more_x, cell.height + more_y}, colour);
        if (!has_numbers_) continue;
        svg_.text({cell.x + cell.width / 2, cell.y + cell.height / 2 + 4}, words_of(values(i, j)),
                  {number_size, Anchor::middle, lightness(colour) < 0.55 ? white : ink});
      }
    }
    svg_.frame(at);
  }

  void number_rows(Eigen::Index count, const Box& at) {
    const auto every = static_cast<Eigen::Index>(std::ceil(13 / cell_height_));
    for (Eigen::Index i = 0; i < count; i += every) {
      svg_.text({at.x - 6, at.y + (static_cast<double>(i) + 0.5) * cell_height_ + 4},
                std::to_string(i), {number_size, Anchor::end, soft});
    }
  }

  void number_columns(Eigen::Index count, const Box& at) {
    const double room = width_of(std::to_string(count - 1), number_size) + 4;
    const auto every = static_cast<Eigen::Index>(std::ceil(room / cell_width_));
    for (Eigen::Index j = 0; j < count; j += every) {
      svg_.text({at.x + (static_cast<double>(j) + 0.5) * cell_width_, at.bottom() + 14},
                std::to_string(j), {number_size, Anchor::middle, soft});
    }
  }

  std::string bar_label(double part) const {
    const double value = is_signed_ ? limit_ * (2 * part - 1) : limit_ * part;
    const bool is_beyond = largest_ > limit_ * (1 + 1e-9);
    const bool is_end = part == 1 || (part == 0 && is_signed_);
    const char* const sign = !is_beyond || !is_end ? ""
                             : value < 0           ? "\xe2\x89\xa4 "
                                                   : "\xe2\x89\xa5 ";
    return sign + with_minus(number(value, 3));
  }

  double bar_width() const {
    double words = has_no_value_ ? width_of("no value", number_size) : 0;
    for (const double part : {0.0, 0.5, 1.0}) {
      words = std::max(words, width_of(bar_label(part), number_size));
    }
    return 16 + 14 + 6 + words - 14;
  }

  void draw_bar(const Box& at) {
    constexpr int steps = 64;
    for (int i = 0; i < steps; ++i) {
      const double part = 1 - (i + 0.5) / steps;
      const double value = is_signed_ ? limit_ * (2 * part - 1) : limit_ * part;
      svg_.rectangle({at.x, at.y + at.height * i / steps, at.width,
                      at.height / steps + (i + 1 < steps ? 0.4 : 0)},
                     colour_of(value));
    }
    svg_.frame(at);
    for (const double part : {0.0, 0.5, 1.0}) {
      svg_.text({at.right() + 6, at.y + at.height * (1 - part) + 4}, bar_label(part),
                {number_size, Anchor::start, soft});
    }
    if (!has_no_value_) return;
    svg_.rectangle({at.x, at.bottom() + 12, at.width, 11}, no_value);
    svg_.text({at.right() + 6, at.bottom() + 21}, "no value", {number_size, Anchor::start, soft});
  }

  const HeatMaps& chart_;
  Svg& svg_;
  Eigen::Index most_rows_ = 0, most_columns_ = 0;
  bool are_square_ = true, is_signed_ = false, has_no_value_ = false, has_numbers_ = false;
  double largest_ = 0, limit_ = 1, label_ = 0;
  std::size_t in_row_ = 1;
  double cell_width_ = 1, cell_height_ = 1;
};

}  // namespace detail
}  // namespace report
