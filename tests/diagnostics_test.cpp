// SPDX-License-Identifier: MIT
// Gains, errors and norms of residual mappings, on matrices whose numbers one can see.

#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>
#include <Eigen/Core>

#include <mhc/diagnostics.hpp>
#include <mhc/mhc.hpp>

#include "support/fill.hpp"

namespace {

using mhc::index;

Eigen::MatrixXd matrix(std::initializer_list<std::initializer_list<double>> rows) {
  return Eigen::MatrixXd(rows);
}

TEST(Gain, IsTheLargestAbsoluteSumNotTheSumOfAbsoluteValues) {
  const Eigen::MatrixXd H = matrix({{-9, 1}, {2, 3}});
  EXPECT_EQ(mhc::forward_gain(H), 8);   // rows: -8, 5
  EXPECT_EQ(mhc::backward_gain(H), 7);  // columns: -7, 4
  const Eigen::MatrixXd G = matrix({{1, 2, -3}, {4, 5, 6}, {0, -1, 0.5}});
  EXPECT_EQ(mhc::forward_gain(G), 15);
  EXPECT_EQ(mhc::backward_gain(G), 6);
}

TEST(Gain, OfAPermutationIsOne) {
  const Eigen::MatrixXd H = matrix({{0, 1, 0}, {0, 0, 1}, {1, 0, 0}});
  EXPECT_EQ(mhc::forward_gain(H), 1);
  EXPECT_EQ(mhc::backward_gain(H), 1);
  EXPECT_EQ(mhc::row_error(H), 0);
  EXPECT_EQ(mhc::column_error(H), 0);
  EXPECT_NEAR(mhc::spectral_norm(H), 1, 1e-15);
}

TEST(Errors, AreOfRowsAndOfColumns) {
  const Eigen::MatrixXd H = matrix({{0.5, 0.25}, {0.5, 0.625}});
  EXPECT_EQ(mhc::row_error(H), 0.25);
  EXPECT_EQ(mhc::column_error(H), 0.125);
}

TEST(SpectralNorm, IsTheLargestSingularValue) {
  EXPECT_NEAR(mhc::spectral_norm(matrix({{3, 0}, {0, -5}})), 5, 1e-14);
  EXPECT_NEAR(mhc::spectral_norm(matrix({{1, 1}, {0, 0}})), std::sqrt(2), 1e-14);
  EXPECT_NEAR(mhc::spectral_norm(matrix({{1, 2}, {3, 4}})), 5.464985704219043, 1e-13);
}

TEST(Diagnostics, TakeAnyElement) {
  Eigen::Matrix<mhc::bf16, 2, 2> H;
  H << mhc::bf16(0.5F), mhc::bf16(0.25F), mhc::bf16(0.5F), mhc::bf16(0.625F);
  EXPECT_EQ(mhc::row_error(H), 0.25);
  EXPECT_EQ(mhc::forward_gain(H.cast<float>()), 1.125);
}

TEST(Gains, AreMeansOverTokens) {
  mhc::Streams<float> res(2, 2, 2);
  res.token(0) << 1, 2, 3, 4;
  res.token(1) << -9, 1, 2, 3;
  const mhc::Gains gains = mhc::gains(res.view());
  EXPECT_EQ(gains.forward, (7 + 8) / 2.0);
  EXPECT_EQ(gains.backward, (6 + 7) / 2.0);
}

TEST(CompositeMapping, PutsTheLatestLayerLeft) {
  mhc::CompositeMapping composite(1, 2);
  mhc::Streams<float> first(1, 2, 2);
  mhc::Streams<double> second(1, 2, 2);
  first.token(0) << 1, 2, 3, 4;
  second.token(0) << 0, 1, -1, 5;
  EXPECT_EQ(composite.gains().forward, 1);
  composite.apply(first.view());
  composite.apply(second.view());
  EXPECT_EQ(composite.token(0), matrix({{3, 4}, {14, 18}}));  // second * first
  EXPECT_EQ(composite.gains().forward, 32);
  EXPECT_EQ(composite.gains().backward, 22);
}

TEST(CompositeMapping, KeepsTokensApartAndTakesSavedMappings) {
  using Block = mhc::Block<3, float, mhc::HyperConnections>;
  constexpr index tokens = 5;
  constexpr index channels = 8;
  mhc_test::Random random(1);
  Block::Parameters parameters(channels);
  mhc_test::fill(random, parameters.span().data, parameters.span().size);
  mhc::Streams<float> x(tokens, 3, channels);
  mhc_test::fill(random, x.view());
  Block::Saved saved(tokens);
  Block(parameters).prepare(x, {}, saved);
  mhc::CompositeMapping composite(tokens, 3);
  composite.apply(saved.res());
  composite.apply(saved.res());
  double forward = 0;
  for (index t = 0; t < tokens; ++t) {
    const Eigen::Matrix3d H = saved.res().token(t).cast<double>();
    EXPECT_LE((composite.token(t) - H * H).norm(), 1e-14 * (H * H).norm());
    forward += mhc::forward_gain(H * H) / tokens;
  }
  EXPECT_NEAR(composite.gains().forward, forward, 1e-12 * forward);
}

TEST(CompositeMapping, OfNoTokensHasNoGain) {
  mhc::CompositeMapping composite(0, 4);
  const mhc::Streams<float> none(0, 4, 4);
  composite.apply(none.view());
  EXPECT_TRUE(std::isfinite(composite.gains().forward));
}

}  // namespace
