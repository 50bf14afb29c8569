// SPDX-License-Identifier: MIT
// All parameters of a model in one contiguous array, and their gradients in a second one of the
// same layout: for the optimiser, checkpoints and the gradient norm.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <vector>

namespace language_model {

// A range of parameters, with or without weight decay.
struct Segment {
  std::ptrdiff_t begin, size;
  bool decays;
};

template <class Scalar>
class BasicArena {
 public:
  struct Piece {
    Scalar* values;
    Scalar* gradients;
  };

  explicit BasicArena(std::ptrdiff_t size)
      : values(static_cast<std::size_t>(size), Scalar(0)), gradients(values.size(), Scalar(0)) {}

  // The next `size` numbers. Successive pieces are contiguous.
  Piece take(std::ptrdiff_t size, bool decays) {
    const std::ptrdiff_t begin = taken_;
    taken_ += size;
    if (taken_ > static_cast<std::ptrdiff_t>(values.size())) {
      throw std::logic_error("Arena::take: the arena is smaller than its pieces together");
    }
    if (size > 0) segments.push_back({begin, size, decays});
    return {values.data() + begin, gradients.data() + begin};
  }

  std::vector<Scalar> values;
  std::vector<Scalar> gradients;
  std::vector<Segment> segments;

 private:
  std::ptrdiff_t taken_ = 0;
};

// The parameters of a site, contiguous. phi decays, as matrices do; alpha and b do not.
template <class View, class Scalar>
auto take_parameters(BasicArena<Scalar>& arena, std::ptrdiff_t channels) {
  const std::ptrdiff_t phi = View::depth(channels) * View::projections;
  const auto piece = arena.take(phi, true);
  arena.take(View::size(channels) - phi, false);
  return piece;
}

using Arena = BasicArena<float>;

}  // namespace language_model
