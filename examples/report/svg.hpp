// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "colour.hpp"
#include "text.hpp"

namespace report {

/// Which end of a text is at its position.
enum class Anchor { start, middle, end };

/// How a text is written; sizes in pixels.
struct TextStyle {
  double size = 12;
  Anchor anchor = Anchor::start;
  Colour colour{0x1f, 0x23, 0x28};
  bool is_bold = false;
  bool is_upright = false;  ///< rotated by 90 degrees, read upwards
  bool has_halo = false;    ///< a white outline, legible over lines
};

/// How a line is drawn; widths in pixels.
struct Stroke {
  Colour colour{};
  double width = 1;
  const char* dashes = "";  ///< lengths of dashes and gaps; empty: none
};

/// A place in pixels, y downwards.
struct Point {
  double x = 0, y = 0;
};

/// A rectangle in pixels, from its upper left corner.
struct Box {
  double x = 0, y = 0, width = 0, height = 0;
  double right() const { return x + width; }
  double bottom() const { return y + height; }
};

namespace detail {

inline constexpr Colour ink{0x1f, 0x23, 0x28}, soft{0x59, 0x63, 0x6e}, axis_grey{0x8c, 0x95, 0x9f},
    grid_grey{0xe7, 0xeb, 0xef}, rim_grey{0xd0, 0xd7, 0xde}, white{0xff, 0xff, 0xff};

/// Two decimals at most; a coordinate is always finite and small.
inline std::string coordinate(double value) {
  std::string text = fixed(std::round(value * 100) / 100, 2);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

/// About the width of a character in DejaVu Sans, the widest usual font, in hundredths of an em.
inline int advance_of(char first) {
  constexpr std::string_view thin = "ijl.,:;|!' ", narrow = "frtI()[]/-\"\xe2", wide = "mwMW@%";
  if (thin.find(first) != std::string_view::npos) return 34;
  if (narrow.find(first) != std::string_view::npos) return 44;
  if (wide.find(first) != std::string_view::npos) return 96;
  return first >= 'A' && first <= 'Z' ? 70 : 62;
}

/// About the width of drawn text, seldom too little.
inline double width_of(std::string_view text, double size) {
  int sum = 0;
  while (!text.empty()) {
    sum += advance_of(text.front());
    text.remove_prefix(std::max<std::size_t>(mhc::files::detail::utf8_length(text), 1));
  }
  return 0.01 * sum * size;
}

}  // namespace detail

/// Rectangles, lines and text on a light background, legible on dark pages too. No ids, scripts or
/// styles, so several fit in one page without clashes.
class Svg {
 public:
  void rectangle(const Box& box, Colour fill, double opacity = 1) {
    open("rect", box);
    body_ += " fill=\"" + fill.hex() + "\"";
    if (opacity < 1) attribute("fill-opacity", opacity);
    body_ += "/>\n";
  }

  void frame(const Box& box, Colour colour = detail::axis_grey) {
    open("rect", box);
    body_ += " fill=\"none\" stroke=\"" + colour.hex() + "\"/>\n";
  }

  void line(Point from, Point to, const Stroke& stroke) {
    body_ += "<line";
    attribute("x1", from.x);
    attribute("y1", from.y);
    attribute("x2", to.x);
    attribute("y2", to.y);
    add(stroke);
    body_ += "/>\n";
  }

  void path(const std::vector<Point>& points, const Stroke& stroke) {
    if (points.size() < 2) return;
    body_ += "<polyline fill=\"none\" stroke-linejoin=\"round\"";
    add(stroke);
    add(points);
    body_ += "/>\n";
  }

  void area(const std::vector<Point>& corners, Colour fill, double opacity) {
    if (corners.size() < 3) return;
    body_ += "<polygon fill=\"" + fill.hex() + "\"";
    attribute("fill-opacity", opacity);
    add(corners);
    body_ += "/>\n";
  }

  void dot(Point at, double radius, Colour fill) {
    body_ += "<circle";
    attribute("cx", at.x);
    attribute("cy", at.y);
    attribute("r", radius);
    body_ += " fill=\"" + fill.hex() + "\"/>\n";
  }

  void text(Point at, std::string_view words, const TextStyle& style) {
    begin_text(at, style);
    body_ += escaped(words) + "</text>\n";
  }

  /// Text shortened to `width`; if it is cut, the whole text is the element's title.
  void text_within(double width, Point at, std::string_view words, const TextStyle& style) {
    const double size = style.is_bold ? 1.08 * style.size : style.size;
    std::size_t most = length_of(words);
    while (most > 1 && detail::width_of(shortened(words, most), size) > width) --most;
    begin_text(at, style);
    if (length_of(words) > most) body_ += "<title>" + escaped(words) + "</title>";
    body_ += escaped(shortened(words, most)) + "</text>\n";
  }

  /// The whole document; `title` is for screen readers.
  std::string document(double width, double height, std::string_view title) const {
    const std::string w = detail::coordinate(width), h = detail::coordinate(height);
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + w + " " + h +
           "\" width=\"" + w + "\" height=\"" + h + "\" role=\"img\" aria-label=\"" +
           escaped(title) +
           "\" font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\">\n"
           "<rect x=\"0.5\" y=\"0.5\" width=\"" +
           detail::coordinate(width - 1) + "\" height=\"" + detail::coordinate(height - 1) +
           "\" rx=\"8\" fill=\"#ffffff\" stroke=\"" + detail::rim_grey.hex() + "\"/>\n" + body_ +
           "</svg>\n";
  }

 private:
  void attribute(const char* name, double value) {
    body_ += std::string(" ") + name + "=\"" + detail::coordinate(value) + "\"";
  }

  void open(const char* name, const Box& box) {
    body_ += std::string("<") + name;
    attribute("x", box.x);
    attribute("y", box.y);
    attribute("width", box.width);
    attribute("height", box.height);
  }

  void add(const Stroke& stroke) {
    body_ += " stroke=\"" + stroke.colour.hex() + "\"";
    attribute("stroke-width", stroke.width);
    if (*stroke.dashes != '\0') {
      body_ += std::string(" stroke-dasharray=\"") + stroke.dashes + "\"";
    }
  }

  void add(const std::vector<Point>& points) {
    body_ += " points=\"";
    for (const Point& point : points) {
      body_ += detail::coordinate(point.x) + "," + detail::coordinate(point.y) + " ";
    }
    body_.back() = '"';
  }

  void begin_text(Point at, const TextStyle& style) {
    constexpr const char* anchors[] = {"start", "middle", "end"};
    body_ += "<text";
    attribute("x", at.x);
    attribute("y", at.y);
    attribute("font-size", style.size);
    if (style.anchor != Anchor::start) {
      body_ += std::string(" text-anchor=\"") + anchors[static_cast<int>(style.anchor)] + "\"";
    }
    body_ += " fill=\"" + style.colour.hex() + "\"";
    if (style.is_bold) body_ += " font-weight=\"600\"";
    if (style.is_upright) {
      body_ += " transform=\"rotate(-90 " + detail::coordinate(at.x) + " " +
               detail::coordinate(at.y) + ")\"";
    }
    if (style.has_halo) {
      body_ +=
          " stroke=\"#ffffff\" stroke-width=\"3\" stroke-linejoin=\"round\" "
          "paint-order=\"stroke\"";
    }
    body_ += ">";
  }

  std::string body_;
};

}  // namespace report
