// SPDX-License-Identifier: MIT
// Generation of one sequence. Caches keep what the model has computed for its bytes, so that the
// next byte costs one token instead of the whole context. All memory is allocated at the start.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "model/cross_entropy.hpp"
#include "model/linear.hpp"
#include "parallel.hpp"

namespace language_model {

class Generation {
 public:
  virtual ~Generation() = default;
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  // Appends `count` bytes, at least one; they must fit. If it fails midway, the sequence is empty.
  void extend(const std::uint8_t* bytes, Index count, const Workers& workers) {
    if (count < 1) {
      throw std::invalid_argument("Generation::extend: a sequence cannot grow by " +
                                  std::to_string(count) + " bytes");
    }
    if (count > capacity_ - size_) {
      throw std::length_error("Generation::extend: " + std::to_string(count) + " bytes after " +
                              std::to_string(size_) + " do not fit into a capacity of " +
                              std::to_string(capacity_));
    }
    try {
      for (Index done = 0; done < count; done += piece) {
        append(bytes + done, std::min(piece, count - done), workers);
      }
      write_logits(logits_, workers);
    } catch (...) {  // some layers' caches may hold more than others'
      clear();
      throw;
    }
    size_ += count;
    probabilities_ = (logits_.array() - logits_.maxCoeff()).exp();
    probabilities_ /= probabilities_.sum();
  }

  // Of the next byte: (256).
  const float* logits() const { return after_extend(logits_); }
  const float* probabilities() const { return after_extend(probabilities_); }

  // Removes all bytes.
  void clear() {
    size_ = 0;
    clear_caches();
  }

  Index size() const { return size_; }
  Index capacity() const { return capacity_; }

  // Of all layers' caches together.
  virtual std::size_t cache_bytes_per_token() const = 0;

 protected:
  // Bytes that pass through the model at a time.
  static constexpr Index piece = 64;

  Generation(Index capacity, Index context)
      : capacity_(capacity), logits_(vocabulary), probabilities_(vocabulary) {
    if (capacity < 1 || capacity > context) {
      throw std::invalid_argument("Generation: a capacity of " + std::to_string(capacity) +
                                  " bytes is not from 1 to the model's context, " +
                                  std::to_string(context));
    }
  }

  // At most `piece` bytes; they fit.
  virtual void append(const std::uint8_t* bytes, Index count, const Workers& workers) = 0;
  // After the last byte of the last append.
  virtual void write_logits(Vector<float>& logits, const Workers& workers) = 0;
  virtual void clear_caches() = 0;

 private:
  const float* after_extend(const Vector<float>& row) const {
    if (size_ == 0) {
      throw std::logic_error("Generation: there are no logits before the first extend()");
    }
    return row.data();
  }

  Index capacity_;
  Index size_ = 0;
  Vector<float> logits_, probabilities_;  // (256)
};

}  // namespace language_model
