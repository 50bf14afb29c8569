// SPDX-License-Identifier: MIT
// Sinkhorn-Knopp: the kernels match the reference and the gradient its complex step; properties of
// the result; and logits for which other implementations give NaN.

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <string>
#include <vector>

#include <mhc/mhc.hpp>

#include "support/complex_step.hpp"
#include "support/kernel_instances.hpp"
#include "support/random.hpp"

namespace {

using mhc::Axis;
using mhc::Index;
using mhc::SinkhornKnoppOptions;
using Matrix = mhc::reference::Matrix<double>;
using mhc_test::relative_error;

template <class Scalar, int N>
mhc::Streams<Scalar> run(const mhc::Streams<Scalar>& logits, const SinkhornKnoppOptions& options) {
  mhc::Streams<Scalar> res(logits.tokens(), N, N);
  mhc::sinkhorn_knopp<N>(logits, options, res);
  return res;
}

template <class Scalar, int N>
mhc::Streams<Scalar> run_backward(const mhc::Streams<Scalar>& logits,
                                  const SinkhornKnoppOptions& options,
                                  const mhc::Streams<Scalar>& dres) {
  mhc::Streams<Scalar> dlogits(logits.tokens(), N, N);
  mhc::sinkhorn_knopp_backward<N>(logits, options, dres, dlogits);
  return dlogits;
}

std::vector<SinkhornKnoppOptions> grid() {
  std::vector<SinkhornKnoppOptions> options;
  for (const int iterations : {1, 2, 3, 10, 20, 100}) {
    for (const Axis first : {Axis::columns, Axis::rows}) {
      options.push_back({iterations, 0.0, 0.0, first});
      options.push_back({iterations, 1e-6, 1e-6, first});
      options.push_back({iterations, 0.0, 1e-8, first});
    }
  }
  return options;
}

std::string describe(const SinkhornKnoppOptions& options) {
  return std::to_string(options.iterations) + " iterations, start_eps " +
         std::to_string(options.start_eps) + ", divisor_eps " +
         std::to_string(options.divisor_eps) +
         (options.first == Axis::columns ? ", columns first" : ", rows first");
}

template <class Streams>
class SinkhornKnopp : public testing::Test {};
template <int N>
using Count = std::integral_constant<int, N>;
using Sizes = testing::Types<Count<1>, Count<2>, Count<3>, Count<4>, Count<5>, Count<8>, Count<16>>;
struct Names {
  template <class Size>
  static std::string GetName(int /*index*/) {
    return "n" + std::to_string(Size::value);
  }
};
TYPED_TEST_SUITE(SinkhornKnopp, Sizes, Names);

TYPED_TEST(SinkhornKnopp, KernelsEqualTheReference) {
  constexpr int n = TypeParam::value;
  for (const double stddev : {0.0, 1.0, 3.0, 10.0}) {
    const auto logits = mhc_test::random_streams<double>(9, n, n, 5, stddev);
    mhc::Streams<float> narrow(9, n, n);
    for (Index t = 0; t < 9; ++t) narrow.token(t) = logits.token(t).template cast<float>();
    for (const auto& options : grid()) {
      SCOPED_TRACE(describe(options) + ", logits of std " + std::to_string(stddev));
      const auto res = run<double, n>(logits, options);
      const auto narrow_res = run<float, n>(narrow, options);
      for (Index t = 0; t < 9; ++t) {
        const Matrix expected = mhc::reference::sinkhorn_knopp(Matrix(logits.token(t)), options);
        EXPECT_LE(relative_error(res.token(t), expected), 1e-13);
        const Matrix rounded = narrow.token(t).template cast<double>();
        EXPECT_LE(
            relative_error(narrow_res.token(t), mhc::reference::sinkhorn_knopp(rounded, options)),
            2e-6);
      }
    }
  }
}

TYPED_TEST(SinkhornKnopp, GradientEqualsTheComplexStep) {
  constexpr int n = TypeParam::value;
  for (const double stddev : {0.5, 2.0, 4.0}) {
    const auto logits = mhc_test::random_streams<double>(2, n, n, 6, stddev);
    const auto cotangent = mhc_test::random_streams<double>(2, n, n, 7);
    for (const auto& options : grid()) {
      if (n > 8 && options.iterations > 20) continue;  // 256 evaluations of 100 iterations
      SCOPED_TRACE(describe(options) + ", logits of std " + std::to_string(stddev));
      const auto dlogits = run_backward<double, n>(logits, options, cotangent);
      for (Index t = 0; t < 2; ++t) {
        mhc_test::ComplexMatrix variable = logits.token(t).template cast<mhc_test::Complex>();
        const auto expected = mhc_test::complex_step(variable, [&] {
          return mhc_test::inner(cotangent.token(t),
                                 mhc::reference::sinkhorn_knopp(variable, options));
        });
        // Relative to the cotangent: the gradient may be tiny after the projection.
        EXPECT_LE((dlogits.token(t) - expected).norm(), 1e-13 * cotangent.token(t).norm() * n);
      }
    }
  }
}

TYPED_TEST(SinkhornKnopp, FloatGradientIsCloseToDouble) {
  constexpr int n = TypeParam::value;
  const auto logits = mhc_test::random_streams<float>(33, n, n, 8, 1.5);
  const auto cotangent = mhc_test::random_streams<float>(33, n, n, 9);
  mhc::Streams<double> wide_logits(33, n, n);
  mhc::Streams<double> wide_cotangent(33, n, n);
  for (Index t = 0; t < 33; ++t) {
    wide_logits.token(t) = logits.token(t).template cast<double>();
    wide_cotangent.token(t) = cotangent.token(t).template cast<double>();
  }
  for (const double eps : {0.0, 1e-6}) {
    const SinkhornKnoppOptions options{20, eps, eps, Axis::columns};
    const auto narrow = run_backward<float, n>(logits, options, cotangent);
    const auto wide = run_backward<double, n>(wide_logits, options, wide_cotangent);
    double error = 0.0;
    double norm = 0.0;
    for (Index t = 0; t < 33; ++t) {
      error += (narrow.token(t).template cast<double>() - wide.token(t)).squaredNorm();
      norm += wide.token(t).squaredNorm();
    }
    if (n == 1) {
      EXPECT_LE(std::sqrt(error), 1e-6);  // the gradient is zero, or of the size of eps
    } else {
      EXPECT_LE(std::sqrt(error / norm), 2e-5);
    }
  }
}

TYPED_TEST(SinkhornKnopp, LastAxisIsExactAndTheOtherConverged) {
  constexpr int n = TypeParam::value;
  const auto logits = mhc_test::random_streams<double>(50, n, n, 10);
  for (const Axis first : {Axis::columns, Axis::rows}) {
    const auto res = run<double, n>(logits, {20, 0.0, 0.0, first});
    const auto more = run<double, n>(logits, {200, 0.0, 0.0, first});
    for (Index t = 0; t < 50; ++t) {
      const auto error = [&](const auto& h, bool rows) {
        return rows ? (h.rowwise().sum().array() - 1.0).abs().maxCoeff()
                    : (h.colwise().sum().array() - 1.0).abs().maxCoeff();
      };
      EXPECT_LE(error(res.token(t), first == Axis::columns), 1e-14 * n);
      EXPECT_LE(error(res.token(t), first == Axis::rows), 2e-2);  // logits N(0, 1), 20 iterations
      EXPECT_LE(error(more.token(t), first == Axis::rows), 1e-12);
      EXPECT_GE(res.token(t).minCoeff(), 0.0);
    }
  }
}

TYPED_TEST(SinkhornKnopp, BatchAndSingleMatricesAgreeBitForBit) {
  constexpr int n = TypeParam::value;
  const SinkhornKnoppOptions options{20, 1e-6, 1e-6, Axis::columns};
  const auto logits = mhc_test::random_streams<float>(37, n, n, 11, 2.0);
  const auto cotangent = mhc_test::random_streams<float>(37, n, n, 12);
  const auto res = run<float, n>(logits, options);
  const auto dlogits = run_backward<float, n>(logits, options, cotangent);
  for (Index t = 0; t < 37; ++t) {
    mhc::Streams<float> one(1, n, n);
    mhc::sinkhorn_knopp<n>(logits.view().slice(t, t + 1), options, one);
    EXPECT_TRUE((one.token(0).array() == res.token(t).array()).all());
    mhc::sinkhorn_knopp_backward<n>(logits.view().slice(t, t + 1), options,
                                    cotangent.view().slice(t, t + 1), one);
    EXPECT_TRUE((one.token(0).array() == dlogits.token(t).array()).all());
  }
}

TEST(SinkhornKnoppInPlace, EqualsOutOfPlace) {
  const SinkhornKnoppOptions options{20, 0.0, 0.0, Axis::rows};
  auto logits = mhc_test::random_streams<float>(21, 4, 4, 13);
  auto cotangent = mhc_test::random_streams<float>(21, 4, 4, 14);
  const auto res = run<float, 4>(logits, options);
  const auto dlogits = run_backward<float, 4>(logits, options, cotangent);
  mhc::sinkhorn_knopp_backward<4>(logits, options, cotangent, cotangent);
  mhc::sinkhorn_knopp<4>(logits, options, logits);
  for (Index t = 0; t < 21; ++t) {
    EXPECT_TRUE((logits.token(t).array() == res.token(t).array()).all());
    EXPECT_TRUE((cotangent.token(t).array() == dlogits.token(t).array()).all());
  }
}

// For n = 2 the limit is known: H = [[p, 1-p], [1-p, p]], p = sigmoid((l00 + l11 - l01 - l10) / 2).
TEST(SinkhornKnoppLimit, TwoByTwoInClosedForm) {
  const auto logits = mhc_test::random_streams<double>(64, 2, 2, 15, 2.0);
  const auto res = run<double, 2>(logits, {2000, 0.0, 0.0, Axis::columns});
  for (Index t = 0; t < 64; ++t) {
    const auto l = logits.token(t);
    const double p = 1.0 / (1.0 + std::exp(-(l(0, 0) + l(1, 1) - l(0, 1) - l(1, 0)) / 2.0));
    EXPECT_NEAR(res.token(t)(0, 0), p, 1e-12);
    EXPECT_NEAR(res.token(t)(0, 1), 1.0 - p, 1e-12);
  }
}

// Shifts of whole rows and columns cancel in the limit, so large shifts have a known result. There
// exp underflows, and dividing by a sum of zero would give NaN.
template <class Scalar>
void check_shifted(double shift, double tolerance) {
  const SinkhornKnoppOptions options{300, 0.0, 0.0, Axis::columns};
  const auto logits = mhc_test::random_streams<Scalar>(3, 4, 4, 16);
  const auto cotangent = mhc_test::random_streams<Scalar>(3, 4, 4, 17);
  auto shifted = logits;
  for (Index t = 0; t < 3; ++t) {
    shifted.token(t).row(1).array() += static_cast<Scalar>(shift);
    shifted.token(t).row(2).array() -= static_cast<Scalar>(shift);
    shifted.token(t).col(3).array() += static_cast<Scalar>(shift);
  }
  const auto res = run<Scalar, 4>(logits, options);
  const auto far = run<Scalar, 4>(shifted, options);
  const auto dlogits = run_backward<Scalar, 4>(logits, options, cotangent);
  const auto dfar = run_backward<Scalar, 4>(shifted, options, cotangent);
  for (Index t = 0; t < 3; ++t) {
    EXPECT_LE(relative_error(far.token(t), res.token(t)), tolerance) << "shift " << shift;
    EXPECT_LE(relative_error(dfar.token(t), dlogits.token(t)), 10 * tolerance) << "shift " << shift;
  }
}

TEST(SinkhornKnoppExtremes, RowAndColumnShiftsCancelAtAnyRange) {
  for (const double shift : {1.0, 40.0, 60.0, 64.0, 90.0, 700.0, 1e4}) {
    check_shifted<double>(shift, 1e-15 * (1e3 + 100.0 * shift));
    check_shifted<float>(shift, 1e-6 * (1.0 + shift));  // the shifted logits themselves are rounded
  }
}

template <class Scalar, int N>
void check_finite(const SinkhornKnoppOptions& options) {
  const auto cotangent = mhc_test::random_streams<Scalar>(1, N, N, 18);
  for (const double large : {80.0, 1e4}) {
    for (int pattern = 0; pattern < 6; ++pattern) {
      mhc::Streams<Scalar> logits(1, N, N);
      for (int i = 0; i < N; ++i) {
        for (int j = 0; j < N; ++j) {
          const bool up = pattern == 0   ? i == j
                          : pattern == 1 ? i == 0
                          : pattern == 2 ? j == 0
                          : pattern == 3 ? i == 0 && j == 0
                          : pattern == 4 ? (i + j) % 2 == 0
                                         : i <= j;
          logits.token(0)(i, j) = static_cast<Scalar>(up ? large : -large);
        }
      }
      SCOPED_TRACE(describe(options) + ", pattern " + std::to_string(pattern));
      const auto res = run<Scalar, N>(logits, options);
      const auto dlogits = run_backward<Scalar, N>(logits, options, cotangent);
      for (Index e = 0; e < N * N; ++e) {
        EXPECT_LE(std::abs(dlogits.data()[e]), 1e3);  // also fails for NaN
        EXPECT_GE(res.data()[e], 0.0);
        EXPECT_LE(res.data()[e], 1.0 + 1e-6);
      }
      if (options.divisor_eps == 0.0) {
        EXPECT_LE((res.token(0).rowwise().sum().array() - 1).abs().maxCoeff(), 1e-5);
      }
    }
  }
}

TEST(SinkhornKnoppExtremes, SaturatedLogitsGiveFiniteResultsAndGradients) {
  for (const double eps : {0.0, 1e-6}) {
    check_finite<float, 4>({20, eps, eps, Axis::columns});
    check_finite<double, 4>({20, eps, eps, Axis::columns});
    check_finite<float, 3>({5, eps, eps, Axis::columns});
  }
}

// More iterations than one segment of the backward stores.
TEST(SinkhornKnoppSegments, MatchTheComplexStep) {
  const SinkhornKnoppOptions options{333, 1e-3, 1e-3, Axis::columns};
  const auto logits = mhc_test::random_streams<double>(1, 5, 5, 19, 3.0);
  const auto cotangent = mhc_test::random_streams<double>(1, 5, 5, 20);
  const auto dlogits = run_backward<double, 5>(logits, options, cotangent);
  mhc_test::ComplexMatrix variable = logits.token(0).cast<mhc_test::Complex>();
  const auto expected = mhc_test::complex_step(variable, [&] {
    return mhc_test::inner(cotangent.token(0), mhc::reference::sinkhorn_knopp(variable, options));
  });
  EXPECT_LE(relative_error(dlogits.token(0), expected), 1e-12);
}

}  // namespace
