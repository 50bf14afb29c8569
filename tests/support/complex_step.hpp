// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <complex>
#include <functional>

#include <mhc/reference.hpp>

// Gradients exact to rounding:  f'(x) = Im f(x + ih) / h  with h = 1e-50, since the error is of
// order h^2. f must not use conjugation, abs or real-valued shortcuts.
namespace mhc_test {

using Complex = std::complex<double>;
using ComplexMatrix = mhc::reference::Matrix<Complex>;
using ComplexRow = mhc::reference::Row<Complex>;

inline constexpr double step = 1e-50;

namespace detail {

// Plain memory, compiled once (complex_step.cpp): units with other flags may align their matrices
// otherwise.
void complex_step(Complex* variable, Eigen::Index size, const std::function<Complex()>& loss,
                  double* gradient);
Complex inner(const Complex* a, const Complex* b, Eigen::Index size);
double relative_error(const double* a, const double* b, Eigen::Index size);

}  // namespace detail

/// The gradient of loss() with respect to `variable`, which loss() reads.
template <class Variable>
mhc::reference::Matrix<double> complex_step(Variable& variable,
                                            const std::function<Complex()>& loss) {
  static_assert(Variable::IsRowMajor);
  mhc::reference::Matrix<double> gradient(variable.rows(), variable.cols());
  detail::complex_step(variable.data(), variable.size(), loss, gradient.data());
  return gradient;
}

/// The sum of a_ij b_ij, without Eigen's conjugation.
template <class A, class B>
Complex inner(const Eigen::MatrixBase<A>& a, const Eigen::MatrixBase<B>& b) {
  const ComplexMatrix of_a = a.template cast<Complex>();
  const ComplexMatrix of_b = b.template cast<Complex>();
  return detail::inner(of_a.data(), of_b.data(), of_a.size());
}

/// |a - b| / |b|, or |a| if b = 0; infinite if the shapes differ.
template <class A, class B>
double relative_error(const Eigen::MatrixBase<A>& a, const Eigen::MatrixBase<B>& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return HUGE_VAL;
  const mhc::reference::Matrix<double> of_a = a.template cast<double>();
  const mhc::reference::Matrix<double> of_b = b.template cast<double>();
  return detail::relative_error(of_a.data(), of_b.data(), of_a.size());
}

}  // namespace mhc_test
