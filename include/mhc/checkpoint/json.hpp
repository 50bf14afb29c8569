// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <locale>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include <mhc/element.hpp>

#include <mhc/checkpoint/errors.hpp>
#include <mhc/files/utf8.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint::detail {

/// A pull parser for JSON: the caller asks for the value it expects next, and anything else is an
/// error with its position. Strict (RFC 8259): UTF-8, no duplicate keys, no trailing commas.
///
///   json.object([&](const std::string& key) { sizes[key] = json.integer(); });
///   json.end();
class Json {
 public:
  /// `what` names the text in error sentences, such as "the header".
  Json(const std::string& path, const char* what, std::string_view text)
      : path_(path), what_(what), text_(text) {}

  /// Calls member(key) for each member; it must read the value.
  template <class Member>
  void object(Member member) {
    std::set<std::string> keys;
    list('{', '}', [&] {
      if (peek() != '"') fail("expected a key in quotes");
      const auto [key, is_new] = keys.insert(string());
      if (!is_new) fail("the key ", in_quotes(*key), " appears twice");
      take(':');
      member(*key);
    });
  }

  /// Calls element() for each element; it must read the element.
  template <class Element>
  void array(Element element) {
    list('[', ']', element);
  }

  std::string string() {
    take('"');
    std::string value;
    while (true) {
      if (at_ == text_.size()) fail("unterminated string");
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') {
        ++at_;
        return value;
      }
      if (c == '\\') {
        escape(value);
        continue;
      }
      if (c < 0x20) fail("a control character in a string");
      const std::size_t length = files::detail::utf8_length(text_.substr(at_));
      if (length == 0) fail("a string is not UTF-8");
      value += text_.substr(at_, length);
      at_ += length;
    }
  }

  /// A non-negative integer that fits an index, without sign, fraction or exponent.
  Index integer() {
    const std::string_view digits = number();
    constexpr auto most = static_cast<std::uint64_t>((std::numeric_limits<Index>::max)());
    std::uint64_t value = 0;
    for (const char c : digits) {
      const auto digit = static_cast<std::uint64_t>(c - '0');
      if (c < '0' || c > '9' || value > (most - digit) / 10) {
        fail("the number ", in_quotes(digits), " is not an integer from 0 to ", most);
      }
      value = value * 10 + digit;
    }
    return static_cast<Index>(value);
  }

  /// A number, or nothing for null.
  std::optional<double> real() {
    if (peek() == 'n') {
      word("null");
      return {};
    }
    const std::string digits(number());
    std::istringstream stream(digits);
    stream.imbue(std::locale::classic());
    double value = 0;
    stream >> value;
    if (!stream) fail("the number ", in_quotes(digits), " is too large");
    return value;
  }

  /// Skips any value, nested at most 16 deep.
  void skip() {
    switch (peek()) {
      case '{':
        return nested([&] { object([&](const std::string&) { skip(); }); });
      case '[':
        return nested([&] { array([&] { skip(); }); });
      case '"':
        return static_cast<void>(string());
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        static_cast<void>(number());
    }
  }

  /// Throws unless only whitespace follows.
  void end() {
    if (peek() != '\0' || at_ < text_.size()) fail("unexpected text after the end");
  }

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    refuse(path_, what_, ", byte ", at_, ": ", parts...);
  }

 private:
  /// Skips whitespace and returns the next character, '\0' at the end.
  char peek() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  void take(char wanted) {
    if (peek() != wanted) {
      fail("expected '", wanted, "', found ",
           at_ < text_.size() ? in_quotes(text_.substr(at_, 1)) : "the end");
    }
    ++at_;
  }

  template <class Item>
  void list(char open, char close, Item item) {
    take(open);
    if (peek() == close) {
      ++at_;
      return;
    }
    while (true) {
      item();
      if (peek() == close) {
        ++at_;
        return;
      }
      take(',');
    }
  }

  template <class Container>
  void nested(Container container) {
    constexpr int most = 16;
    if (depth_ == most) fail("objects and arrays are nested more than ", most, " deep");
    ++depth_;
    container();
    --depth_;
  }

  void word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) fail("expected ", expected);
    at_ += expected.size();
  }

  /// -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
  std::string_view number() {
    peek();
    const std::size_t begin = at_;
    const auto next = [&](std::string_view set) {
      return at_ < text_.size() && set.find(text_[at_]) != set.npos;
    };
    const auto skip_digits = [&] {
      if (!next("0123456789")) fail("expected a digit");
      while (next("0123456789")) ++at_;
    };
    if (next("-")) ++at_;
    const bool is_zero = next("0");
    const std::size_t first = at_;
    skip_digits();
    if (is_zero && at_ > first + 1) fail("a number begins with 0");
    if (next(".")) {
      ++at_;
      skip_digits();
    }
    if (next("eE")) {
      ++at_;
      if (next("+-")) ++at_;
      skip_digits();
    }
    return text_.substr(begin, at_ - begin);
  }

  /// Decodes the escape sequence at the current backslash and appends it to `value`.
  void escape(std::string& value) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    ++at_;
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    if (const std::size_t which = letters.find(c); which != letters.npos) {
      ++at_;
      value += meanings[which];
      return;
    }
    if (c != 'u') fail("unknown escape in a string");
    std::uint32_t code = unit();
    if (code >= 0xdc00 && code < 0xe000) fail("unpaired surrogate");
    if (code >= 0xd800 && code < 0xdc00) {
      if (text_.substr(at_, 2) != "\\u") fail("unpaired surrogate");
      ++at_;
      const std::uint32_t low = unit();
      if (low < 0xdc00 || low >= 0xe000) fail("unpaired surrogate");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    files::detail::append_utf8(value, code);
  }

  /// The four hexadecimal digits of \uXXXX; the position is at the u.
  std::uint32_t unit() {
    ++at_;
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = at_ < text_.size() ? text_[at_] : '\0';
      const bool is_digit = c >= '0' && c <= '9';
      const auto letter = static_cast<char>(c | 0x20);
      if (!is_digit && (letter < 'a' || letter > 'f')) fail("expected four digits after \\u");
      value = value << 4 | static_cast<std::uint32_t>(is_digit ? c - '0' : letter - 'a' + 10);
    }
    return value;
  }

  const std::string& path_;
  const char* what_;
  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace checkpoint::detail
MHC_NAMESPACE_END
