// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <mhc/checkpoint/metadata.hpp>
#include <mhc/checkpoint/tensor.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

/// Tensors in file order, with lookup by name.
class Tensors {
 public:
  Tensors() = default;

  /// Throws std::runtime_error if two tensors have the same name.
  Tensors(const std::string& path, std::vector<Tensor> tensors) : tensors_(std::move(tensors)) {
    by_name_.resize(tensors_.size());
    for (std::size_t i = 0; i < by_name_.size(); ++i) by_name_[i] = i;
    std::sort(by_name_.begin(), by_name_.end(),
              [this](std::size_t a, std::size_t b) { return tensors_[a].name < tensors_[b].name; });
    for (std::size_t i = 1; i < by_name_.size(); ++i) {
      if (tensors_[by_name_[i]].name == tensors_[by_name_[i - 1]].name) {
        detail::refuse(path, "two tensors have the name ",
                       detail::in_quotes(tensors_[by_name_[i]].name));
      }
    }
  }

  const std::vector<Tensor>& all() const { return tensors_; }

  /// The tensor with this name, or null.
  const Tensor* find(std::string_view name) const {
    const auto found = std::lower_bound(
        by_name_.begin(), by_name_.end(), name,
        [this](std::size_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
    if (found == by_name_.end() || tensors_[*found].name != name) return nullptr;
    return &tensors_[*found];
  }

 private:
  std::vector<Tensor> tensors_;
  std::vector<std::size_t> by_name_;
};

/// The tensors and metadata of one file; the tensors point into the file's bytes.
struct Contents {
  Tensors tensors;
  Metadata metadata;
};

}  // namespace checkpoint
MHC_NAMESPACE_END
