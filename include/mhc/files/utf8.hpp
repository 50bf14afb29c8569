// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <mhc/version.hpp>

MHC_NAMESPACE_BEGIN
namespace files::detail {

/// The length in bytes, 1 to 4, of the UTF-8 character at the start of `text`, or 0 if it is not
/// valid: truncated, overlong, a surrogate or above U+10FFFF.
inline std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const std::uint32_t first = byte(0);
  if (text.empty()) return 0;
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return continues(1) ? 2 : 0;
  const std::uint32_t two = first << 8 | byte(1);
  if (first < 0xf0) {
    const bool is_short = two < 0xe0a0;
    const bool is_surrogate = two >= 0xeda0 && two < 0xee00;
    return continues(1) && continues(2) && !is_short && !is_surrogate ? 3 : 0;
  }
  const bool is_in_range = two >= 0xf090 && two < 0xf490;
  return continues(1) && continues(2) && continues(3) && is_in_range ? 4 : 0;
}

inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// Appends a code point below 0x110000 that is not a surrogate.
inline void append_utf8(std::string& text, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

}  // namespace files::detail
MHC_NAMESPACE_END
