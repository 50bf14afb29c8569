// SPDX-License-Identifier: MIT
// A new site is the ordinary residual: x' = x + F(mean of x), here 2 x.
#include <cmath>
#include <cstdio>

#include <mhc/mhc.hpp>

int main() {
  mhc::Parameters<4> parameters(16);
  mhc::initialize(parameters, 1);
  const mhc::Block<4> block(parameters);
  mhc::Streams<float> x(3, 4, 16), x_next(3, 4, 16);
  for (mhc::index t = 0; t < 3; ++t) x.token(t).setConstant(static_cast<float>(t));
  block.forward(
      x, [](auto u, auto v) { v.matrix() = u.matrix(); }, x_next);
  const float got = x_next.token(2)(0, 0);
  std::printf("mhc %s: %g\n", MHC_VERSION_STRING, static_cast<double>(got));
  return std::abs(got - 4.0f) < 0.01f ? 0 : 1;
}
