// SPDX-License-Identifier: MIT
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <Eigen/Core>

#include <mhc/diagnostics.hpp>

// The properties of residual mappings and streams as gMock matchers for Eigen matrices.
//
//   EXPECT_THAT(saved.res().token(t), IsDoublyStochastic(1e-6));
//   EXPECT_THAT(x_next.token(t), ConservesStreamSum(x.token(t), 1e-5));

namespace mhc_test {

/// No entry is negative.
MATCHER(IsNonNegative, "has no negative entry") {
  const double least = arg.template cast<double>().minCoeff();
  *result_listener << "whose least entry is " << least;
  return least >= 0.0;
}

/// Each row sums to one: every output stream is a weighted mean of the input streams.
MATCHER_P(HasUnitRows, tolerance,
          "has rows that sum to one within " + testing::PrintToString(tolerance)) {
  const double error = mhc::row_error(arg);
  *result_listener << "whose rows are off by " << error;
  return error <= tolerance;
}

/// Each column sums to one: every input stream is passed on completely.
MATCHER_P(HasUnitColumns, tolerance,
          "has columns that sum to one within " + testing::PrintToString(tolerance)) {
  const double error = mhc::column_error(arg);
  *result_listener << "whose columns are off by " << error;
  return error <= tolerance;
}

MATCHER_P(IsDoublyStochastic, tolerance,
          "is doubly stochastic within " + testing::PrintToString(tolerance)) {
  const double least = arg.template cast<double>().minCoeff();
  const double rows = mhc::row_error(arg);
  const double columns = mhc::column_error(arg);
  *result_listener << "whose least entry is " << least << ", rows are off by " << rows
                   << ", columns by " << columns;
  return least >= 0.0 && rows <= tolerance && columns <= tolerance;
}

/// |H x| <= |x| for all x, in the 2-norm.
MATCHER_P(IsNonExpansive, tolerance,
          "stretches nothing, within " + testing::PrintToString(tolerance)) {
  const double norm = mhc::spectral_norm(arg);
  *result_listener << "whose spectral norm is " << norm;
  return norm <= 1.0 + tolerance;
}

/// Streams (n, C) with the same sum as the streams `before`, channel by channel.
MATCHER_P2(ConservesStreamSum, before, tolerance,
           "has the sum of streams that was there before, within " +
               testing::PrintToString(tolerance)) {
  const Eigen::RowVectorXd now = arg.template cast<double>().colwise().sum();
  const Eigen::RowVectorXd then = before.template cast<double>().colwise().sum();
  const double error = (now - then).cwiseAbs().maxCoeff();
  *result_listener << "whose sum moved by " << error;
  return error <= tolerance;
}

}  // namespace mhc_test
