// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <mhc/initialization.hpp>
#include <mhc/storage.hpp>

// Seeded inputs, identical on all platforms.
namespace mhc_test {

/// Fills an Eigen map with samples of N(0, stddev^2).
template <class Map>
void randomize(Map values, std::uint64_t seed, double stddev = 1.0) {
  mhc::detail::fill_normal(values, stddev, seed);
}

template <class Element>
mhc::Streams<Element> random_streams(mhc::index tokens, mhc::index streams, mhc::index channels,
                                     std::uint64_t seed, double stddev = 1.0) {
  mhc::Streams<Element> x(tokens, streams, channels);
  for (mhc::index t = 0; t < tokens; ++t) {
    randomize(x.token(t), seed * 1000 + static_cast<std::uint64_t>(t), stddev);
  }
  return x;
}

template <class Element>
mhc::Tokens<Element> random_tokens(mhc::index tokens, mhc::index channels, std::uint64_t seed,
                                   double stddev = 1.0) {
  mhc::Tokens<Element> u(tokens, channels);
  randomize(u.matrix(), seed, stddev);
  return u;
}

}  // namespace mhc_test
