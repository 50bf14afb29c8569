// SPDX-License-Identifier: MIT
// A small random generator with the same numbers on every platform (the distributions of <random>
// differ between standard libraries).
//
// Source: splitmix64 of Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators".
#pragma once

#include <cstdint>

namespace language_model {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

  // Uniform in [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  // Uniform in 0 .. count - 1; the bias of the remainder is below count / 2^64.
  std::uint64_t below(std::uint64_t count) { return bits() % count; }

  // Mean 0, variance 1: the sum of twelve uniforms. Unlike log and cos, sums round the same
  // everywhere.
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) {
      sum += uniform();
    }
    return sum;
  }

 private:
  std::uint64_t state_;
};

}  // namespace language_model
