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
mhc::Streams<Element> random_streams(mhc::Index tokens, mhc::Index streams, mhc::Index channels,
                                     std::uint64_t seed, double stddev = 1.0) {
  mhc::Streams<Element> x(tokens, streams, channels);
  for (mhc::Index t = 0; t < tokens; ++t) {
    randomize(x.token(t), seed * 1000 + static_cast<std::uint64_t>(t), stddev);
  }
  return x;
}

template <class Element>
mhc::Tokens<Element> random_tokens(mhc::Index tokens, mhc::Index channels, std::uint64_t seed,
                                   double stddev = 1.0) {
  mhc::Tokens<Element> u(tokens, channels);
  randomize(u.matrix(), seed, stddev);
  return u;
}

}  // namespace mhc_test
