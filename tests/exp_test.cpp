// SPDX-License-Identifier: MIT
// The accuracy of the kernels' exp and sigmoid over their range, in units in the last place.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include <mhc/kernels/kernels.hpp>

namespace {

std::vector<float> exp_of(const std::vector<float>& from) {
  std::vector<float> to(from.size());
  MHC_DISPATCH(exp_values(from.data(), to.data(), static_cast<mhc::Index>(from.size())));
  return to;
}

// -ffast-math divides with an approximate reciprocal and one Newton step.
#ifdef __FAST_MATH__
constexpr double sigmoid_ulp = 5.0;
#else
constexpr double sigmoid_ulp = 3.0;
#endif

template <class Scalar>
std::vector<Scalar> sigmoid_of(const std::vector<Scalar>& from) {
  std::vector<Scalar> to(from.size());
  MHC_DISPATCH(sigmoid_values(from.data(), to.data(), static_cast<mhc::Index>(from.size())));
  return to;
}

/// The distance to the true value, in units in the last place of a float.
double ulp_error(float actual, double exact) {
  return std::abs(static_cast<double>(actual) - exact) / std::ldexp(1.0, std::ilogb(exact) - 23);
}

TEST(Exp, IsWithinTwoUnitsInTheLastPlace) {
  std::vector<float> from;
  for (double x = -87.0; x <= 88.7; x += 1.7e-4) from.push_back(static_cast<float>(x));
  for (float x = 1e-30f; x < 1.0f; x *= 1.3f) {
    from.push_back(x);
    from.push_back(-x);
  }
  const auto to = exp_of(from);
  double worst = 0.0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    worst = std::max(worst, ulp_error(to[i], std::exp(static_cast<double>(from[i]))));
  }
  RecordProperty("worst_ulp", std::to_string(worst));
  EXPECT_LE(worst, 2.0);
  EXPECT_GE(worst, 0.4);  // that something was measured
}

TEST(Exp, SaturatesAtZeroAndInfinity) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto to = exp_of({0.0f, -104.5f, -1e30f, -infinity, 89.0f, 1e30f, infinity});
  EXPECT_EQ(to[0], 1.0f);
  for (const std::size_t i : {1u, 2u, 3u}) EXPECT_EQ(to[i], 0.0f);
  for (const std::size_t i : {4u, 5u, 6u}) EXPECT_EQ(to[i], infinity);
}

TEST(Exp, SubnormalResultsAreRoundedOnce) {
#ifdef __FAST_MATH__
  GTEST_SKIP() << "-ffast-math flushes subnormal numbers to zero";
#endif
  std::vector<float> from;
  for (float x = -103.9f; x < -87.4f; x += 0.01f) from.push_back(x);
  const auto to = exp_of(from);
  for (std::size_t i = 0; i < from.size(); ++i) {
    const double exact = std::exp(static_cast<double>(from[i]));
    EXPECT_LE(std::abs(static_cast<double>(to[i]) - exact), 0x1p-149 * 0.5 + 3e-7 * exact)
        << from[i];
  }
}

TEST(Exp, PropagatesNaN) {
#ifdef __FAST_MATH__
  GTEST_SKIP() << "-ffast-math has no NaN";
#endif
  const auto to = exp_of({std::numeric_limits<float>::quiet_NaN(), 1.0f});
  EXPECT_TRUE(std::isnan(to[0]));
  EXPECT_FALSE(std::isnan(to[1]));
}

TEST(Sigmoid, IsWithinAFewUnitsInTheLastPlace) {
  std::vector<float> from;
  for (double x = -87.0; x <= 87.0; x += 1.7e-4) from.push_back(static_cast<float>(x));
  const auto to = sigmoid_of(from);
  double worst = 0.0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const double exact = 1.0 / (1.0 + std::exp(-static_cast<double>(from[i])));
    worst = std::max(worst, ulp_error(to[i], exact));
  }
  RecordProperty("worst_ulp", std::to_string(worst));
  EXPECT_LE(worst, sigmoid_ulp);
  EXPECT_GE(worst, 0.4);  // that something was measured
}

TEST(Sigmoid, DoubleIsWithinAFewUnitsInTheLastPlace) {
  std::vector<double> from;
  for (double x = -700.0; x <= 40.0; x += 3.7e-3) from.push_back(x);
  const auto to = sigmoid_of(from);
  for (std::size_t i = 0; i < from.size(); ++i) {
    const long double exact = 1.0L / (1.0L + std::exp(-static_cast<long double>(from[i])));
    const long double unit = std::ldexp(1.0L, std::ilogb(exact) - 52);
    EXPECT_LE(std::abs(static_cast<long double>(to[i]) - exact),
              unit * static_cast<long double>(sigmoid_ulp))
        << from[i];
  }
}

TEST(Sigmoid, SaturatesAtZeroAndOne) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto to = sigmoid_of<float>({0.0f, -1e30f, -infinity, 90.0f, infinity});
  EXPECT_NEAR(to[0], 0.5f, sigmoid_ulp * 0x1p-25);
  for (const std::size_t i : {1u, 2u}) EXPECT_LE(to[i], 1.7e-38f);
  for (const std::size_t i : {3u, 4u}) EXPECT_NEAR(to[i], 1.0f, sigmoid_ulp * 0x1p-24);
}

TEST(Sigmoid, PropagatesNaN) {
#ifdef __FAST_MATH__
  GTEST_SKIP() << "-ffast-math has no NaN";
#endif
  EXPECT_TRUE(std::isnan(sigmoid_of<float>({std::numeric_limits<float>::quiet_NaN()})[0]));
}

}  // namespace
