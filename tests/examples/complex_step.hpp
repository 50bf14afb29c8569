// SPDX-License-Identifier: MIT
// Gradients by complex step: d f / d x = Im f(x + i h) / h, exact to rounding for h = 1e-50.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstddef>
#include <vector>
#include <Eigen/Core>

#include "random.hpp"

namespace language_model {

using Complex = std::complex<double>;

inline std::vector<double> random_values(std::size_t size, std::uint64_t seed, double scale = 1) {
  Random random(seed);
  std::vector<double> values(size);
  for (double& value : values) {
    value = scale * random.normal();
  }
  return values;
}

// gradient[i] against d f / d x[i] for every `every`-th i, as relative error of the whole vector.
// f takes std::vector<Complex> and returns Complex: the inner product with a random cotangent.
template <class F>
void expect_gradient(const char* name, const std::vector<double>& x,
                     const std::vector<double>& gradient, const F& f, std::size_t every = 1) {
  ASSERT_EQ(x.size(), gradient.size()) << name;
  constexpr double step = 1e-50;
  std::vector<Complex> moved(x.begin(), x.end());
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); i += every) {
    moved[i] = Complex(x[i], step);
    const double exact = f(moved).imag() / step;
    moved[i] = x[i];
    error += (gradient[i] - exact) * (gradient[i] - exact);
    norm += exact * exact;
  }
  EXPECT_GT(norm, 0) << name;
  EXPECT_LE(std::sqrt(error), 1e-12 * std::sqrt(norm)) << name;
}

}  // namespace language_model
