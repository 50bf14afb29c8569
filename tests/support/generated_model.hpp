// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <mhc/checkpoint/safetensors_writer.hpp>

#include "checkpoint_bytes.hpp"
#include "files.hpp"
#include "fill.hpp"

namespace mhc_test {

/// Small checkpoints with the names, shapes and types of the published ones: n = 4, and all numbers
/// of all tensors differ.
class GeneratedModel {
 public:
  using DType = mhc::checkpoint::DType;
  using Tensor = mhc::checkpoint::Tensor;
  using Shape = std::vector<mhc::Index>;
  static constexpr mhc::Index n = 4, channels = 6, depth = n * channels, rows = n * (n + 2);

  explicit GeneratedModel(DType dtype = DType::f32) : dtype_(dtype) {}

  std::map<std::string, std::string> metadata;

  void add(const std::string& name, const Shape& shape) {
    Tensor tensor{name, dtype_, shape, nullptr, 0};
    const auto size = static_cast<std::size_t>(tensor.size());
    std::vector<double> values(size);
    fill(random_, values.data(), tensor.size());
    switch (dtype_) {
      case DType::f64:
        return keep<double>(std::move(tensor), values);
      case DType::f16:
        return keep<mhc::f16>(std::move(tensor), values);
      case DType::bf16:
        return keep<mhc::bf16>(std::move(tensor), values);
      default:
        return keep<float>(std::move(tensor), values);
    }
  }

  Tensor& operator[](const std::string& name) {
    const auto found = find(name);
    if (found == tensors_.end()) ADD_FAILURE() << "no tensor " << name;
    return *found;
  }

  void remove(const std::string& name) { tensors_.erase(find(name)); }

  /// Replaces a tensor by one of another shape.
  void replace(const std::string& name, const Shape& shape) {
    remove(name);
    add(name, shape);
  }

  /// All numbers of a tensor.
  std::vector<double> numbers(const std::string& name) {
    const Tensor& tensor = (*this)[name];
    std::vector<double> values(static_cast<std::size_t>(tensor.size()));
    tensor.copy_to(values.data());
    return values;
  }

  std::string safetensors(const std::string& path) const {
    mhc::checkpoint::write_safetensors(path, tensors_, metadata);
    return path;
  }

  /// Writes two shards, with tensors in alternation, and returns the path of their index.
  std::string sharded(const Folder& folder) const {
    std::vector<Tensor> shards[2];
    std::string map;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      shards[i % 2].push_back(tensors_[i]);
      map +=
          (i > 0 ? ",\"" : "\"") + tensors_[i].name + "\":\"" + std::to_string(i % 2) + ".part\"";
    }
    for (const int i : {0, 1}) {
      mhc::checkpoint::write_safetensors(folder / (std::to_string(i) + ".part"), shards[i]);
    }
    return write_file(folder / "model.safetensors.index.json", "{\"weight_map\":{" + map + "}}");
  }

  /// Writes a GGUF file with the pairs of `keys` and the tensors.
  std::string gguf(const std::string& path, Gguf keys = {}) const {
    for (const Tensor& tensor : tensors_) {
      std::vector<std::uint64_t> extents(tensor.shape.rbegin(), tensor.shape.rend());
      keys.tensor(tensor.name, extents, ggml_type(), keys.data.size());
      keys.data.append(reinterpret_cast<const char*>(tensor.data), tensor.bytes);
      keys.data.resize((keys.data.size() + 31) / 32 * 32);
    }
    return write_file(path, keys.bytes());
  }

  // Each adds one site with the tensor names of its family.

  void add_v4(const std::string& site, const std::string& end = "") {
    add(site + "fn" + end, {rows, depth});
    add(site + "base" + end, {rows});
    add(site + "scale" + end, {3});
  }

  void add_v4_head(const std::string& head, const std::string& end = "") {
    add(head + "fn" + end, {n, depth});
    add(head + "base" + end, {n});
    add(head + "scale" + end, {1});
  }

  void add_openpangu(const std::string& module) {
    add(module + ".phi.weight", {rows, depth});
    add(module + ".norm_gamma", {depth});
    add(module + ".branch_alpha", {3});
    add(module + ".branch_beta", {rows});
  }

  void add_openpangu_head(const std::string& module, const std::string& end) {
    add(module + ".phi.weight", {n, depth});
    add(module + ".norm_gamma", {depth});
    add(module + ".branch_alpha" + end, {1});
    add(module + ".branch_beta" + end, {n});
  }

  void add_hy4(const std::string& site, const std::string& end = "") {
    add(site + "fn" + end, {2 * n, depth});
    add(site + "scale" + end, {2});
    add(site + "base" + end, {2 * n});
  }

  void add_megatron(const std::string& module) {
    add(module + ".mapping_proj.weight", {rows, depth});
    add(module + ".alpha_pre", {1});
    add(module + ".alpha_post", {1});
    add(module + ".alpha_res", {1});
    add(module + ".bias", {rows});
  }

  /// `is_view`: with the leading extent that lucidrains' fractions and views add.
  void add_lucidrains(const std::string& module, bool is_manifold, bool is_view = false) {
    add(module + ".norm.gamma", {channels});
    add(module + ".static_alpha", {n, 1 + n});
    add(module + ".static_beta", {n});
    add(module + ".dynamic_alpha_fn", is_view ? Shape{1, channels, 1 + n} : Shape{channels, 1 + n});
    add(module + ".dynamic_beta_fn", {channels});
    if (is_manifold) {
      add(module + ".pre_branch_scale", {1});
      add(module + ".residual_scale", {1});
      add(module + ".h_post_scale", {});
    } else {
      add(module + ".dynamic_alpha_scale", {});
      add(module + ".dynamic_beta_scale", {});
    }
  }

  void add_gated(const std::string& module, bool is_mixer = false) {
    constexpr mhc::Index rank = 3;
    add(module + ".hc_norm.weight", {depth});
    add(module + ".input_mix_weight_down.weight", {rank, depth});
    add(module + ".input_mix_weight_up.weight", {depth, rank});
    if (!is_mixer) add(module + ".block_inject_weight.weight", {n, depth});
  }

 private:
  template <class Element>
  void keep(Tensor tensor, const std::vector<double>& values) {
    tensor.bytes = values.size() * sizeof(Element);
    std::vector<std::byte>& bytes = bytes_.emplace_back(tensor.bytes);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = to_element<Element>(values[i]);
      std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
    }
    tensor.data = bytes.data();
    tensors_.push_back(std::move(tensor));
  }

  std::vector<Tensor>::iterator find(const std::string& name) {
    return std::find_if(tensors_.begin(), tensors_.end(),
                        [&](const Tensor& tensor) { return tensor.name == name; });
  }

  std::uint32_t ggml_type() const {
    switch (dtype_) {
      case DType::f64:
        return 28;
      case DType::f16:
        return 1;
      case DType::bf16:
        return 30;
      default:
        return 0;
    }
  }

  DType dtype_;
  Random random_{7};
  std::deque<std::vector<std::byte>> bytes_;
  std::vector<Tensor> tensors_;
};

}  // namespace mhc_test
