// SPDX-License-Identifier: MIT
// The properties of doubly stochastic matrices that keep a deep model's streams bounded.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <mhc/diagnostics.hpp>
#include <mhc/mhc.hpp>

#include "support/fill.hpp"
#include "support/matchers.hpp"

namespace {

using mhc::Axis;
using mhc::Index;
using mhc_test::ConservesStreamSum;
using mhc_test::HasUnitColumns;
using mhc_test::HasUnitRows;
using mhc_test::IsDoublyStochastic;
using mhc_test::IsNonExpansive;
using mhc_test::IsNonNegative;
using testing::AllOf;
using testing::Not;

constexpr Index count = 200;

template <int N, class Scalar = double>
mhc::Streams<Scalar> random_mappings(double stddev, const mhc::SinkhornKnoppOptions& options = {},
                                     std::uint64_t seed = 1) {
  mhc_test::Random random(seed);
  mhc::Streams<Scalar> res(count, N, N);
  mhc_test::fill(random, res.view(), stddev);
  mhc::sinkhorn_knopp<N>(res, options, res);
  return res;
}

/// The last axis is exact to rounding for all logits; the other one converges with the iterations.
template <int N>
void expect_laws_of_sinkhorn_knopp() {
  SCOPED_TRACE(testing::Message() << "n = " << N);
  for (const double stddev : {0.0, 0.5, 1.0, 3.0, 10.0, 80.0}) {
    SCOPED_TRACE(testing::Message() << "logits of standard deviation " << stddev);
    const auto res = random_mappings<N>(stddev);
    for (Index t = 0; t < count; ++t) {
      ASSERT_THAT(res.token(t), AllOf(IsNonNegative(), HasUnitRows(1e-14)));
    }
  }
  const auto gentle = random_mappings<N>(0.5);
  for (Index t = 0; t < count; ++t) ASSERT_THAT(gentle.token(t), IsDoublyStochastic(1e-4));
  mhc::SinkhornKnoppOptions many;
  many.iterations = 2000;
  const auto converged = random_mappings<N>(1.0, many);
  for (Index t = 0; t < count; ++t) {
    ASSERT_THAT(converged.token(t), AllOf(IsDoublyStochastic(1e-12), IsNonExpansive(1e-12)));
  }
}

TEST(SinkhornKnoppLaws, RowsAreExactAndColumnsConverge) {
  expect_laws_of_sinkhorn_knopp<1>();
  expect_laws_of_sinkhorn_knopp<2>();
  expect_laws_of_sinkhorn_knopp<4>();
}

TEST(SinkhornKnoppLaws, MoreIterationsReduceTheColumnError) {
  double last = 1.0;
  for (const int iterations : {1, 3, 10, 30, 100}) {
    mhc::SinkhornKnoppOptions options;
    options.iterations = iterations;
    const auto res = random_mappings<4>(2.0, options);
    double worst = 0.0;
    for (Index t = 0; t < count; ++t) worst = std::max(worst, mhc::column_error(res.token(t)));
    EXPECT_LT(worst, last) << iterations << " iterations";
    last = worst;
  }
  EXPECT_LT(last, 1e-2);
}

TEST(SinkhornKnoppLaws, OneIterationLeavesColumnError) {
  mhc::SinkhornKnoppOptions once;
  once.iterations = 1;
  const auto res = random_mappings<4>(2.0, once);
  for (Index t = 0; t < count; ++t) {
    ASSERT_THAT(res.token(t), AllOf(HasUnitRows(1e-14), Not(HasUnitColumns(1e-4))));
  }
}

TEST(SinkhornKnoppLaws, RowsFirstMakesColumnsExact) {
  mhc::SinkhornKnoppOptions rows_first;
  rows_first.first = Axis::rows;
  rows_first.iterations = 3;
  const auto res = random_mappings<4>(2.0, rows_first);
  for (Index t = 0; t < count; ++t) {
    ASSERT_THAT(res.token(t), AllOf(HasUnitColumns(1e-14), Not(HasUnitRows(1e-7))));
  }
}

TEST(SinkhornKnoppLaws, RowsFirstIsTheTransposeOfColumnsFirst) {
  mhc_test::Random random(3);
  mhc::Streams<double> logits(count, 4, 4);
  mhc_test::fill(random, logits.view(), 2.0);
  mhc::Streams<double> transposed(count, 4, 4);
  for (Index t = 0; t < count; ++t) transposed.token(t) = logits.token(t).transpose();
  mhc::SinkhornKnoppOptions options{5, 1e-3, 1e-4, Axis::columns};
  mhc::sinkhorn_knopp<4>(logits, options, logits);
  options.first = Axis::rows;
  mhc::sinkhorn_knopp<4>(transposed, options, transposed);
  for (Index t = 0; t < count; ++t) {
    ASSERT_EQ(logits.token(t), transposed.token(t).transpose());
    ASSERT_NE(logits.token(t), transposed.token(t)) << "a symmetric case shows nothing";
  }
}

TEST(SinkhornKnoppLaws, EpsReducesTheRowSums) {
  // Each row sums to s / (s + eps), about one minus eps.
  const auto res = random_mappings<4>(1.0, mhc::families::DeepSeekV4::options().residual);
  for (Index t = 0; t < count; ++t) {
    ASSERT_THAT(res.token(t), AllOf(IsNonNegative(), HasUnitRows(2e-6), Not(HasUnitRows(5e-7))));
  }
}

TEST(SinkhornKnoppLaws, ConstantsAddedToColumnsCancel) {
  // The first half step is a softmax over each column.
  mhc_test::Random random(4);
  mhc::Streams<double> logits(count, 4, 4);
  mhc_test::fill(random, logits.view());
  mhc::Streams<double> shifted = logits;
  for (Index t = 0; t < count; ++t) {
    for (Index j = 0; j < 4; ++j) shifted.token(t).col(j).array() += 5.0 * random.normal();
  }
  mhc::sinkhorn_knopp<4>(logits, {}, logits);
  mhc::sinkhorn_knopp<4>(shifted, {}, shifted);
  for (Index t = 0; t < count; ++t) {
    ASSERT_LE((logits.token(t) - shifted.token(t)).cwiseAbs().maxCoeff(), 1e-14);
  }
}

TEST(DoublyStochasticLaws, ProductsStayDoublyStochastic) {
  mhc::SinkhornKnoppOptions many;
  many.iterations = 2000;
  mhc::CompositeMapping composite(count, 4);
  for (std::uint64_t layer = 1; layer <= 60; ++layer) {
    composite.apply(random_mappings<4>(1.0, many, layer).view());
  }
  for (Index t = 0; t < count; ++t) {
    ASSERT_THAT(composite.token(t), AllOf(IsDoublyStochastic(1e-11), IsNonExpansive(1e-11)));
  }
  EXPECT_NEAR(composite.gains().forward, 1.0, 1e-11);
  EXPECT_NEAR(composite.gains().backward, 1.0, 1e-11);
}

/// Calls merge with this res and post = 0.
template <class Element>
mhc::Streams<Element> mixed(const mhc::Streams<Element>& x,
                            const mhc::Streams<mhc::compute_t<Element>>& res) {
  mhc::Streams<Element> x_next(x.tokens(), x.streams(), x.channels());
  mhc::Tokens<Element> v(x.tokens(), x.channels());
  mhc_test::Random random(77);
  mhc_test::fill(random, v.view());
  const mhc::Tokens<mhc::compute_t<Element>> post(x.tokens(), 4);
  mhc::merge<4>(x, v, post, res, x_next);
  return x_next;
}

TEST(DoublyStochasticLaws, MergeConservesTheSumOfTheStreams) {
  mhc::SinkhornKnoppOptions many;
  many.iterations = 2000;
  mhc_test::Random random(5);
  mhc::Streams<double> x(count, 4, 37);
  mhc_test::fill(random, x.view());
  const auto res = random_mappings<4>(1.0, many);
  const auto x_next = mixed(x, res);
  for (Index t = 0; t < count; ++t) {
    ASSERT_THAT(x_next.token(t), ConservesStreamSum(x.token(t), 1e-11));
  }
  // The check can fail: after one iteration the columns do not sum to one.
  const auto open = random_mappings<4>(3.0, {1, 0.0, 0.0, Axis::columns});
  const auto lossy = mixed(x, open);
  for (Index t = 0; t < count; ++t) {
    ASSERT_THAT(lossy.token(t), Not(ConservesStreamSum(x.token(t), 1e-3)));
  }
}

TEST(DoublyStochasticLaws, MergeInFloatConservesTheSumToRounding) {
  mhc_test::Random random(6);
  mhc::Streams<float> x(count, 4, 37);
  mhc_test::fill(random, x.view());
  mhc::SinkhornKnoppOptions many;
  many.iterations = 300;
  const auto x_next = mixed(x, random_mappings<4, float>(1.0, many));
  for (Index t = 0; t < count; ++t) {
    ASSERT_THAT(x_next.token(t), ConservesStreamSum(x.token(t), 1e-5));
  }
}

TEST(DoublyStochasticLaws, MergeIsNonExpansive) {
  mhc::SinkhornKnoppOptions many;
  many.iterations = 2000;
  mhc_test::Random random(7);
  mhc::Streams<double> x(count, 4, 37);
  mhc_test::fill(random, x.view());
  mhc::Streams<double> y = x;
  for (std::uint64_t layer = 1; layer <= 10; ++layer) {
    const auto next = mixed(y, random_mappings<4>(1.0, many, layer));
    for (Index t = 0; t < count; ++t) {
      ASSERT_LE(next.token(t).norm(), y.token(t).norm() * (1 + 1e-12));
    }
    y = next;
  }
}

TEST(DoublyStochasticLaws, EqualStreamsStayEqual) {
  // Rows sum to one, and a mean of equal streams is the stream.
  mhc_test::Random random(8);
  mhc::Tokens<double> h(count, 37);
  mhc_test::fill(random, h.view());
  mhc::Streams<double> x(count, 4, 37);
  mhc::expand_repeat(h, x);
  const auto x_next = mixed(x, random_mappings<4>(5.0));
  for (Index t = 0; t < count; ++t) {
    ASSERT_LE((x_next.token(t) - x.token(t)).cwiseAbs().maxCoeff(), 1e-13);
  }
}

TEST(Matchers, CanFail) {
  Eigen::Matrix2d H;
  H << 0.5, 0.5, 0.25, 0.75;
  EXPECT_THAT(H, AllOf(IsNonNegative(), HasUnitRows(1e-15), Not(HasUnitColumns(0.2)),
                       Not(IsDoublyStochastic(0.2)), Not(IsNonExpansive(1e-3))));
  H << 1.5, -0.5, -0.5, 1.5;
  EXPECT_THAT(H, AllOf(Not(IsNonNegative()), HasUnitRows(1e-15), HasUnitColumns(1e-15),
                       Not(IsDoublyStochastic(1e-3)), Not(IsNonExpansive(0.5))));
}

}  // namespace
