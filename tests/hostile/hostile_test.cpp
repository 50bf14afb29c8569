// SPDX-License-Identifier: MIT
// One program of units that define macros, are compiled with flags of their own, include another
// version of the library, or its single header: each computes the same site.

#include <cstddef>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "units.hpp"

namespace {

using testing::FloatNear;
using testing::Pointwise;

TEST(OneProgram, OfUnitsThatDefineMacros) {
  EXPECT_EQ(run_under_macros(), run_plainly());
  EXPECT_EQ(run_under_macros_after_eigen(), run_plainly());
}

TEST(OneProgram, OfUnitsWithoutExceptionsAndWithAssertions) {
  EXPECT_EQ(run_without_exceptions(), run_plainly());
  EXPECT_EQ(run_with_assertions(), run_plainly());
}

// What flags change is rounding; a unit beside them keeps every bit, whatever ran before.
TEST(OneProgram, OfUnitsForTheMachineAtHand) {
  const std::vector<float> plain = run_plainly();
  EXPECT_THAT(run_with_native_flags(), Pointwise(FloatNear(2e-5f), plain));
  EXPECT_EQ(run_plainly(), plain);
}

TEST(OneProgram, OfUnitsWithFastMath) {
  const std::vector<float> plain = run_plainly();
  EXPECT_THAT(run_with_fast_math(), Pointwise(FloatNear(2e-5f), plain));
  EXPECT_EQ(run_plainly(), plain);
}

TEST(OneProgram, OfTwoVersions) {
  EXPECT_EQ(run_other_version(), run_plainly());
}

TEST(OneProgram, OfTheSingleHeaderAndTheOrdinaryOnes) {
  EXPECT_EQ(run_amalgamation(), run_plainly());
}

}  // namespace
