// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>
#include <random>

#include <mhc/view.hpp>

namespace mhc_test {

/// A seeded sequence of numbers, identical on all platforms, for shapes that random.hpp lacks.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  /// In (0, 1).
  double uniform() { return (static_cast<double>(engine_() >> 11) + 0.5) * 0x1p-53; }

  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }

  /// In [low, high].
  mhc::Index integer(mhc::Index low, mhc::Index high) {
    return low + static_cast<mhc::Index>(uniform() * static_cast<double>(high - low + 1));
  }

 private:
  std::mt19937_64 engine_;
};

template <class Element>
Element to_element(double value) {
  if constexpr (sizeof(Element) == 2) {
    return Element(static_cast<float>(value));
  } else {
    return static_cast<Element>(value);
  }
}

/// N(0, scale^2).
template <class Element>
void fill(Random& random, Element* values, mhc::Index size, double scale = 1.0) {
  for (mhc::Index i = 0; i < size; ++i) values[i] = to_element<Element>(scale * random.normal());
}

template <class Element>
void fill(Random& random, mhc::TokenView<Element> view, double scale = 1.0) {
  for (mhc::Index t = 0; t < view.tokens; ++t) fill(random, view.row(t), view.channels, scale);
}

template <class Element>
void fill(Random& random, mhc::StreamView<Element> view, double scale = 1.0) {
  for (mhc::Index t = 0; t < view.tokens; ++t) {
    for (mhc::Index i = 0; i < view.streams; ++i) {
      fill(random, view.row(t, i), view.channels, scale);
    }
  }
}

}  // namespace mhc_test
