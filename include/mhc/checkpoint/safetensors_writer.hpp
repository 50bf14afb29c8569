// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <mhc/checkpoint/safetensors.hpp>
#include <mhc/files/atomic_file.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

namespace detail {

/// `text` as a JSON string.
inline std::string to_json(const std::string& path, std::string_view text) {
  if (!files::detail::is_utf8(text))
    refuse(path, "cannot be written: ", in_quotes(text), " is not UTF-8");
  constexpr char digits[] = "0123456789abcdef";
  std::string json = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      json += "\\u00";
      json += digits[byte >> 4];
      json += digits[byte & 0xf];
    } else {
      if (c == '"' || c == '\\') json += '\\';
      json += c;
    }
  }
  return json + '"';
}

/// Throws if the format cannot represent this tensor.
inline void check_writable(const std::string& path, const Tensor& tensor) {
  const std::string name = "cannot be written: tensor " + in_quotes(tensor.name);
  if (tensor.name == "__metadata__") refuse(path, name, " has the name of the metadata");
  if (!is_in_safetensors(tensor.dtype)) {
    refuse(path, name, " is ", checkpoint::name(tensor.dtype),
           ", which is not a safetensors dtype");
  }
  const auto size = checked_size(tensor.shape);
  const auto bytes = size ? checked_bytes(tensor.dtype, *size) : std::nullopt;
  if (!bytes || *bytes != tensor.bytes) {
    refuse(path, name, " has ", tensor.bytes, " bytes, expected ",
           bytes ? std::to_string(*bytes) : "a whole number below 2^63", " for ",
           to_text(tensor.shape), " of ", checkpoint::name(tensor.dtype));
  }
  if (tensor.bytes > 0 && tensor.data == nullptr) refuse(path, name, " has no data (null pointer)");
}

}  // namespace detail

/// Writes tensors and metadata to a safetensors file, atomically. Tensors are sorted by decreasing
/// element size (stable), so that each is aligned. Throws std::runtime_error, and leaves an
/// existing file as it was, if a tensor is not valid, two have the same name, or the system reports
/// an error.
inline void write_safetensors(const std::string& path, std::vector<Tensor> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  for (const Tensor& tensor : tensors) detail::check_writable(path, tensor);
  const auto alignment = [](const Tensor& tensor) {  // packed elements need none
    const auto& type = detail::row(tensor.dtype);
    return type.block > 1 ? 1 : type.bytes;
  };
  std::stable_sort(tensors.begin(), tensors.end(),
                   [&](const Tensor& a, const Tensor& b) { return alignment(a) > alignment(b); });
  static_cast<void>(Tensors(path, tensors));  // throws on duplicate names

  const auto text = [&path](std::string_view value) { return detail::to_json(path, value); };
  std::string members;
  if (!metadata.empty()) {
    std::string pairs;
    for (const auto& [key, value] : metadata) {
      pairs += (pairs.empty() ? "" : ",") + text(key) + ":" + text(value);
    }
    members += text("__metadata__") + ":{" + pairs + "}";
  }
  std::size_t offset = 0;
  for (const Tensor& tensor : tensors) {
    std::string shape;
    for (const Index extent : tensor.shape) {
      shape += (shape.empty() ? "" : ",") + std::to_string(extent);
    }
    members += (members.empty() ? "" : ",") + text(tensor.name) + ":{\"dtype\":\"" +
               name(tensor.dtype) + "\",\"shape\":[" + shape + "],\"data_offsets\":[" +
               std::to_string(offset) + "," + std::to_string(offset + tensor.bytes) + "]}";
    offset += tensor.bytes;
  }
  std::string header = "{" + members + "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  if (header.size() > detail::most_header) {
    detail::refuse(path, "cannot be written: the header has ", header.size(),
                   " bytes, expected at most ", detail::most_header);
  }

  files::AtomicFile file(path, "checkpoint");
  const auto length = static_cast<std::uint64_t>(header.size());
  file.write(&length, sizeof length);
  file.write(header.data(), header.size());
  for (const Tensor& tensor : tensors) file.write(tensor.data, tensor.bytes);
  file.commit();
}

}  // namespace checkpoint
MHC_NAMESPACE_END
