// SPDX-License-Identifier: MIT
// The exact projection is doubly stochastic for all logits and the limit of Sinkhorn-Knopp; the
// implicit gradient reports the convergence error of a matrix.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/complex_step.hpp"
#include "support/kernel_instances.hpp"
#include "support/matchers.hpp"
#include "support/random.hpp"
#include "support/refused.hpp"

namespace {

using mhc::Index;
using Matrix = mhc::reference::Matrix<double>;
using mhc_test::Complex;
using mhc_test::ComplexMatrix;

template <class Scalar>
mhc::Streams<Scalar> random_matrices(Index count, int n, std::uint64_t seed, double stddev) {
  return mhc_test::random_streams<Scalar>(count, n, n, seed, stddev);
}

template <int N, class Scalar>
void expect_doubly_stochastic(double stddev, double tolerance) {
  SCOPED_TRACE(testing::Message() << "n = " << N << ", std " << stddev);
  const auto logits = random_matrices<Scalar>(50, N, 3, stddev);
  mhc::Streams<Scalar> res(50, N, N);
  mhc::birkhoff_projection<N>(logits, {}, res);
  for (Index t = 0; t < 50; ++t) {
    EXPECT_THAT(res.token(t), mhc_test::IsDoublyStochastic(tolerance));
  }
}

TEST(BirkhoffProjection, IsDoublyStochasticForAllLogits) {
  for (const double stddev : {0.0, 1.0, 4.0, 30.0, 100.0, 1e4}) {
    const double tolerance = stddev < 50.0 ? 1e-12 : 1e-10;  // doubles near 1e4 differ by 1e-12
    expect_doubly_stochastic<1, double>(stddev, tolerance);
    expect_doubly_stochastic<2, double>(stddev, tolerance);
    expect_doubly_stochastic<4, double>(stddev, tolerance);
    expect_doubly_stochastic<7, double>(stddev, tolerance);
    expect_doubly_stochastic<16, double>(stddev, tolerance);
    expect_doubly_stochastic<4, float>(stddev, 1e-6);
  }
}

TEST(BirkhoffProjection, IsTheLimitOfSinkhornKnopp) {
  const auto logits = random_matrices<double>(50, 4, 5, 2.0);
  mhc::SinkhornKnoppOptions options;
  options.iterations = 20000;
  mhc::Streams<double> limit(50, 4, 4);
  mhc::Streams<double> res(50, 4, 4);
  mhc::sinkhorn_knopp<4>(logits, options, limit);
  mhc::birkhoff_projection<4>(logits, {}, res);
  for (Index t = 0; t < 50; ++t) {
    EXPECT_LE((res.token(t) - limit.token(t)).cwiseAbs().maxCoeff(), 1e-12);
  }
}

TEST(BirkhoffProjection, IgnoresShiftsOfRowsAndColumns) {
  const auto logits = random_matrices<double>(20, 4, 6, 3.0);
  const auto shifts = random_matrices<double>(20, 4, 7, 50.0);
  mhc::Streams<double> shifted(20, 4, 4);
  for (Index t = 0; t < 20; ++t) {
    shifted.token(t) = logits.token(t);
    shifted.token(t).colwise() += shifts.token(t).col(0);
    shifted.token(t).rowwise() += shifts.token(t).row(1);
  }
  mhc::Streams<double> res(20, 4, 4);
  mhc::birkhoff_projection<4>(logits, {}, res);
  mhc::birkhoff_projection<4>(shifted, {}, shifted);
  for (Index t = 0; t < 20; ++t) {
    EXPECT_LE((res.token(t) - shifted.token(t)).cwiseAbs().maxCoeff(), 1e-11);
  }
}

TEST(BirkhoffProjection, LargeLogitsGiveTheBestAssignment) {
  const auto logits = random_matrices<double>(50, 4, 8, 1e5);
  mhc::Streams<double> res(50, 4, 4);
  mhc::birkhoff_projection<4>(logits, {}, res);
  for (Index t = 0; t < 50; ++t) {
    std::vector<int> permutation = {0, 1, 2, 3};
    double best = -std::numeric_limits<double>::infinity();
    do {
      double value = 0.0;
      for (int i = 0; i < 4; ++i)
        value += logits.token(t)(i, permutation[static_cast<std::size_t>(i)]);
      best = std::max(best, value);
    } while (std::next_permutation(permutation.begin(), permutation.end()));
    const double chosen = logits.token(t).cwiseProduct(res.token(t)).sum();
    EXPECT_NEAR(chosen, best, 1e-6 * std::abs(best));
  }
}

TEST(ImplicitBackward, MatchesTheComplexStepOfTheLimit) {
  for (const double stddev : {0.5, 2.0, 4.0}) {
    SCOPED_TRACE(stddev);
    const auto logits = random_matrices<double>(5, 4, 9, stddev);
    const auto dres = random_matrices<double>(5, 4, 10, 1.0);
    mhc::Streams<double> res(5, 4, 4);
    mhc::Streams<double> dlogits(5, 4, 4);
    mhc::Tokens<double> error(5, 1);
    mhc::birkhoff_projection<4>(logits, {}, res);
    mhc::implicit_backward<4>(res, dres, dlogits, error);
    for (Index t = 0; t < 5; ++t) {
      ComplexMatrix at = logits.token(t).cast<Complex>();
      const auto expected = mhc_test::complex_step(at, [&] {
        return mhc_test::inner(dres.token(t), mhc::reference::birkhoff_projection(at));
      });
      EXPECT_LE(mhc_test::relative_error(dlogits.token(t), expected), 1e-11);
      EXPECT_LE(error.token(t)(0), 1e-13);
    }
  }
}

TEST(ImplicitBackward, ReportsTheErrorOfTheMatrix) {
  const auto logits = random_matrices<double>(50, 4, 11, 4.0);
  const auto dres = random_matrices<double>(50, 4, 12, 1.0);
  mhc::Streams<double> res(50, 4, 4);
  mhc::Streams<double> dlogits(50, 4, 4);
  mhc::Tokens<double> error(50, 1);
  mhc::sinkhorn_knopp<4>(logits, mhc::families::DeepSeekV4::options().residual, res);
  mhc::implicit_backward<4>(res, dres, dlogits, error);
  double largest = 0.0;
  for (Index t = 0; t < 50; ++t) {
    const double expected = std::max(mhc::row_error(res.token(t)), mhc::column_error(res.token(t)));
    EXPECT_NEAR(error.token(t)(0), expected, 1e-15);
    largest = std::max(largest, expected);
  }
  EXPECT_GT(largest, 1e-3);
  EXPECT_DOUBLE_EQ(mhc::marginal_error(res.view()), largest);
}

TEST(ImplicitBackward, ReportsNaN) {
  mhc::Streams<double> res(2, 4, 4);
  res.token(0).setConstant(0.25);
  res.token(1).setConstant(std::numeric_limits<double>::quiet_NaN());
  mhc::Streams<double> dlogits(2, 4, 4);
  mhc::Tokens<double> error(2, 1);
  mhc::implicit_backward<4>(res, res, dlogits, error);
  EXPECT_EQ(error.token(0)(0), 0.0);
  EXPECT_TRUE(std::isnan(error.token(1)(0)));
  EXPECT_TRUE(std::isnan(mhc::marginal_error(res.view())));
}

TEST(ImplicitBackward, IsSelectedByTheOptionOfSinkhornKnopp) {
  const auto logits = random_matrices<float>(37, 4, 13, 3.0);
  const auto dres = random_matrices<float>(37, 4, 14, 1.0);
  auto options = mhc::families::DeepSeekV4::options().residual;
  mhc::Streams<float> res(37, 4, 4);
  mhc::Streams<float> expected(37, 4, 4);
  mhc::Streams<float> dlogits(37, 4, 4);
  mhc::sinkhorn_knopp<4>(logits, options, res);
  mhc::implicit_backward<4>(res, dres, expected);
  options.gradient = mhc::Gradient::implicit;
  mhc::sinkhorn_knopp_backward<4>(logits, options, dres, dlogits);
  EXPECT_TRUE(mhc_test::same_bits(dlogits.data(), expected.data(), dlogits.size()));
}

TEST(ImplicitBackward, HandlesBlockMatrices) {
  // For permutations and block matrices the dual is not unique; the gradient is that of each block.
  mhc::Streams<double> res(2, 4, 4);
  res.token(0) << 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0;
  res.token(1) << 0.25, 0.75, 0, 0, 0.75, 0.25, 0, 0, 0, 0, 0.5, 0.5, 0, 0, 0.5, 0.5;
  const auto dres = random_matrices<double>(2, 4, 15, 1.0);
  mhc::Streams<double> dlogits(2, 4, 4);
  mhc::Streams<double> nearly = res;
  mhc::Streams<double> dnearly(2, 4, 4);
  for (const double coupling : {1e-20, 1e-40, 1e-200}) {
    nearly.token(1) = res.token(1).cwiseMax(coupling);
    mhc::implicit_backward<4>(nearly, dres, dnearly);
    mhc::implicit_backward<4>(res, dres, dlogits);
    EXPECT_LE((dnearly.token(1) - dlogits.token(1)).cwiseAbs().maxCoeff(), 1e-15) << coupling;
  }
  mhc::implicit_backward<4>(res, dres, dlogits);
  EXPECT_EQ(dlogits.token(0).cwiseAbs().maxCoeff(), 0.0);
  EXPECT_EQ(dlogits.token(1).topRightCorner(2, 2).cwiseAbs().maxCoeff(), 0.0);
  mhc::Streams<double> block(1, 2, 2);
  mhc::Streams<double> dblock(1, 2, 2);
  block.token(0) = res.token(1).topLeftCorner(2, 2);
  dblock.token(0) = dres.token(1).topLeftCorner(2, 2);
  mhc::implicit_backward<2>(block, dblock, dblock);
  EXPECT_LE((dlogits.token(1).topLeftCorner(2, 2) - dblock.token(0)).cwiseAbs().maxCoeff(), 1e-15);
}

TEST(BirkhoffProjection, NaNStaysInItsMatrix) {
  auto logits = random_matrices<double>(3, 4, 16, 1.0);
  mhc::Streams<double> alone(1, 4, 4);
  mhc::birkhoff_projection<4>(logits.view().slice(2, 3), {}, alone);
  logits.token(1)(2, 3) = std::numeric_limits<double>::quiet_NaN();
  mhc::Streams<double> res(3, 4, 4);
  mhc::birkhoff_projection<4>(logits, {}, res);
  EXPECT_FALSE(res.token(1).allFinite());
  EXPECT_TRUE(mhc_test::same_bits(res.view().slice(2, 3).data, alone.data(), 16));
}

TEST(BirkhoffProjection, WrongOptionsAndViewsAreRejected) {
  mhc::Streams<double> a(2, 4, 4);
  mhc::Streams<double> b(2, 4, 4);
  for (const double tolerance : {0.0, -1.0, 1.0, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_REFUSED((mhc::birkhoff_projection<4>(a, {tolerance}, b)),
                   "mhc::birkhoff_projection: ", "tolerance");
  }
  EXPECT_REFUSED((mhc::birkhoff_projection<3>(a, {}, b)),
                 "mhc::birkhoff_projection: ", "logits is 2 x 4 x 4");
  EXPECT_REFUSED((mhc::implicit_backward<4>(a, b, a)),
                 "mhc::implicit_backward: ", "dlogits overlaps res");
  mhc::Tokens<double> error(3, 1);
  EXPECT_REFUSED((mhc::implicit_backward<4>(a, b, b, error)),
                 "mhc::implicit_backward: ", "error is 3 x 1");
}

}  // namespace
