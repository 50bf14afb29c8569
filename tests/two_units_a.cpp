// SPDX-License-Identifier: MIT
// Two translation units that include everything link into one program and agree.

#include <gtest/gtest.h>

#include <mhc/diagnostics.hpp>
#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/fill.hpp"

mhc::Tokens<float> input_in_the_other_unit(const mhc::Block<2>::Parameters& parameters,
                                           const mhc::Streams<float>& x);

TEST(TwoTranslationUnits, LinkAndAgree) {
  constexpr mhc::index tokens = 5;
  constexpr mhc::index channels = 19;
  mhc::Block<2>::Parameters parameters(channels);
  mhc::initialize(parameters, 1);
  mhc_test::Random random(1);
  mhc::Streams<float> x(tokens, 2, channels);
  mhc_test::fill(random, x.view());
  mhc::Tokens<float> u(tokens, channels);
  mhc::Block<2>::Saved saved(tokens);
  mhc::Block<2>(parameters).prepare(x, u, saved);
  EXPECT_TRUE(mhc_test::same_bits(u.view(), input_in_the_other_unit(parameters, x).view()));
}
