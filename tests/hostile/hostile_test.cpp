// SPDX-License-Identifier: MIT
// One program links translation units that define macros, are compiled with other flags, or include
// another version of the library or its single header: all compute the same site.

#include <cstddef>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "units.hpp"

namespace {

using testing::FloatNear;
using testing::Pointwise;

TEST(OneProgram, UnitsMayDefineMacros) {
  EXPECT_EQ(run_under_macros(), run_plainly());
  EXPECT_EQ(run_under_macros_after_eigen(), run_plainly());
}

TEST(OneProgram, UnitsMayDisableExceptionsAndEnableAssertions) {
  EXPECT_EQ(run_without_exceptions(), run_plainly());
  EXPECT_EQ(run_with_assertions(), run_plainly());
}

// Flags change only rounding; the plain unit keeps every bit, regardless of what ran before.
TEST(OneProgram, UnitsMayUseNativeFlags) {
  const std::vector<float> plain = run_plainly();
  EXPECT_THAT(run_with_native_flags(), Pointwise(FloatNear(2e-5f), plain));
  EXPECT_EQ(run_plainly(), plain);
}

TEST(OneProgram, UnitsMayUseFastMath) {
  const std::vector<float> plain = run_plainly();
  EXPECT_THAT(run_with_fast_math(), Pointwise(FloatNear(2e-5f), plain));
  EXPECT_EQ(run_plainly(), plain);
}

TEST(OneProgram, TwoVersionsCoexist) {
  EXPECT_EQ(run_other_version(), run_plainly());
}

TEST(OneProgram, SingleHeaderAndOrdinaryHeadersCoexist) {
  EXPECT_EQ(run_amalgamation(), run_plainly());
}

}  // namespace
