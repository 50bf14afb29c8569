// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>

#include <mhc/diagnostics/finite.hpp>

namespace report {

/// Red, green and blue, 0 to 255.
struct Colour {
  int red = 0, green = 0, blue = 0;

  std::string hex() const {
    constexpr char digits[] = "0123456789abcdef";
    std::string text = "#";
    for (const int part : {red, green, blue}) {
      text += digits[part / 16];
      text += digits[part % 16];
    }
    return text;
  }
};

/// Colours of lines, in the order in which a chart uses them. Each has a contrast of at least 3 to
/// white, and protanopes, deuteranopes and tritanopes can tell them apart.
inline constexpr std::array<Colour, 8> palette{{{0x00, 0x5e, 0xb8},
                                                {0xcf, 0x5f, 0x30},
                                                {0x00, 0x80, 0x5f},
                                                {0x9a, 0x2e, 0x7e},
                                                {0xc0, 0x8a, 0x00},
                                                {0x3f, 0x9a, 0xd6},
                                                {0x22, 0x22, 0x22},
                                                {0x73, 0x39, 0x10}}};

/// The palette's colour of series i; the palette repeats after its last colour.
inline Colour line_colour(std::size_t i) {
  return palette[i % palette.size()];
}

/// The colour of a cell that is NaN or infinite.
inline constexpr Colour no_value{0xa6, 0x9b, 0x8d};

namespace detail {

template <std::size_t Count>
Colour between(const std::array<Colour, Count>& stops, double share) {
  const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(Count - 1);
  const std::size_t i = std::min(static_cast<std::size_t>(place), Count - 2);
  const double part = place - static_cast<double>(i);
  const auto mix = [&](int a, int b) { return static_cast<int>(std::lround(a + part * (b - a))); };
  const Colour a = stops[i], b = stops[i + 1];
  return {mix(a.red, b.red), mix(a.green, b.green), mix(a.blue, b.blue)};
}

/// 0 is black, 1 white (sRGB's luma, to choose between dark and light text).
inline double lightness(Colour c) {
  return (0.299 * c.red + 0.587 * c.green + 0.114 * c.blue) / 255.0;
}

}  // namespace detail

/// 0 nearly white to 1 dark blue.
inline Colour sequential(double share) {
  if (!mhc::detail::is_finite(share)) return no_value;
  constexpr std::array<Colour, 6> stops{{{0xf5, 0xf9, 0xfe},
                                         {0xd0, 0xe1, 0xf2},
                                         {0x94, 0xc4, 0xdf},
                                         {0x4a, 0x98, 0xc9},
                                         {0x1a, 0x64, 0xac},
                                         {0x08, 0x30, 0x6b}}};
  return detail::between(stops, share);
}

/// -1 dark red over 0, nearly white, to 1 dark blue.
inline Colour diverging(double share) {
  if (!mhc::detail::is_finite(share)) return no_value;
  constexpr std::array<Colour, 9> stops{{{0x67, 0x00, 0x1f},
                                         {0xb2, 0x18, 0x2b},
                                         {0xd8, 0x6b, 0x55},
                                         {0xf6, 0xbf, 0xa6},
                                         {0xf7, 0xf7, 0xf7},
                                         {0xc2, 0xdd, 0xed},
                                         {0x6a, 0xac, 0xd0},
                                         {0x21, 0x66, 0xac},
                                         {0x05, 0x30, 0x61}}};
  return detail::between(stops, 0.5 + 0.5 * share);
}

}  // namespace report
