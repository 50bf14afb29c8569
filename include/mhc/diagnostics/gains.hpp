// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <Eigen/Core>
#include <Eigen/Jacobi>

#include <mhc/arguments.hpp>
#include <mhc/diagnostics/finite.hpp>
#include <mhc/view.hpp>

MHC_NAMESPACE_BEGIN

// H is a residual mapping (n, n), [out, in]. A NaN in H gives NaN.

/// The Amax gain of the forward signal, the largest absolute row sum: max_i |sum_j H_ij|; 1 for a
/// doubly stochastic matrix. Note that this is not the norm max_i sum_j |H_ij|.
/// Source: arXiv:2512.24880, section 5.4.
template <class Derived>
double forward_gain(const Eigen::MatrixBase<Derived>& H) {
  return H.template cast<double>()
      .rowwise()
      .sum()
      .cwiseAbs()
      .template maxCoeff<Eigen::PropagateNaN>();
}

/// The Amax gain of the backward signal, the largest absolute column sum: max_j |sum_i H_ij|.
/// Source: arXiv:2512.24880, section 5.4.
template <class Derived>
double backward_gain(const Eigen::MatrixBase<Derived>& H) {
  return H.template cast<double>()
      .colwise()
      .sum()
      .cwiseAbs()
      .template maxCoeff<Eigen::PropagateNaN>();
}

namespace detail {

/// The largest eigenvalue of a symmetric matrix, by Jacobi's rotations: few lines for the compiler
/// and as accurate as they come. A sweep squares the error, so ten of them are more than enough;
/// their number is fixed, so that it ends with NaNs and under -ffast-math, too.
inline double largest_eigenvalue(Eigen::MatrixXd& symmetric) {
  for (int sweep = 0; sweep < 10; ++sweep) {
    for (Eigen::Index q = 1; q < symmetric.cols(); ++q) {
      for (Eigen::Index p = 0; p < q; ++p) {
        Eigen::JacobiRotation<double> rotation;
        rotation.makeJacobi(symmetric, p, q);
        symmetric.applyOnTheLeft(p, q, rotation.adjoint());
        symmetric.applyOnTheRight(p, q, rotation);
      }
    }
  }
  return symmetric.diagonal().maxCoeff();
}

}  // namespace detail

/// The spectral norm of H: its largest singular value, the square root of the largest eigenvalue of
/// H^T H; 1 for a doubly stochastic matrix.
template <class Derived>
double spectral_norm(const Eigen::MatrixBase<Derived>& H) {
  Eigen::MatrixXd dense = H.template cast<double>();
  const double largest = dense.cwiseAbs().template maxCoeff<Eigen::PropagateNaN>();
  if (largest == 0.0 || !detail::is_finite(largest)) return largest;
  dense /= largest;  // so that no square overflows
  Eigen::MatrixXd squares = dense.transpose().lazyProduct(dense);
  return largest * std::sqrt(detail::largest_eigenvalue(squares));
}

/// Forward and backward gain, averaged over tokens.
struct Gains {
  double forward = 1.0;
  double backward = 1.0;
};

/// The gains of one layer, averaged over the tokens of `res` (tokens, n, n), a site's saved.res();
/// 0 if there are no tokens.
template <class Scalar>
Gains gains(StreamView<Scalar> res) {
  detail::check_shape("gains", "res", res, res.tokens, res.streams, res.streams);
  Gains mean{0.0, 0.0};
  for (Index t = 0; t < res.tokens; ++t) {
    mean.forward += forward_gain(res.token(t)) / static_cast<double>(res.tokens);
    mean.backward += backward_gain(res.token(t)) / static_cast<double>(res.tokens);
  }
  return mean;
}

MHC_NAMESPACE_END
