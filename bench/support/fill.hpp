// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>

#include <mhc/element.hpp>

namespace mhc_bench {

/// Uniform numbers of mean 0 and a given standard deviation, from a seed: splitmix64, quick enough
/// for hundreds of megabytes.
template <class Element>
void fill(Element* values, mhc::Index size, std::uint64_t seed, double stddev = 1.0) {
  const double scale = stddev * std::sqrt(12.0) * 0x1p-32;
  std::uint64_t state = seed * 0x9e3779b97f4a7c15U;
  for (mhc::Index i = 0; i < size; ++i) {
    std::uint64_t z = state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    const auto uniform = static_cast<double>(static_cast<std::int32_t>(z >> 32));
    values[i] = static_cast<Element>(static_cast<float>(scale * uniform));
  }
}

}  // namespace mhc_bench
