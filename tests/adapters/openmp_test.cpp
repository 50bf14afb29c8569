// SPDX-License-Identifier: MIT
#include <mhc/adapters/openmp.hpp>

#include <gtest/gtest.h>

#include "executor_laws.hpp"

namespace {

TEST(OpenMp, MeetsTheRequirements) {
  for (const int threads : {0, 1, 2, 5}) {
    const mhc::OpenMp exec{threads};
    mhc_test::expect_covers(exec);
    mhc_test::expect_passes_exceptions(exec);
    mhc_test::expect_nests(exec);
    mhc_test::expect_same_bits(exec);
  }
  mhc_test::expect_parallel(mhc::OpenMp{2});
}

TEST(OpenMp, NestedCallRunsOnTheCallingThread) {
  std::atomic<int> ranges{0};
#pragma omp parallel num_threads(2)
  mhc::OpenMp{2}(64, 1, [&](mhc::Index begin, mhc::Index end, int) {
    if (begin == 0 && end == 64) ++ranges;
  });
  EXPECT_EQ(ranges, 2);
}

}  // namespace
