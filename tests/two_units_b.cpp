// SPDX-License-Identifier: MIT
#include <mhc/diagnostics.hpp>
#include <mhc/mhc.hpp>

#include "support/two_units.hpp"

mhc::Tokens<float> input_in_the_other_unit(const mhc::Block<2>::Parameters& parameters,
                                           const mhc::Streams<float>& x) {
  mhc::Tokens<float> u(x.tokens(), x.channels());
  mhc::Block<2>::Saved saved(x.tokens());
  mhc::Block<2>(parameters).prepare(x, u, saved);
  return u;
}

mhc_test::Exp exp_of_the_other_unit() {
  return &mhc::kernels::generic::exp_values<float>;
}
