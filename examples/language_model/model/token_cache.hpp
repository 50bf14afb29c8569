// SPDX-License-Identifier: MIT
// The cache of an attention for one sequence: a row per token, with what that attention keeps.
#pragma once

#include <stdexcept>
#include <string>

#include "linear.hpp"

namespace language_model {

template <class Scalar>
class TokenCache {
 public:
  // Allocates all memory.
  TokenCache(Index capacity, Index width) : rows_(capacity, width) {}

  // Appends `count` rows, to be written.
  auto append(Index count) {
    if (count < 1 || count > capacity() - size_) {
      throw std::length_error("TokenCache::append: " + std::to_string(count) + " tokens after " +
                              std::to_string(size_) + " do not fit into a capacity of " +
                              std::to_string(capacity()));
    }
    size_ += count;
    return rows_.middleRows(size_ - count, count);
  }

  // The rows of all tokens so far.
  auto rows() const { return rows_.topRows(size_); }

  void clear() { size_ = 0; }

  Index size() const { return size_; }
  Index capacity() const { return rows_.rows(); }

  // Of the allocated memory.
  std::size_t bytes_per_token() const {
    return static_cast<std::size_t>(rows_.size() / capacity()) * sizeof(Scalar);
  }

 private:
  Matrix<Scalar> rows_;  // (capacity, width)
  Index size_ = 0;
};

}  // namespace language_model
