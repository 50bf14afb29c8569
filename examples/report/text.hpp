// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include <mhc/diagnostics/finite.hpp>
#include <mhc/files/utf8.hpp>

namespace report {
namespace detail {

using mhc::detail::is_finite;
using mhc::detail::is_nan;

inline std::uint32_t code_point(std::string_view character) {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return static_cast<unsigned char>(character[i]);
  };
  if (character.size() == 1) return byte(0);
  std::uint32_t code = byte(0) & (0xffu >> (character.size() + 1));
  for (std::size_t i = 1; i < character.size(); ++i) code = code << 6 | (byte(i) & 0x3f);
  return code;
}

/// False for control characters, what XML forbids, and marks that change the text's direction.
inline bool is_printed(std::uint32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
  if ((code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e)) return false;
  if (code >= 0x2066 && code <= 0x2069) return false;
  return code != 0xfeff && (code & 0xfffe) != 0xfffe;
}

}  // namespace detail

/// `text` escaped for an element or a quoted attribute of XML or HTML: & < > " ' as references,
/// white space as blanks, U+FFFD for unprintable characters and invalid UTF-8.
inline std::string escaped(std::string_view text) {
  constexpr const char* replacement = "\xef\xbf\xbd";
  std::string result;
  while (!text.empty()) {
    const std::size_t length = mhc::files::detail::utf8_length(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
    const char first = character.front();
    if (first == '\t' || first == '\n' || first == '\r') {
      result += ' ';
    } else if (first == '&') {
      result += "&amp;";
    } else if (first == '<') {
      result += "&lt;";
    } else if (first == '>') {
      result += "&gt;";
    } else if (first == '"') {
      result += "&quot;";
    } else if (first == '\'') {
      result += "&#39;";
    } else if (length == 0 || !detail::is_printed(detail::code_point(character))) {
      result += replacement;
    } else {
      result += character;
    }
    text.remove_prefix(character.size());
  }
  return result;
}

/// The number of characters of UTF-8 text; an invalid byte counts as one.
inline std::size_t length_of(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) {
    text.remove_prefix(std::max<std::size_t>(mhc::files::detail::utf8_length(text), 1));
  }
  return count;
}

/// `text` if it has at most `most` characters, else its beginning and an ellipsis.
inline std::string shortened(std::string_view text, std::size_t most) {
  if (length_of(text) <= most) return std::string(text);
  std::string_view rest = text;
  for (std::size_t i = 0; i + 1 < most; ++i) {
    rest.remove_prefix(std::max<std::size_t>(mhc::files::detail::utf8_length(rest), 1));
  }
  return std::string(text.substr(0, text.size() - rest.size())) + "\xe2\x80\xa6";
}

/// The shortest text that reads back as the same number, whatever the locale: 0.1, 1e-05, nan, inf.
template <class Number>
std::string exact(Number value) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return {text, end.ptr};
}

/// `digits` significant digits, as %.*g writes them, whatever the locale; "NaN" and "infinite" for
/// what is not finite.
inline std::string number(double value, int digits = 4) {
  if (detail::is_nan(value)) return "NaN";
  const bool is_negative = std::signbit(value);
  if (!detail::is_finite(value)) return is_negative ? "-infinite" : "infinite";
  char text[64];
  const auto end =
      std::to_chars(text, text + sizeof text, value, std::chars_format::general, digits);
  return {text, end.ptr};
}

/// `decimals` digits after the point. For |value| < 1e15.
inline std::string fixed(double value, int decimals) {
  char text[400];
  const auto end =
      std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals);
  return end.ec == std::errc() ? std::string(text, end.ptr) : number(value);
}

/// With minus signs instead of hyphens, for display.
inline std::string with_minus(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '-') {
      result += "\xe2\x88\x92";
    } else {
      result += c;
    }
  }
  return result;
}

/// A power of ten with a superscript exponent.
inline std::string power_of_ten(int exponent) {
  constexpr const char* digits[] = {"\xe2\x81\xb0", "\xc2\xb9",     "\xc2\xb2",     "\xc2\xb3",
                                    "\xe2\x81\xb4", "\xe2\x81\xb5", "\xe2\x81\xb6", "\xe2\x81\xb7",
                                    "\xe2\x81\xb8", "\xe2\x81\xb9"};
  std::string text = "10";
  for (const char c : std::to_string(exponent)) {
    text += c == '-' ? "\xe2\x81\xbb" : digits[c - '0'];
  }
  return text;
}

}  // namespace report
