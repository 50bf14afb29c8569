// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>

#include <mhc/gated_residual.hpp>

#include "kernel_instances.hpp"
#include "random.hpp"

namespace mhc_test {

/// Logits with a standard deviation of about one, and a norm weight other than one.
template <class Parameters>
void randomize_all(Parameters& parameters, std::uint64_t seed) {
  const auto depth = static_cast<double>(parameters.phi().rows());
  const auto streams = static_cast<double>(parameters.norm().rows());
  const auto rank = static_cast<double>(parameters.rank());
  randomize(parameters.norm(), seed, 0.3);
  randomize(parameters.phi(), seed + 1, streams / std::sqrt(depth));
  randomize(parameters.up(), seed + 2, 2.0 / std::sqrt(rank));
}

}  // namespace mhc_test
