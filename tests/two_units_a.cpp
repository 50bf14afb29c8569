// SPDX-License-Identifier: MIT
// Two translation units that include everything link into one program and agree: with equal flags,
// with different flags, and with link-time optimisation.

#include <gtest/gtest.h>

#include <mhc/diagnostics.hpp>
#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/fill.hpp"
#include "support/two_units.hpp"

TEST(TwoTranslationUnits, LinkAndAgree) {
  constexpr mhc::Index tokens = 5;
  constexpr mhc::Index channels = 19;
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

// The linker keeps one copy of an inline function. A unit compiled for fewer instructions must not
// get a kernel from a unit compiled for more.
TEST(TwoTranslationUnits, HaveSeparateKernelsIfTheirFlagsDiffer) {
  const mhc_test::Exp here = &mhc::kernels::generic::exp_values<float>;
#if defined(MHC_TEST_MIXED_FLAGS)
  EXPECT_NE(here, exp_of_the_other_unit());
#else
  EXPECT_EQ(here, exp_of_the_other_unit());
#endif
}
