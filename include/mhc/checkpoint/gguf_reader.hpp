// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>

#include <mhc/checkpoint/bytes.hpp>
#include <mhc/checkpoint/errors.hpp>
#include <mhc/checkpoint/metadata.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint::detail {

// The value types of a GGUF file, little-endian:
//
//   0 u8   1 i8   2 u16   3 i16   4 u32   5 i32   6 f32   7 boolean u8   10 u64   11 i64   12 f64
//   8 string: length u64, bytes
//   9 array: type u32, count u64, elements

/// Reads a file from front to back, never past its end.
class GgufReader {
 public:
  GgufReader(const std::string& path, Bytes file) : path_(path), file_(file) {}

  template <class Number>
  Number number(const char* what) {
    return load<Number>(take(sizeof(Number), what));
  }

  std::string_view string(const char* what) {
    const auto length = number<std::uint64_t>(what);
    return Bytes{take(length, what), static_cast<std::size_t>(length)}.text();
  }

  /// Throws unless `count` items of at least `least` bytes each fit into the rest of the file.
  void check_count(std::uint64_t count, std::size_t least, const char* what) const {
    if (count > left() / least) {
      refuse(path_, "is truncated at byte ", at_, ": ", count, " ", what, " do not fit into ",
             left(), " bytes");
    }
  }

  /// The value of a key-value pair.
  Value value(std::uint32_t type, const std::string& key) {
    constexpr const char* what = "a value";
    switch (type) {
      case 0:
        return std::int64_t(number<std::uint8_t>(what));
      case 1:
        return std::int64_t(number<std::int8_t>(what));
      case 2:
        return std::int64_t(number<std::uint16_t>(what));
      case 3:
        return std::int64_t(number<std::int16_t>(what));
      case 4:
        return std::int64_t(number<std::uint32_t>(what));
      case 5:
        return std::int64_t(number<std::int32_t>(what));
      case 6:
        return double(number<float>(what));
      case 7:
        return boolean(key);
      case 8:
        return std::string(string(what));
      case 9:
        return array(key, 0);
      case 10:
        return whole(number<std::uint64_t>(what));
      case 11:
        return number<std::int64_t>(what);
      case 12:
        return number<double>(what);
      default:
        refuse(path_, "key ", in_quotes(key), " has the unknown type ", type);
    }
  }

  std::size_t at() const { return at_; }

 private:
  std::size_t left() const { return file_.size - at_; }

  const std::byte* take(std::uint64_t bytes, const char* what) {
    if (bytes > left()) {
      refuse(path_, "is truncated at byte ", at_, ": ", what, " has ", bytes, " bytes, but only ",
             left(), " are left");
    }
    const std::byte* const taken = file_.data + at_;
    at_ += static_cast<std::size_t>(bytes);
    return taken;
  }

  static Value whole(std::uint64_t value) {
    constexpr auto most = static_cast<std::uint64_t>((std::numeric_limits<std::int64_t>::max)());
    if (value > most) return value;
    return static_cast<std::int64_t>(value);
  }

  bool boolean(const std::string& key) {
    const auto byte = number<std::uint8_t>("a boolean");
    if (byte > 1)
      refuse(path_, "key ", in_quotes(key), " is the boolean ", +byte, ", expected 0 or 1");
    return byte == 1;
  }

  /// Validates and skips the elements.
  Array array(const std::string& key, int depth) {
    constexpr int deepest = 4;
    constexpr std::size_t fixed[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    constexpr std::uint32_t string_type = 8, array_type = 9;
    const auto type = number<std::uint32_t>("the type of an array");
    const auto count = number<std::uint64_t>("the length of an array");
    if (type >= std::size(fixed)) {
      refuse(path_, "key ", in_quotes(key), " is an array of the unknown type ", type);
    }
    if (type == string_type) {
      check_count(count, sizeof(std::uint64_t), "strings");
      for (std::uint64_t i = 0; i < count; ++i) string("a string of an array");
    } else if (type == array_type) {
      if (depth == deepest) {
        refuse(path_, "key ", in_quotes(key), " has arrays nested more than ", deepest, " deep");
      }
      check_count(count, sizeof(std::uint32_t) + sizeof(std::uint64_t), "arrays");
      for (std::uint64_t i = 0; i < count; ++i) array(key, depth + 1);
    } else {
      check_count(count, fixed[type], "elements of an array");
      take(count * fixed[type], "an array");
    }
    return {count};
  }

  const std::string& path_;
  Bytes file_;
  std::size_t at_ = 0;
};

}  // namespace checkpoint::detail
MHC_NAMESPACE_END
