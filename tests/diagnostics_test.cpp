// SPDX-License-Identifier: MIT
// Gains, errors and norms of residual mappings, similarities of streams and a recorder's records,
// on small numbers with known results.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <new>
#include <type_traits>
#include <vector>
#include <Eigen/Core>

#include <mhc/diagnostics.hpp>
#include <mhc/mhc.hpp>

#include "support/fill.hpp"
#include "support/refused.hpp"

namespace {

std::size_t allocations = 0;

// Not inlined: g++ would see malloc and free inside new and delete, and warn.
[[gnu::noinline]] void* allocate(std::size_t size) {
  ++allocations;
  void* const memory = std::malloc(size > 0 ? size : 1);
  if (memory == nullptr) std::abort();
  return memory;
}

[[gnu::noinline]] void release(void* memory) {
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size);
}
void operator delete(void* memory) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  release(memory);
}

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

using mhc::Index;

Eigen::MatrixXd matrix(std::initializer_list<std::initializer_list<double>> rows) {
  return Eigen::MatrixXd(rows);
}

TEST(Gain, IsTheLargestAbsoluteSum) {
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

TEST(Errors, MeasureRowsAndColumns) {
  const Eigen::MatrixXd H = matrix({{0.5, 0.25}, {0.5, 0.625}});
  EXPECT_EQ(mhc::row_error(H), 0.25);
  EXPECT_EQ(mhc::column_error(H), 0.125);
}

TEST(SpectralNorm, IsTheLargestSingularValue) {
  EXPECT_NEAR(mhc::spectral_norm(matrix({{3, 0}, {0, -5}})), 5, 1e-14);
  EXPECT_NEAR(mhc::spectral_norm(matrix({{1, 1}, {0, 0}})), std::sqrt(2), 1e-14);
  EXPECT_NEAR(mhc::spectral_norm(matrix({{1, 2}, {3, 4}})), 5.464985704219043, 1e-13);
  EXPECT_EQ(mhc::spectral_norm(matrix({{0, 0}, {0, 0}})), 0);
  EXPECT_NEAR(mhc::spectral_norm(matrix({{3e200, 0}, {0, -5e200}})) / 1e200, 5, 1e-14);
}

TEST(Diagnostics, AcceptAnyElementType) {
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

TEST(CompositeMapping, AppliesTheLatestLayerFromTheLeft) {
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

TEST(CompositeMapping, KeepsTokensSeparateAndAcceptsSavedMappings) {
  using Block = mhc::Block<3, float, mhc::HyperConnections>;
  constexpr Index tokens = 5;
  constexpr Index channels = 8;
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
  for (Index t = 0; t < tokens; ++t) {
    const Eigen::Matrix3d H = saved.res().token(t).cast<double>();
    EXPECT_LE((composite.token(t) - H * H).norm(), 1e-14 * (H * H).norm());
    forward += mhc::forward_gain(H * H) / tokens;
  }
  EXPECT_NEAR(composite.gains().forward, forward, 1e-12 * forward);
}

TEST(CompositeMapping, HasZeroGainWithoutTokens) {
  mhc::CompositeMapping composite(0, 4);
  const mhc::Streams<float> none(0, 4, 4);
  composite.apply(none.view());
  EXPECT_TRUE(std::isfinite(composite.gains().forward));
}

TEST(CompositeMapping, AppliesTheEarlierLayerFromTheRight) {
  mhc::CompositeMapping composite(1, 2);
  mhc::Streams<float> first(1, 2, 2);
  mhc::Streams<double> second(1, 2, 2);
  first.token(0) << 1, 2, 3, 4;
  second.token(0) << 0, 1, -1, 5;
  composite.apply_before(second.view());
  EXPECT_EQ(composite.gains().forward, 4);
  composite.apply_before(first.view());
  EXPECT_EQ(composite.token(0), matrix({{3, 4}, {14, 18}}));  // second * first
  EXPECT_REFUSED(composite.apply_before(mhc::Streams<float>(2, 2, 2).view()),
                 "mhc::CompositeMapping::apply_before: res is 2 x 2 x 2", "expected 1 x 2 x 2");
}

TEST(CompositeMapping, MeanIsThatOfTheProducts) {
  mhc::CompositeMapping composite(2, 2);
  mhc::Streams<float> res(2, 2, 2);
  res.token(0) << 1, 2, 3, 4;
  res.token(1) << 0, 1, 1, 0;
  composite.apply(res.view());
  composite.apply(res.view());
  EXPECT_EQ(composite.mean(), matrix({{4, 5}, {7.5, 11.5}}));
}

TEST(MeanMapping, IsOverTokensOfAnyElementType) {
  mhc::Streams<mhc::bf16> res(2, 2, 2);
  res.token(0) << mhc::bf16(1), mhc::bf16(2), mhc::bf16(3), mhc::bf16(4);
  res.token(1) << mhc::bf16(2), mhc::bf16(0), mhc::bf16(-3), mhc::bf16(0);
  EXPECT_EQ(mhc::mean_mapping(res.view()), matrix({{1.5, 1}, {0, 2}}));
  EXPECT_EQ(mhc::mean_mapping(mhc::Streams<float>(0, 3, 3).view()), Eigen::MatrixXd::Zero(3, 3));
  EXPECT_REFUSED(mhc::mean_mapping(mhc::Streams<float>(1, 2, 3).view()),
                 "mhc::mean_mapping: res is 1 x 2 x 3", "expected 1 x 2 x 2");
}

TEST(Errors, OfASiteAreTheLargestOverItsTokens) {
  mhc::Streams<float> res(3, 2, 2);
  res.token(0) << 0.5F, 0.5F, 0.5F, 0.5F;
  res.token(1) << 0.5F, 0.25F, 0.5F, 0.625F;
  res.token(2) << 1, 0, 0.5F, 0.5F;
  EXPECT_EQ(mhc::row_error(res.view()), 0.25);
  EXPECT_EQ(mhc::column_error(res.view()), 0.5);
  EXPECT_EQ(mhc::marginal_error(res.view()), 0.5);
  EXPECT_EQ(mhc::row_error(mhc::Streams<float>(0, 2, 2).view()), 0);
}

#ifndef __FAST_MATH__  // it assumes that there is no NaN
TEST(Diagnostics, NaNIsPropagated) {
  for (Index at = 0; at < 4; ++at) {
    mhc::Streams<double> res(3, 2, 2);
    for (Index t = 0; t < 3; ++t) res.token(t) << 0.5, 0.5, 0.5, 0.5;
    res.data()[4 + at] = nan;
    const Eigen::MatrixXd H = res.token(1);
    EXPECT_TRUE(mhc::detail::is_nan(mhc::forward_gain(H))) << at;
    EXPECT_TRUE(mhc::detail::is_nan(mhc::backward_gain(H))) << at;
    EXPECT_TRUE(mhc::detail::is_nan(mhc::row_error(res.view()))) << at;
    EXPECT_TRUE(mhc::detail::is_nan(mhc::column_error(res.view()))) << at;
    EXPECT_TRUE(mhc::detail::is_nan(mhc::marginal_error(res.view()))) << at;
    EXPECT_TRUE(mhc::detail::is_nan(mhc::effective_streams(res.view()))) << at;
  }
}
#endif

TEST(Histogram, CountsEachValueOnce) {
  mhc::Histogram histogram(-1, 3, 4);
  for (const double value : {-1.0, -0.5, 0.0, 0.99, 2.0, 3.0}) histogram.add(value);
  EXPECT_EQ(histogram.counts(), (std::vector<Index>{2, 2, 0, 2}));
  for (const double value : {-1.5, 3.5, 4.0, nan, infinity, -infinity}) histogram.add(value);
  EXPECT_EQ(histogram.counts(), (std::vector<Index>{2, 2, 0, 2}));
  EXPECT_EQ(histogram.total(), 12);
  EXPECT_EQ(histogram.below(), 2);
  EXPECT_EQ(histogram.above(), 3);
  EXPECT_EQ(histogram.not_a_number(), 1);
  EXPECT_EQ(histogram.least(), -1.5);
  EXPECT_EQ(histogram.most(), 4);
  EXPECT_NEAR(histogram.mean(), (-1 - 0.5 + 0.99 + 2 + 3 - 1.5 + 3.5 + 4) / 9, 1e-15);
  EXPECT_EQ(histogram.edge(0), -1);
  EXPECT_EQ(histogram.edge(1), 0);
  EXPECT_EQ(histogram.edge(4), 3);
}

TEST(Histogram, AcceptsTokensOfAnyElementTypeAndStride) {
  mhc::Tokens<mhc::bf16> values(3, 4);
  for (Index i = 0; i < 12; ++i) values.data()[i] = mhc::bf16(static_cast<float>(i));
  mhc::Histogram histogram(0, 12, 3);
  histogram.add(values.view());
  EXPECT_EQ(histogram.counts(), (std::vector<Index>{4, 4, 4}));
  mhc::Histogram first(0, 12, 3);
  first.add(mhc::TokenView<const mhc::bf16>(values.data(), 3, 2, 4));  // 0 1, 4 5, 8 9
  EXPECT_EQ(first.counts(), (std::vector<Index>{2, 2, 2}));
}

TEST(Histogram, EmptyHistogramIsZero) {
  const mhc::Histogram histogram;
  EXPECT_EQ(histogram.mean(), 0);
  EXPECT_EQ(histogram.total(), 0);
  EXPECT_EQ(histogram.bins(), 10);
}

TEST(Histogram, InvalidRangesAreRejected) {
  EXPECT_REFUSED(mhc::Histogram(1, 1, 3), "mhc::Histogram: the range is 1 to 1");
  EXPECT_REFUSED(mhc::Histogram(2, 1, 3), "mhc::Histogram: the range is 2 to 1");
  EXPECT_REFUSED(mhc::Histogram(nan, 1, 3), "mhc::Histogram: the range is");
  EXPECT_REFUSED(mhc::Histogram(0, infinity, 3), "mhc::Histogram: the range is 0 to inf");
  EXPECT_REFUSED(mhc::Histogram(0, 1, 0), "mhc::Histogram: 0 bins, expected at least 1");
}

TEST(StreamSimilarity, IsTheCosineOfEachPair) {
  mhc::Streams<float> x(2, 3, 2);
  x.token(0) << 3, 0, 0, 5, 4, 4;
  x.token(1) << 1, 1, -2, -2, 0, 0;  // the last is zero
  const double half = std::sqrt(0.5);
  const Eigen::MatrixXd expected = (matrix({{1, 0, half}, {0, 1, half}, {half, half, 1}}) +
                                    matrix({{1, -1, 0}, {-1, 1, 0}, {0, 0, 0}})) /
                                   2;
  EXPECT_LE((mhc::stream_similarity(x.view()) - expected).cwiseAbs().maxCoeff(), 1e-15);
  EXPECT_NEAR(mhc::mean_off_diagonal(mhc::stream_similarity(x.view())), (2 * half - 1) / 6, 1e-15);
}

TEST(StreamSimilarity, HandlesHugeValuesAndZeroTokens) {
  mhc::Streams<double> x(1, 2, 2);
  x.token(0) << 1e200, 1e200, 1e-200, 0;
  EXPECT_NEAR(mhc::stream_similarity(x.view())(0, 1), std::sqrt(0.5), 1e-15);
  EXPECT_EQ(mhc::stream_similarity(mhc::Streams<float>(0, 2, 4).view()),
            Eigen::MatrixXd::Zero(2, 2));
  EXPECT_EQ(mhc::mean_off_diagonal(matrix({{1}})), 1);
}

TEST(EffectiveStreams, AreOneForParallelStreams) {
  mhc::Streams<double> x(1, 3, 2);
  x.token(0) << 1, 2, -2, -4, 3, 6;
  EXPECT_NEAR(mhc::effective_streams(x.view()), 1, 1e-15);
  x.token(0) << 0, 0, 1e300, 2e300, 0, 0;
  EXPECT_NEAR(mhc::effective_streams(x.view()), 1, 1e-15);
}

TEST(EffectiveStreams, AreNForOrthogonalStreamsOfEqualLength) {
  mhc::Streams<float> x(1, 4, 4);
  x.token(0).setIdentity();
  EXPECT_EQ(mhc::effective_streams(x.view()), 4);
  x.token(0)(0, 0) = 0;
  EXPECT_EQ(mhc::effective_streams(x.view()), 3);
}

TEST(EffectiveStreams, AreMeansOverTokensAndZeroForZeros) {
  mhc::Streams<double> x(2, 2, 2);
  x.token(0) << 1, 0, 0, 2;  // eigenvalues 1, 4: 25 / 17
  EXPECT_NEAR(mhc::effective_streams(x.view()), 25.0 / 17 / 2, 1e-15);
  EXPECT_EQ(mhc::effective_streams(mhc::Streams<double>(0, 2, 2).view()), 0);
}

// Three sites of two tokens, n = 2, with all numbers different.
struct Forward {
  mhc::Streams<float> x{2, 2, 3};
  mhc::Tokens<float> pre{2, 2};
  mhc::Tokens<float> post{2, 2};
  std::vector<mhc::Streams<float>> res{3, mhc::Streams<float>(2, 2, 2)};

  Forward() {
    mhc_test::Random random(5);
    mhc_test::fill(random, x.view());
    for (auto& each : res) mhc_test::fill(random, each.view());
    for (Index i = 0; i < 4; ++i) {
      pre.data()[i] = 0.25F * static_cast<float>(i);
      post.data()[i] = static_cast<float>(i);
    }
  }

  template <class R>
  void run(R& recorder) const {
    for (const auto& each : res) {
      recorder.record("site", x.view(), pre.view(), post.view(), each.view());
    }
    recorder.finish();
  }
};

TEST(Recorder, RecordsTheDiagnostics) {
  const Forward forward;
  mhc::Recorder recorder;
  forward.run(recorder);
  ASSERT_EQ(recorder.sites().size(), 3u);
  const mhc::SiteRecord& site = recorder.sites()[1];
  const auto res = forward.res[1].view();
  EXPECT_EQ(site.name, "site");
  EXPECT_EQ(site.gains.forward, mhc::gains(res).forward);
  EXPECT_EQ(site.row_error, mhc::row_error(res));
  EXPECT_EQ(site.column_error, mhc::column_error(res));
  EXPECT_EQ(site.mean_res, mhc::mean_mapping(res));
  EXPECT_EQ(site.similarity, mhc::stream_similarity(forward.x.view()));
  EXPECT_EQ(site.mean_similarity, mhc::mean_off_diagonal(site.similarity));
  EXPECT_EQ(site.effective_streams, mhc::effective_streams(forward.x.view()));
  EXPECT_EQ(site.pre.total(), 4);
  EXPECT_EQ(site.pre.most(), 0.75);
  EXPECT_EQ(site.post.above(), 1);  // 3 of 0, 1, 2, 3
}

TEST(Recorder, ProductsRunFromTheFirstAndToTheLast) {
  const Forward forward;
  mhc::Recorder recorder;
  forward.run(recorder);
  const auto H = [&](std::size_t site, Index t) {
    return Eigen::MatrixXd(forward.res[site].token(t).cast<double>());
  };
  for (std::size_t l = 0; l < 3; ++l) {
    mhc::Gains up{0, 0};
    mhc::Gains down{0, 0};
    Eigen::MatrixXd mean = Eigen::MatrixXd::Zero(2, 2);
    for (Index t = 0; t < 2; ++t) {
      Eigen::MatrixXd to_here = Eigen::MatrixXd::Identity(2, 2);
      Eigen::MatrixXd to_last = Eigen::MatrixXd::Identity(2, 2);
      for (std::size_t k = 0; k < 3; ++k) {
        if (k <= l) to_here = (H(k, t) * to_here).eval();
        if (k >= l) to_last = (H(k, t) * to_last).eval();
      }
      mean += to_here / 2;
      up.forward += mhc::forward_gain(to_here) / 2;
      up.backward += mhc::backward_gain(to_here) / 2;
      down.forward += mhc::forward_gain(to_last) / 2;
      down.backward += mhc::backward_gain(to_last) / 2;
    }
    const mhc::SiteRecord& site = recorder.sites()[l];
    EXPECT_NEAR(site.composite.forward, up.forward, 1e-14) << l;
    EXPECT_NEAR(site.composite.backward, up.backward, 1e-14) << l;
    EXPECT_NEAR(site.to_last.forward, down.forward, 1e-14) << l;
    EXPECT_NEAR(site.to_last.backward, down.backward, 1e-14) << l;
    EXPECT_LE((site.mean_composite - mean).norm(), 1e-14) << l;
  }
  recorder.clear();
  recorder.finish();
  EXPECT_TRUE(recorder.sites().empty());
}

TEST(Recorder, SizesMustMatchTheFirstSite) {
  const Forward forward;
  mhc::Recorder recorder;
  forward.run(recorder);
  const mhc::Streams<float> more(3, 2, 2);
  const mhc::Tokens<float> rows(3, 2);
  EXPECT_REFUSED(recorder.record("more", more.view(), rows.view(), rows.view(), more.view()),
                 "mhc::Recorder::record: x is 3 x 2 x 2", "expected 2 x 2 x 2");
  EXPECT_REFUSED(
      recorder.record("rows", forward.x.view(), rows.view(), rows.view(), forward.res[0].view()),
      "mhc::Recorder::record: pre is 3 x 2");
}

TEST(NoRecorder, IsEmptyAndDoesNothing) {
  static_assert(std::is_empty_v<mhc::NoRecorder>);
  static_assert(mhc::Recorder::is_recording && !mhc::NoRecorder::is_recording);
  const Forward forward;
  mhc::NoRecorder none;
  std::size_t before = allocations;
  forward.run(none);
  none.clear();
  EXPECT_EQ(allocations - before, 0u);
  mhc::Recorder recorder;
  before = allocations;
  forward.run(recorder);
  EXPECT_GT(allocations - before, 0u);  // the counter works
}

}  // namespace
