// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <mhc/checkpoint/contents.hpp>
#include <mhc/checkpoint/gguf_reader.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

// A GGUF file, version 3 (version 2 has the same layout), little-endian:
//
//   "GGUF" | version u32 | tensors u64 | pairs u64
//   pairs    key string | type u32 | value
//   tensors  name string | dimensions u32 | extents u64, innermost first | type u32 | offset u64
//   data     starts at the next multiple of general.alignment; offsets are relative to it

namespace detail {

/// The type with this number in a GGUF file; unknown if it is not listed.
inline DType ggml_dtype(std::uint32_t type) {
  constexpr DType removed = DType::unknown;
  constexpr DType types[] = {
      DType::f32,     DType::f16,   DType::q4_0,   DType::q4_1,  removed,        removed,
      DType::q5_0,    DType::q5_1,  DType::q8_0,   DType::q8_1,  DType::q2_k,    DType::q3_k,
      DType::q4_k,    DType::q5_k,  DType::q6_k,   DType::q8_k,  DType::iq2_xxs, DType::iq2_xs,
      DType::iq3_xxs, DType::iq1_s, DType::iq4_nl, DType::iq3_s, DType::iq2_s,   DType::iq4_xs,
      DType::i8,      DType::i16,   DType::i32,    DType::i64,   DType::f64,     DType::iq1_m,
      DType::bf16,    removed,      removed,       removed,      DType::tq1_0,   DType::tq2_0,
      removed,        removed,      removed,       DType::mxfp4, DType::nvfp4};
  return type < std::size(types) ? types[type] : DType::unknown;
}

/// general.alignment, by default 32.
inline std::uint64_t read_alignment(const std::string& path, const Metadata& metadata) {
  constexpr std::int64_t usual = 32;
  const std::int64_t alignment = metadata.integer("general.alignment").value_or(usual);
  const bool is_power_of_two = alignment > 0 && (alignment & (alignment - 1)) == 0;
  if (!is_power_of_two || alignment > (std::numeric_limits<std::uint32_t>::max)()) {
    refuse(path, "general.alignment is ", alignment, ", expected a power of two");
  }
  return static_cast<std::uint64_t>(alignment);
}

/// A tensor of the table and its offset in the data.
struct GgufTensor {
  Tensor tensor;
  std::uint64_t offset = 0;
};

inline GgufTensor read_tensor(const std::string& path, GgufReader& reader) {
  constexpr std::uint32_t most_dimensions = 4;
  constexpr std::uint32_t most_types = 1024;
  constexpr auto most = static_cast<std::uint64_t>((std::numeric_limits<Index>::max)());
  GgufTensor result;
  Tensor& tensor = result.tensor;
  tensor.name = reader.string("the name of a tensor");
  const std::string name = "tensor " + in_quotes(tensor.name);
  const auto dimensions = reader.number<std::uint32_t>("the number of dimensions");
  if (dimensions > most_dimensions) {
    refuse(path, name, " has ", dimensions, " dimensions, expected at most ", most_dimensions);
  }
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto extent = reader.number<std::uint64_t>("an extent");
    if (extent > most)
      refuse(path, name, " has an extent of ", extent, ", expected at most ", most);
    tensor.shape.insert(tensor.shape.begin(), static_cast<Index>(extent));
  }
  const auto type = reader.number<std::uint32_t>("the type of a tensor");
  if (type >= most_types) {
    refuse(path, name, " has the ggml type ", type, ", expected less than ", most_types);
  }
  tensor.dtype = ggml_dtype(type);
  result.offset = reader.number<std::uint64_t>("the offset of a tensor");

  const auto size = checked_size(tensor.shape);
  if (!size) refuse(path, name, " is ", to_text(tensor.shape), ", whose size overflows");
  const Index row_size = tensor.shape.empty() ? 1 : tensor.shape.back();
  const int block = row(tensor.dtype).block;
  if (row_size % block != 0) {
    refuse(path, name, " has rows of ", row_size, " elements, expected a multiple of ", block,
           " for ", checkpoint::name(tensor.dtype));
  }
  const auto bytes = checked_bytes(tensor.dtype, *size);
  if (!bytes) refuse(path, name, " is ", to_text(tensor.shape), ", whose size overflows");
  tensor.bytes = *bytes;
  return result;
}

