// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <mhc/checkpoint/errors.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

/// An array in the metadata: only its length. Its elements are validated and skipped.
struct Array {
  std::uint64_t count = 0;
};

/// A metadata value. std::uint64_t holds only values that do not fit std::int64_t.
using Value = std::variant<bool, std::int64_t, std::uint64_t, double, std::string, Array>;

/// The metadata of a file: the key-value pairs of a GGUF file, or the strings of a safetensors
/// file's __metadata__. A lookup returns nothing if the key is absent and throws std::runtime_error
/// if its value is of another kind.
class Metadata {
 public:
  Metadata() = default;
  explicit Metadata(std::string path) : path_(std::move(path)) {}

  /// False, and nothing is changed, if the key already has a value.
  bool add(std::string key, Value value) {
    return values_.emplace(std::move(key), std::move(value)).second;
  }

  const Value* find(std::string_view key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
  }

  std::optional<bool> boolean(std::string_view key) const { return get<bool>(key, "a boolean"); }

  std::optional<std::int64_t> integer(std::string_view key) const {
    return get<std::int64_t>(key, "an integer of 63 bits");
  }

  std::optional<std::string> text(std::string_view key) const {
    return get<std::string>(key, "a string");
  }

  /// A floating-point number, or an integer converted to one.
  std::optional<double> number(std::string_view key) const {
    if (const Value* const value = find(key)) {
      if (const auto* whole = std::get_if<std::int64_t>(value)) return static_cast<double>(*whole);
      if (const auto* whole = std::get_if<std::uint64_t>(value)) return static_cast<double>(*whole);
    }
    return get<double>(key, "a number");
  }

  /// All pairs, sorted by key.
  const std::map<std::string, Value, std::less<>>& values() const { return values_; }

 private:
  template <class Kind>
  std::optional<Kind> get(std::string_view key, const char* expected) const {
    const Value* const value = find(key);
    if (value == nullptr) return {};
    const Kind* const held = std::get_if<Kind>(value);
    if (held == nullptr) {
      constexpr const char* kinds[] = {
          "a boolean", "an integer", "an integer of 64 bits", "a floating-point number",
          "a string",  "an array"};
      detail::refuse(path_, "key ", detail::in_quotes(key), " is ", kinds[value->index()],
                     ", expected ", expected);
    }
    return *held;
  }

  std::string path_;
  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace checkpoint
MHC_NAMESPACE_END
