// SPDX-License-Identifier: MIT
// Initial parameters make a site an ordinary residual at step 0.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/fill.hpp"
#include "support/kernel_instances.hpp"

namespace {

using mhc::Index;

constexpr Index tokens = 6;
constexpr Index channels = 64;

/// A site with initial parameters, on equal streams.
template <class Block>
struct StepZero {
  explicit StepZero(const typename Block::Parameters& parameters)
      : h(tokens, channels),
        v(tokens, channels),
        u(tokens, channels),
        x(tokens, Block::streams, channels),
        x_next(tokens, Block::streams, channels),
        saved(tokens) {
    mhc_test::Random random(1);
    mhc_test::fill(random, h.view());
    mhc_test::fill(random, v.view());
    mhc::expand_repeat(h, x);
    const Block block(parameters);
    block.prepare(x, u, saved);
    block.finish(x, v, saved, x_next);
  }

  /// The largest |x'_i - (h + v)|.
  double distance_from_ordinary() const {
    double worst = 0;
    for (Index i = 0; i < Block::streams; ++i) {
      const auto difference =
          (x_next.view().stream(i).matrix().template cast<double>() -
           h.matrix().template cast<double>() - v.matrix().template cast<double>())
              .eval();
      worst = std::max(worst, difference.cwiseAbs().maxCoeff());
    }
    return worst;
  }

