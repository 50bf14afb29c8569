// SPDX-License-Identifier: MIT
#include "complex_step.hpp"

namespace mhc_test::detail {

void complex_step(Complex* variable, Eigen::Index size, const std::function<Complex()>& loss,
                  double* gradient) {
  for (Eigen::Index i = 0; i < size; ++i) {
    const Complex value = variable[i];
    variable[i] = Complex(value.real(), step);
    gradient[i] = loss().imag() / step;
    variable[i] = value;
  }
}

Complex inner(const Complex* a, const Complex* b, Eigen::Index size) {
  Complex sum = 0.0;
  for (Eigen::Index i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

double relative_error(const double* a, const double* b, Eigen::Index size) {
  double error = 0.0;
  double norm = 0.0;
  for (Eigen::Index i = 0; i < size; ++i) {
    error += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(norm > 0.0 ? error / norm : error);
}

}  // namespace mhc_test::detail
