// SPDX-License-Identifier: MIT
#pragma once

#include <Eigen/Core>

#include <mhc/arguments.hpp>
#include <mhc/diagnostics/finite.hpp>
#include <mhc/view.hpp>

MHC_NAMESPACE_BEGIN

namespace detail {
// The maximum of a and b, NaN if either is NaN.
inline double worse(double a, double b) {
  if (is_nan(a) || is_nan(b)) return is_nan(a) ? a : b;
  return a < b ? b : a;
}
}  // namespace detail

/// The largest deviation of a row sum of H from one: max_i |1 - sum_j H_ij|; NaN if H contains NaN.
template <class Derived>
double row_error(const Eigen::MatrixBase<Derived>& H) {
  return (H.template cast<double>().rowwise().sum().array() - 1.0)
      .abs()
      .template maxCoeff<Eigen::PropagateNaN>();
}

/// The largest deviation of a column sum of H from one: max_j |1 - sum_i H_ij|; NaN if H contains
/// NaN.
template <class Derived>
double column_error(const Eigen::MatrixBase<Derived>& H) {
  return (H.template cast<double>().colwise().sum().array() - 1.0)
      .abs()
      .template maxCoeff<Eigen::PropagateNaN>();
}

/// The largest row error over the tokens of `res` (tokens, n, n), a site's saved.res(); 0 if there
/// are no tokens, NaN if `res` contains NaN.
template <class Scalar>
double row_error(StreamView<Scalar> res) {
  detail::check_shape("row_error", "res", res, res.tokens, res.streams, res.streams);
  double error = 0.0;
  for (Index t = 0; t < res.tokens; ++t) error = detail::worse(error, row_error(res.token(t)));
  return error;
}

/// The largest column error over the tokens of `res` (tokens, n, n).
template <class Scalar>
double column_error(StreamView<Scalar> res) {
  detail::check_shape("column_error", "res", res, res.tokens, res.streams, res.streams);
  double error = 0.0;
  for (Index t = 0; t < res.tokens; ++t) error = detail::worse(error, column_error(res.token(t)));
  return error;
}

/// The deviation of a site's matrices `res` (tokens, n, n) from doubly stochastic: the largest row
/// or column error.
template <class Scalar>
double marginal_error(StreamView<Scalar> res) {
  detail::check_shape("marginal_error", "res", res, res.tokens, res.streams, res.streams);
  return detail::worse(row_error(res), column_error(res));
}

MHC_NAMESPACE_END