  mhc::Tokens<typename Block::ElementType> h, v, u;
  mhc::Streams<typename Block::ElementType> x, x_next;
  typename Block::Saved saved;
};

template <int N>
void expect_ordinary_residual() {
  SCOPED_TRACE(testing::Message() << "n = " << N);
  using Block = mhc::Block<N, double>;
  typename Block::Parameters parameters(channels);
  mhc::initialize(parameters, 1);

  // alpha = 0.01 lets through little of the random phi, alpha = 0 nothing.
  const StepZero<Block> initial(parameters);
  EXPECT_LE(initial.distance_from_ordinary(), 0.05);
  EXPECT_GT(initial.distance_from_ordinary(), 0.0);
  parameters.alpha().setZero();
  const StepZero<Block> exact(parameters);
  EXPECT_LE(exact.distance_from_ordinary(), 1e-14);
  EXPECT_LE((exact.u.matrix() - exact.h.matrix()).cwiseAbs().maxCoeff(), 1e-14) << "the mean";

  // H_res is I, up to exp(-8) = 3e-4 in each element.
  for (Index t = 0; t < tokens; ++t) {
    const Eigen::MatrixXd off = exact.saved.res().token(t) - Eigen::MatrixXd::Identity(N, N);
    EXPECT_LE(off.cwiseAbs().maxCoeff(), 3.4e-4 * (N - 1) + 1e-15);
    if (N > 1) {
      EXPECT_GE(off.cwiseAbs().maxCoeff(), 3e-4);
    }
  }
}

mhc::InitializationOptions<mhc::ManifoldConstrained> phi_of_stddev(double stddev) {
  mhc::InitializationOptions<mhc::ManifoldConstrained> options;
  options.phi_stddev = stddev;
  return options;
}

TEST(Initialization, MhcStartsAsAnOrdinaryResidual) {
  expect_ordinary_residual<1>();
  expect_ordinary_residual<2>();
  expect_ordinary_residual<4>();
}

TEST(Initialization, ReadsTheMeanOfUnequalStreams) {
  using Block = mhc::Block<4, double>;
  Block::Parameters parameters(channels);
  mhc::initialize(parameters, 1, phi_of_stddev(0.0));
  mhc::Streams<double> x(tokens, 4, channels);
  mhc::Tokens<double> u(tokens, channels);
  mhc::Tokens<double> mean(tokens, channels);
  mhc_test::Random random(2);
  mhc_test::fill(random, x.view());
  Block::Saved saved(tokens);
  Block(parameters).prepare(x, u, saved);
  mhc::collapse_mean(x, mean);
  EXPECT_LE((u.matrix() - mean.matrix()).cwiseAbs().maxCoeff(), 1e-14);
}

TEST(Initialization, OnlyPhiSeparatesEqualStreams) {
  using Block = mhc::Block<4, double>;
  const auto spread = [](double phi_stddev) {
    Block::Parameters parameters(channels);
    mhc::initialize(parameters, 1, phi_of_stddev(phi_stddev));
    const StepZero<Block> site(parameters);
    return (site.x_next.view().stream(0).matrix() - site.x_next.view().stream(3).matrix()).norm();
  };
  EXPECT_LE(spread(0.0), 1e-12);
  EXPECT_GE(spread(0.02), 1e-4);
}

TEST(Initialization, OneHotReadsOneStream) {
  using Block = mhc::Block<4, float>;
  Block::Parameters parameters(channels);
  for (const Index home : {0, 2, 3}) {
    mhc::HomeStreamOptions options;
    options.stream = home;
    mhc::initialize_one_hot(parameters, 1, options);
    parameters.alpha().setZero();
    mhc::Streams<float> x(tokens, 4, channels);
    mhc::Tokens<float> u(tokens, channels);
    mhc_test::Random random(2);
    mhc_test::fill(random, x.view());
    Block::Saved saved(tokens);
    Block(parameters).prepare(x, u, saved);
    EXPECT_LE((u.matrix() - x.view().stream(home).matrix()).cwiseAbs().maxCoeff(), 1e-6F);
    EXPECT_LE(StepZero<Block>(parameters).distance_from_ordinary(), 2e-6);
  }
}

TEST(Initialization, BiasesOfThePaper) {
  mhc::Parameters<3, float> parameters(channels);
  mhc::HomeStreamOptions options;
  options.stream = 1;
  mhc::initialize_paper(parameters, 5, options);
  EXPECT_EQ(parameters.b_pre()(0), -3);
  EXPECT_EQ(parameters.b_pre()(1), 3);
  EXPECT_EQ(parameters.b_pre()(2), -3);
  EXPECT_EQ(parameters.b_post().cwiseAbs().maxCoeff(), 0);
  for (Index i = 0; i < 3; ++i) {
    for (Index j = 0; j < 3; ++j) EXPECT_EQ(parameters.b_res()(i, j), i == j ? 3 : -3);
  }
  EXPECT_EQ(parameters.alpha()(0), 0.01F);
  EXPECT_EQ(parameters.alpha()(2), 0.01F);
}

TEST(Initialization, HyperConnectionsStartAsAResidualThatReadsOneStream) {
  using Block = mhc::Block<4, float, mhc::HyperConnections>;
  Block::Parameters parameters(channels);
  mhc::InitializationOptions<mhc::HyperConnections> options;
  options.stream = 2;
  mhc::initialize(parameters, 1, options);
  mhc_test::Random random(3);
  mhc::Streams<float> x(tokens, 4, channels);
  mhc::Streams<float> x_next(tokens, 4, channels);
  mhc::Tokens<float> u(tokens, channels);
  mhc::Tokens<float> v(tokens, channels);
  mhc_test::fill(random, x.view());
  mhc_test::fill(random, v.view());
  Block::Saved saved(tokens);
  const Block block(parameters);
  block.prepare(x, u, saved);
  block.finish(x, v, saved, x_next);
  EXPECT_EQ(u.matrix(), x.view().stream(2).matrix());
  for (Index i = 0; i < 4; ++i) {
    EXPECT_EQ(x_next.view().stream(i).matrix(), x.view().stream(i).matrix() + v.matrix());
  }
}

TEST(Initialization, OrdinaryResidualIsExact) {
  using Block = mhc::Block<4, float, mhc::OrdinaryResidual>;
  Block::Parameters parameters(channels);
  mhc::initialize(parameters, 1);
  const StepZero<Block> site(parameters);
  EXPECT_LE(site.distance_from_ordinary(), 1e-6);
  EXPECT_LE((site.u.matrix() - site.h.matrix()).cwiseAbs().maxCoeff(), 1e-6F);
}

TEST(Initialization, HeadStartsAsTheMean) {
  mhc_test::Random random(4);
  mhc::Streams<double> x(tokens, 4, channels);
  mhc::Tokens<double> h(tokens, channels);
  mhc::Tokens<double> mean(tokens, channels);
  mhc_test::fill(random, x.view());
  mhc::Head<4, double>::Parameters parameters(channels);
  mhc::initialize(parameters, 1);
  mhc::Head<4, double>::Saved saved(tokens);
  mhc::collapse_mean(x, mean);
  mhc::Head<4, double>(parameters).forward(x, h, saved);
  EXPECT_LE((h.matrix() - mean.matrix()).cwiseAbs().maxCoeff(), 0.05);
  parameters.alpha().setZero();
  mhc::Head<4, double>(parameters).forward(x, h, saved);
  EXPECT_LE((h.matrix() - mean.matrix()).cwiseAbs().maxCoeff(), 1e-14);
}

TEST(Initialization, SeedDeterminesTheResult) {
  mhc::Parameters<4, float> a(channels);
  mhc::Parameters<4, float> b(channels);
  mhc::Parameters<4, double> exact(channels);
  mhc::initialize(a, 1);
  mhc_test::Random random(9);
  mhc_test::fill(random, b.span().data, b.span().size);  // arbitrary previous contents
  mhc::initialize(b, 1);
  EXPECT_TRUE(mhc_test::same_bits(a.span().data, b.span().data, a.span().size));
  mhc::initialize(exact, 1);
  for (Index i = 0; i < a.phi().size(); ++i) {
    ASSERT_EQ(a.phi().data()[i], static_cast<float>(exact.phi().data()[i]));
  }
  mhc::initialize(b, 2);
  EXPECT_FALSE(mhc_test::same_bits(a.span().data, b.span().data, a.span().size));
}

TEST(Initialization, PhiIsNormal) {
  mhc::Parameters<4, double> parameters(512);
  mhc::initialize(parameters, 3, phi_of_stddev(0.1));
  const auto phi = parameters.phi().array().eval();
  const auto size = static_cast<double>(phi.size());
  EXPECT_NEAR(phi.sum() / size, 0.0, 0.1 * 4 / std::sqrt(size));
  const double variance = phi.square().sum() / size;
  EXPECT_NEAR(variance, 0.01, 0.01 * 4 * std::sqrt(2 / size));
  EXPECT_NEAR(phi.square().square().sum() / size / (variance * variance), 3.0, 0.15);
}

}  // namespace
