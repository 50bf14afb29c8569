// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <mhc/checkpoint/bytes.hpp>
#include <mhc/checkpoint/contents.hpp>
#include <mhc/checkpoint/json.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

// A safetensors file:
//
//   size of the header u64 | header, JSON | data
//
//   {"__metadata__": {KEY: TEXT, ...},
//    NAME: {"dtype": "F32", "shape": [24, 16384], "data_offsets": [BEGIN, END]}, ...}
//
// Offsets are relative to the start of the data. The tensors cover each byte of it exactly once.

namespace detail {

/// The largest accepted header, the limit of the reference implementation.
inline constexpr std::uint64_t most_header = 100'000'000;

/// Reads {"dtype": ..., "shape": [...], "data_offsets": [BEGIN, END]}, in any order.
inline Tensor read_tensor(const std::string& path, Json& json, const std::string& name,
                          Bytes data) {
  const std::string tensor = "tensor " + in_quotes(name);
  Tensor result;
  result.name = name;
  bool has_dtype = false, has_shape = false;
  std::vector<Index> offsets;
  json.object([&](const std::string& key) {
    if (key == "dtype") {
      has_dtype = true;
      const std::string dtype = json.string();
      result.dtype = safetensors_dtype(dtype);
      if (result.dtype == DType::unknown) {
        refuse(path, tensor, " has the unknown dtype ", in_quotes(dtype));
      }
    } else if (key == "shape") {
      has_shape = true;
      constexpr std::size_t most_dimensions = 32;
      json.array([&] {
        if (result.shape.size() == most_dimensions) {
          refuse(path, tensor, " has more than ", most_dimensions, " dimensions");
        }
        result.shape.push_back(json.integer());
      });
    } else if (key == "data_offsets") {
      json.array([&] { offsets.push_back(json.integer()); });
      if (offsets.size() != 2) {
        refuse(path, tensor, " has ", offsets.size(), " data_offsets, expected 2");
      }
    } else {
      refuse(path, tensor, " has the unknown field ", in_quotes(key));
    }
  });
  if (!has_dtype) refuse(path, tensor, " has no dtype");
  if (!has_shape) refuse(path, tensor, " has no shape");
  if (offsets.empty()) refuse(path, tensor, " has no data_offsets");

  const auto begin = static_cast<std::size_t>(offsets[0]);
  const auto end = static_cast<std::size_t>(offsets[1]);
  if (begin > end) refuse(path, tensor, " begins at byte ", begin, " but ends at byte ", end);
  if (end > data.size) {
    refuse(path, tensor, " ends at byte ", end, " of the data, which has ", data.size);
  }
  const auto size = checked_size(result.shape);
  if (!size) refuse(path, tensor, " is ", to_text(result.shape), ", whose size overflows");
  const auto bytes = checked_bytes(result.dtype, *size);
  if (!bytes || *bytes != end - begin) {
    refuse(path, tensor, " has ", end - begin, " bytes, expected ",
           bytes ? std::to_string(*bytes) : "a whole number below 2^63", " for ",
           to_text(result.shape), " of ", checkpoint::name(result.dtype));
  }
  result.data = data.data + begin;
  result.bytes = *bytes;
  return result;
}

/// Throws unless the tensors, sorted by address, cover the data without gaps or overlaps.
inline void check_cover(const std::string& path, const std::vector<Tensor>& tensors, Bytes data) {
  const std::byte* covered = data.data;
  const std::byte* const end = data.data + data.size;
  for (const Tensor& tensor : tensors) {
    if (tensor.data < covered) {
      refuse(path, "tensor ", in_quotes(tensor.name), " overlaps the tensor before it by ",
             covered - tensor.data, " bytes");
    }
    if (tensor.data > covered) {
      refuse(path, tensor.data - covered, " bytes before tensor ", in_quotes(tensor.name),
             " belong to no tensor");
    }
    covered += tensor.bytes;
  }
  if (covered != end) refuse(path, end - covered, " bytes after the last tensor");
}

}  // namespace detail

/// The tensors and the __metadata__ of the safetensors file whose bytes are `file`. Throws
/// std::runtime_error, naming `path`, if it violates the format.
inline Contents read_safetensors(Bytes file, const std::string& path) {
  using detail::refuse;
  constexpr std::size_t prefix = sizeof(std::uint64_t);
  if (file.size < prefix) {
    refuse(path, "has ", file.size, " bytes, too few for a safetensors file");
  }
  const auto length = detail::load<std::uint64_t>(file.data);
  const Bytes rest = file.from(prefix);
  if (length > detail::most_header) {
    refuse(path, "is not a safetensors file: the header has ", length, " bytes, expected at most ",
           detail::most_header);
  }
  if (length > rest.size) {
    refuse(path, "is truncated: the header has ", length, " bytes, but only ", rest.size,
           " are left");
  }
  const Bytes header{rest.data, static_cast<std::size_t>(length)};
  const Bytes data = rest.from(header.size);
  if (header.text().substr(0, 1) != "{") refuse(path, "the header does not begin with '{'");

  Metadata metadata(path);
  std::vector<Tensor> tensors;
  detail::Json json(path, "the header", header.text());
  json.object([&](const std::string& name) {
    if (name == "__metadata__") {
      json.object([&](const std::string& key) { metadata.add(key, json.string()); });
    } else {
      tensors.push_back(detail::read_tensor(path, json, name, data));
    }
  });
  json.end();

  std::sort(tensors.begin(), tensors.end(), [](const Tensor& a, const Tensor& b) {
    return std::tie(a.data, a.bytes, a.name) < std::tie(b.data, b.bytes, b.name);
  });
  detail::check_cover(path, tensors, data);
  return {Tensors(path, std::move(tensors)), std::move(metadata)};
}

}  // namespace checkpoint
MHC_NAMESPACE_END
