// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

// Builders of valid and invalid files, byte by byte.

namespace mhc_test {

template <class Number>
std::string little_endian(Number value) {
  static_assert(std::is_arithmetic_v<Number>);
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// A safetensors file from a header and data.
inline std::string safetensors(const std::string& header, const std::string& data = "") {
  return little_endian(std::uint64_t(header.size())) + header + data;
}

/// Builds a GGUF file piece by piece. Assign the counts last to make them wrong.
struct Gguf {
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::string pairs;
  std::uint64_t pair_count = 0;
  std::string tensors;
  std::uint64_t tensor_count = 0;
  std::string data;
  std::size_t alignment = 32;

  static std::string text(const std::string& value) {
    return little_endian(std::uint64_t(value.size())) + value;
  }

  /// Adds a pair; `value` holds the bytes as in the file.
  Gguf& pair(const std::string& key, std::uint32_t type, const std::string& value) {
    pairs += text(key) + little_endian(type) + value;
    ++pair_count;
    return *this;
  }

  /// Adds a tensor; `extents` are innermost first.
  Gguf& tensor(const std::string& name, const std::vector<std::uint64_t>& extents,
               std::uint32_t type, std::uint64_t offset) {
    tensors += text(name) + little_endian(std::uint32_t(extents.size()));
    for (const std::uint64_t extent : extents) tensors += little_endian(extent);
    tensors += little_endian(type) + little_endian(offset);
    ++tensor_count;
    return *this;
  }

  /// Everything before the data.
  std::string head() const {
    return magic + little_endian(version) + little_endian(tensor_count) +
           little_endian(pair_count) + pairs + tensors;
  }

  std::string bytes() const {
    std::string file = head();
    file.resize((file.size() + alignment - 1) / alignment * alignment);
    return file + data;
  }
};

}  // namespace mhc_test