/// Points the tensors at their bytes and sorts them into file order. A tensor of unknown type
/// extends to the next one.
inline std::vector<Tensor> place(const std::string& path, std::vector<GgufTensor> tensors,
                                 Bytes data, std::uint64_t alignment) {
  std::sort(tensors.begin(), tensors.end(), [](const GgufTensor& a, const GgufTensor& b) {
    return std::tie(a.offset, a.tensor.bytes, a.tensor.name) <
           std::tie(b.offset, b.tensor.bytes, b.tensor.name);
  });
  std::vector<Tensor> placed;
  placed.reserve(tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    Tensor& tensor = tensors[i].tensor;
    const std::uint64_t offset = tensors[i].offset;
    const std::string name = "tensor " + in_quotes(tensor.name);
    if (offset % alignment != 0) {
      refuse(path, name, " has the offset ", offset, ", expected a multiple of ", alignment);
    }
    if (offset > data.size || tensor.bytes > data.size - offset) {
      refuse(path, name, " has ", tensor.bytes, " bytes at offset ", offset,
             " of the data, which has ", data.size);
    }
    const std::uint64_t next = i + 1 < tensors.size() ? tensors[i + 1].offset : data.size;
    if (tensor.bytes > 0 && next < offset + tensor.bytes) {
      refuse(path, name, " overlaps tensor ", in_quotes(tensors[i + 1].tensor.name), " by ",
             offset + tensor.bytes - next, " bytes");
    }
    tensor.data = data.data + offset;
    if (tensor.dtype == DType::unknown) {
      tensor.bytes = static_cast<std::size_t>(std::min<std::uint64_t>(next, data.size) - offset);
    }
    placed.push_back(std::move(tensor));
  }
  return placed;
}

}  // namespace detail

/// The tensors and key-value pairs of the GGUF file whose bytes are `file`. Throws
/// std::runtime_error, naming `path`, if it violates the format.
inline Contents read_gguf(Bytes file, const std::string& path) {
  using detail::refuse;
  detail::GgufReader reader(path, file);
  if (file.text().substr(0, 4) != "GGUF") {
    refuse(path, "is not a GGUF file: it does not begin with 'GGUF'");
  }
  reader.number<std::uint32_t>("the magic");
  const auto version = reader.number<std::uint32_t>("the version");
  if (version == 2u << 24 || version == 3u << 24)
    refuse(path, "is big-endian, expected little-endian");
  if (version != 2 && version != 3) {
    refuse(path, "has GGUF version ", version, ", expected 2 or 3");
  }
  const auto tensor_count = reader.number<std::uint64_t>("the number of tensors");
  const auto pair_count = reader.number<std::uint64_t>("the number of pairs");

  constexpr std::size_t least_pair = 8 + 4 + 1;
  constexpr std::size_t least_tensor = 8 + 4 + 4 + 8;
  Metadata metadata(path);
  reader.check_count(pair_count, least_pair, "pairs");
  for (std::uint64_t i = 0; i < pair_count; ++i) {
    const std::string key(reader.string("a key"));
    const auto type = reader.number<std::uint32_t>("the type of a value");
    if (!metadata.add(key, reader.value(type, key))) {
      refuse(path, "the key ", detail::in_quotes(key), " appears twice");
    }
  }
  const std::uint64_t alignment = detail::read_alignment(path, metadata);

  std::vector<detail::GgufTensor> tensors;
  reader.check_count(tensor_count, least_tensor, "tensors");
  for (std::uint64_t i = 0; i < tensor_count; ++i) {
    tensors.push_back(detail::read_tensor(path, reader));
  }
  // A file without tensors may end before the start of the data.
  const std::uint64_t begin = (reader.at() + alignment - 1) / alignment * alignment;
  const Bytes data = file.from(static_cast<std::size_t>(std::min<std::uint64_t>(begin, file.size)));
  return {Tensors(path, detail::place(path, std::move(tensors), data, alignment)),
          std::move(metadata)};
}

}  // namespace checkpoint
MHC_NAMESPACE_END
