// SPDX-License-Identifier: MIT
// The gradients of all inputs and parameters of a site, in double, match the complex step of the
// reference: mHC with both presets, HC and the ordinary residual, n from 1 to 16, with random
// cotangents, some of them absent.

#include <gtest/gtest.h>

#include <string>

#include <mhc/mhc.hpp>

#include "support/gradients.hpp"

namespace {

using mhc::Index;
using mhc_test::all;
using mhc_test::Case;

template <class StreamCount>
class BlockGradients : public testing::Test {};

template <int N>
using Count = std::integral_constant<int, N>;
using StreamCounts =
    testing::Types<Count<1>, Count<2>, Count<3>, Count<4>, Count<5>, Count<8>, Count<16>>;
struct Names {
  template <class Size>
  static std::string GetName(int /*index*/) {
    return "n" + std::to_string(Size::value);
  }
};
TYPED_TEST_SUITE(BlockGradients, StreamCounts, Names);

// Few enough channels to bound the number of parameters: each costs one evaluation.
constexpr Index channels_for(int streams) {
  return streams > 8 ? 1 : streams > 4 ? 3 : 7;
}

TYPED_TEST(BlockGradients, ManifoldConstrainedOfThePaper) {
  constexpr int n = TypeParam::value;
  const auto options = mhc::families::Paper::options();
  Case<n, mhc::ManifoldConstrained>(n > 8 ? 1 : 2, channels_for(n), options, all).check();
}

TYPED_TEST(BlockGradients, ManifoldConstrainedOfDeepSeekV4) {
  constexpr int n = TypeParam::value;
  const auto options = mhc::families::DeepSeekV4::options();
  Case<n, mhc::ManifoldConstrained>(n > 8 ? 1 : 2, channels_for(n), options, all).check();
}

TYPED_TEST(BlockGradients, HyperConnections) {
  constexpr int n = TypeParam::value;
  Case<n, mhc::HyperConnections>(2, channels_for(n), {1e-6}, all).check();
}

TYPED_TEST(BlockGradients, OrdinaryResidual) {
  constexpr int n = TypeParam::value;
  Case<n, mhc::OrdinaryResidual>(2, channels_for(n), {}, all).check();
}

TEST(BlockGradientsWithAbsentCotangents, SinglesAndPairs) {
  for (const int present : {1, 2, 3, 4, 5, 6}) {
    SCOPED_TRACE(present);
    const auto options = mhc::families::DeepSeekV4::options();
    Case<4, mhc::ManifoldConstrained>(2, 5, options, present).check();
    Case<3, mhc::HyperConnections>(2, 5, {}, present).check();
    Case<3, mhc::OrdinaryResidual>(2, 5, {}, present).check();
  }
}

TEST(BlockGradientsWithOtherOptions, EpsOrderIterationsAndScales) {
  mhc::ManifoldConstrained::Options options;
  options.norm_eps = 0.1;
  options.pre_eps = 0.02;
  options.post_scale = 1.7;
  options.post_eps = 0.03;
  for (const auto first : {mhc::Axis::columns, mhc::Axis::rows}) {
    for (const int iterations : {1, 2, 3, 20}) {
      for (const double eps : {0.0, 0.01}) {
        options.residual = {iterations, eps, 2.0 * eps, first};
        Case<4, mhc::ManifoldConstrained>(1, 2, options, all).check();
      }
    }
  }
}

}  // namespace
