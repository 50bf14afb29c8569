// SPDX-License-Identifier: MIT
// What an attention keeps of the tokens of one sequence, so that the next token need not compute it
// again: a row for each. What stands in a row is the attention's own business.
#pragma once

#include <stdexcept>
#include <string>

#include "linear.hpp"

namespace language_model {

template <class Scalar>
class TokenCache {
 public:
  // All memory is taken here.
  TokenCache(index capacity, index width) : rows_(capacity, width) {}

  // Room for so many tokens more: their rows, to be written.
  auto append(index count) {
    if (count < 1 || count > capacity() - size_) {
      throw std::length_error("TokenCache::append: " + std::to_string(count) +
                              " tokens are to follow " + std::to_string(size_) +
                              ", but there is room for " + std::to_string(capacity()));
    }
    size_ += count;
    return rows_.middleRows(size_ - count, count);
  }

  // The rows of all tokens so far.
  auto rows() const { return rows_.topRows(size_); }

  void clear() { size_ = 0; }

  index size() const { return size_; }
  index capacity() const { return rows_.rows(); }

  // Of the memory that is held.
  std::size_t bytes_per_token() const {
    return static_cast<std::size_t>(rows_.size() / capacity()) * sizeof(Scalar);
  }

 private:
  Matrix<Scalar> rows_;  // (capacity, width)
  index size_ = 0;
};

}  // namespace language_model
