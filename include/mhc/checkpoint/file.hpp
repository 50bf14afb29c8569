// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <mhc/checkpoint/contents.hpp>
#include <mhc/checkpoint/gguf.hpp>
#include <mhc/checkpoint/mapped_file.hpp>
#include <mhc/checkpoint/safetensors.hpp>
#include <mhc/checkpoint/sharded.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

/// The format of a checkpoint.
enum class Format { safetensors, sharded_safetensors, gguf };

/// A checkpoint: a safetensors file, the *.index.json of sharded safetensors, or a GGUF file.
///
///   const mhc::checkpoint::Checkpoint model("model.safetensors.index.json");
///   for (const Tensor& tensor : model.tensors()) ...
///   if (const Tensor* scale = model.find("layers.0.hc_attn_scale")) scale->copy_to(alpha);
///
/// Files are untrusted: every length, offset, overlap, shape and name is validated before use.
/// Throws std::runtime_error, "mhc::checkpoint: FILE: ...", if a file cannot be read or violates
/// its format. The tensors' bytes live as long as the checkpoint, even if it is moved.
class Checkpoint {
 public:
  explicit Checkpoint(std::string path, Access access = Access::map) : path_(std::move(path)) {
    files_.emplace_back(path_, access);
    const Bytes bytes = files_.front().bytes();
    if (bytes.text().substr(0, 4) == "GGUF") {
      format_ = Format::gguf;
      contents_ = read_gguf(bytes, path_);
    } else if (is_index(path_)) {
      format_ = Format::sharded_safetensors;
      const MappedFile index = std::move(files_.front());
      files_.clear();
      contents_ = read_sharded(bytes, path_, access, files_);
    } else {
      contents_ = read_safetensors(bytes, path_);
    }
  }

  const std::string& path() const { return path_; }
  Format format() const { return format_; }

  /// All tensors, file by file, in file order.
  const std::vector<Tensor>& tensors() const { return contents_.tensors.all(); }

  /// The tensor with this name, or null.
  const Tensor* find(std::string_view name) const { return contents_.tensors.find(name); }

  /// The key-value pairs of a GGUF file or the __metadata__ of a safetensors file.
  const Metadata& metadata() const { return contents_.metadata; }

 private:
  static bool is_index(std::string_view path) {
    constexpr std::string_view suffix = ".index.json";
    return path.size() >= suffix.size() && path.substr(path.size() - suffix.size()) == suffix;
  }

  std::string path_;
  Format format_ = Format::safetensors;
  std::vector<MappedFile> files_;
  Contents contents_;
};

}  // namespace checkpoint
MHC_NAMESPACE_END
