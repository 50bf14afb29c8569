// SPDX-License-Identifier: MIT
// A site with initial parameters is an ordinary residual: x' = x + F(mean of x) in every stream.
#include <cmath>
#include <cstdio>

#include <mhc/mhc.hpp>

int main() {
  mhc::Tokens<float> h(2, 5), u(2, 5), out(2, 5);
  for (int t = 0; t < 2; ++t) h.view().matrix().row(t).setConstant(static_cast<float>(t + 1));
  mhc::Streams<float> x(2, 4, 5), x_next(2, 4, 5);
  mhc::expand_repeat(h, x);

  mhc::Block<4>::Parameters parameters(5);
  mhc::initialize(parameters.view(), 1);
  const mhc::Block<4> block(parameters);
  mhc::Block<4>::Saved saved(2);
  block.prepare(x, u, saved);         // u = mean of the streams, 1 and 2
  block.finish(x, u, saved, x_next);  // the sublayer is the identity: x' = 2 x
  mhc::collapse_mean(x_next, out);

  const float first = out.view().matrix()(0, 0);
  const float last = out.view().matrix()(1, 4);
  std::printf("mhc %s: %g %g\n", MHC_VERSION_STRING, static_cast<double>(first),
              static_cast<double>(last));
  return std::abs(first - 2.0f) + std::abs(last - 4.0f) < 0.1f ? 0 : 1;
}
