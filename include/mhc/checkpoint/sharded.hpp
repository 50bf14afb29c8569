// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <mhc/checkpoint/json.hpp>
#include <mhc/checkpoint/mapped_file.hpp>
#include <mhc/checkpoint/safetensors.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

// Tensors in several safetensors files (shards), with an index beside them, *.index.json:
//
//   {"metadata": {...}, "weight_map": {NAME: SHARD, ...}}

/// Each shard's file name and the names of its tensors, as listed in the index.
using Shards = std::map<std::string, std::vector<std::string>>;

namespace detail {

/// Throws unless `shard` is a plain file name, so that the file is in the folder of the index.
inline void check_shard_name(const std::string& path, const std::string& tensor,
                             const std::string& shard) {
  constexpr std::size_t most = 255;
  const auto prints = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; };
  const bool is_plain = shard.find_first_of("/\\:") == std::string::npos && !shard.empty() &&
                        shard != "." && shard != ".." && shard.size() <= most &&
                        std::all_of(shard.begin(), shard.end(), prints);
  if (!is_plain) {
    refuse(path, "tensor ", in_quotes(tensor), " is in ", in_quotes(shard),
           ", expected the name of a file beside the index");
  }
}

}  // namespace detail

/// The index of a sharded checkpoint whose bytes are `file`. Throws std::runtime_error, naming
/// `path`, if it is malformed or names a shard outside its folder.
inline Shards read_index(Bytes file, const std::string& path) {
  Shards shards;
  bool has_weight_map = false;
  detail::Json json(path, "the index", file.text());
  json.object([&](const std::string& key) {
    if (key != "weight_map") return json.skip();
    has_weight_map = true;
    json.object([&](const std::string& tensor) {
      std::string shard = json.string();
      detail::check_shard_name(path, tensor, shard);
      shards[std::move(shard)].push_back(tensor);
    });
  });
  json.end();
  if (!has_weight_map) detail::refuse(path, "the index has no weight_map");
  if (shards.empty()) detail::refuse(path, "the weight_map of the index is empty");
  return shards;
}

/// The tensors of all shards of an index, including tensors that the index does not list, and the
/// metadata of the first shard. Each shard is opened once and added to `files`. Throws
/// std::runtime_error if a shard cannot be read, lacks a tensor that the index lists there, or if
/// two shards have a tensor of the same name.
inline Contents read_sharded(Bytes Index, const std::string& path, Access access,
                             std::vector<MappedFile>& files) {
  std::vector<Tensor> tensors;
  Metadata metadata;
  for (const auto& [shard, names] : read_index(Index, path)) {
    const std::string shard_path = (std::filesystem::path(path).parent_path() / shard).string();
    files.emplace_back(shard_path, access);
    Contents contents = read_safetensors(files.back().bytes(), shard_path);
    for (const std::string& name : names) {
      if (contents.tensors.find(name) == nullptr) {
        detail::refuse(shard_path, "has no tensor ", detail::in_quotes(name),
                       ", which the index lists there");
      }
    }
    const std::vector<Tensor>& all = contents.tensors.all();
    tensors.insert(tensors.end(), all.begin(), all.end());
    if (files.size() == 1) metadata = std::move(contents.metadata);
  }
  return {Tensors(path, std::move(tensors)), std::move(metadata)};
}

}  // namespace checkpoint
MHC_NAMESPACE_END
