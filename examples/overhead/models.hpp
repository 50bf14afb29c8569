// SPDX-License-Identifier: MIT
// The compared models, and their input bytes.
#pragma once

#include <algorithm>
#include <type_traits>
#include <vector>

#include <mhc/connection.hpp>

#include "make_model.hpp"
#include "random.hpp"
#include "text.hpp"

namespace language_model {

constexpr Residual compared[] = {Residual::plain, Residual::hc, Residual::mhc};

inline const char* title_of(Residual residual) {
  return residual == Residual::plain ? "ordinary" : residual == Residual::hc ? "HC" : "mHC";
}

// Calls f(streams, connection) with the types of the residual.
template <class F>
auto with_connection(Residual residual, F&& f) {
  if (residual == Residual::plain) {
    return f(std::integral_constant<int, 1>(), mhc::OrdinaryResidual());
  }
  if (residual == Residual::hc) return f(std::integral_constant<int, 4>(), mhc::HyperConnections());
  return f(std::integral_constant<int, 4>(), mhc::ManifoldConstrained());
}

inline Bytes random_bytes(Index count, std::uint64_t seed) {
  Random random(seed);
  Bytes bytes(static_cast<std::size_t>(count));
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.below(256));
  return bytes;
}

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

}  // namespace language_model
