// SPDX-License-Identifier: MIT
#pragma once

#include <complex>

#include <mhc/reference.hpp>

// Gradients exact to rounding:  f'(x) = Im f(x + ih) / h  with h = 1e-50, since the error is of
// order h^2. f must not use conjugation, abs or real-valued shortcuts.
namespace mhc_test {

using Complex = std::complex<double>;
using ComplexMatrix = mhc::reference::Matrix<Complex>;
using ComplexRow = mhc::reference::Row<Complex>;

inline constexpr double step = 1e-50;

/// The gradient of loss() with respect to `variable`, an Eigen object that loss() reads.
template <class Variable, class Loss>
Eigen::MatrixXd complex_step(Variable& variable, const Loss& loss) {
  Eigen::MatrixXd gradient(variable.rows(), variable.cols());
  for (Eigen::Index i = 0; i < variable.rows(); ++i) {
    for (Eigen::Index j = 0; j < variable.cols(); ++j) {
      const Complex value = variable(i, j);
      variable(i, j) = Complex(value.real(), step);
      gradient(i, j) = loss().imag() / step;
      variable(i, j) = value;
    }
  }
  return gradient;
}

/// The sum of a_ij b_ij, without Eigen's conjugation.
template <class A, class B>
Complex inner(const Eigen::MatrixBase<A>& a, const Eigen::MatrixBase<B>& b) {
  return a.template cast<Complex>().cwiseProduct(b.template cast<Complex>()).sum();
}

/// |a - b| / |b|, or |a| if b = 0.
template <class A, class B>
double relative_error(const Eigen::MatrixBase<A>& a, const Eigen::MatrixBase<B>& b) {
  const double norm = b.template cast<double>().norm();
  const double error = (a.template cast<double>() - b.template cast<double>()).norm();
  return norm > 0.0 ? error / norm : error;
}

}  // namespace mhc_test
