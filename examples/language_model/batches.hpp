// SPDX-License-Identifier: MIT
// The training batches. Each epoch cuts the text into consecutive windows, starting at a random
// offset, and visits them in random order. Everything follows from the seed and the step, so a
// resumed run needs only the number of its step.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "random.hpp"
#include "text.hpp"

namespace language_model {

class Batches {
 public:
  using Index = std::ptrdiff_t;

  Batches(const Bytes& text, Index sequences, Index length, std::uint64_t seed)
      : text_(text),
        sequences_(sequences),
        length_(length),
        seed_(seed),
        bytes_(static_cast<std::size_t>(sequences * length)),
        targets_(bytes_.size()) {
    windows_.resize(static_cast<std::size_t>(
        std::max<Index>(1, static_cast<Index>(text.size() - 1) / length - 1)));
  }

  // Fills bytes() and targets(), (sequences, length): each target is the next byte.
  void take(std::uint64_t step) {
    for (Index s = 0; s < sequences_; ++s) {
      const auto visit =
          step * static_cast<std::uint64_t>(sequences_) + static_cast<std::uint64_t>(s);
      begin_epoch(visit / windows_.size());
      const auto window =
          text_.begin() + offset_ + length_ * static_cast<Index>(windows_[visit % windows_.size()]);
      std::copy_n(window, length_, bytes_.begin() + s * length_);
      std::copy_n(window + 1, length_, targets_.begin() + s * length_);
    }
  }

  const std::uint8_t* bytes() const { return bytes_.data(); }
  const std::uint8_t* targets() const { return targets_.data(); }
  Index length() const { return length_; }

 private:
  void begin_epoch(std::uint64_t epoch) {
    if (epoch == epoch_) return;
    epoch_ = epoch;
    Random random(seed_ + 0x632BE59BD9B4E019U * (epoch + 1));
    const std::size_t spare =
        text_.size() - windows_.size() * static_cast<std::size_t>(length_);  // at least 1
    offset_ = static_cast<Index>(
        random.below(std::min<std::uint64_t>(spare, static_cast<std::uint64_t>(length_))));
    std::iota(windows_.begin(), windows_.end(), 0U);
    for (std::size_t i = windows_.size(); i > 1; --i) {
      std::swap(windows_[i - 1], windows_[random.below(i)]);
    }
  }

  const Bytes& text_;
  Index sequences_, length_;
  std::uint64_t seed_;
  std::uint64_t epoch_ = ~std::uint64_t{0};
  Index offset_ = 0;
  std::vector<std::uint32_t> windows_;
  Bytes bytes_, targets_;
};

}  // namespace language_model
