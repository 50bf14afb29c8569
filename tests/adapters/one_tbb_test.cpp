// SPDX-License-Identifier: MIT
#include <mhc/adapters/one_tbb.hpp>

#include <gtest/gtest.h>

#include "executor_laws.hpp"

namespace {

TEST(OneTbb, MeetsTheRequirements) {
  for (const int threads : {1, 2}) {
    tbb::task_arena arena(threads);
    arena.execute([&] {
      const mhc::OneTbb exec;
      mhc_test::expect_covers(exec);
      mhc_test::expect_passes_exceptions(exec);
      mhc_test::expect_nests(exec);
      mhc_test::expect_same_bits(exec);
    });
  }
}

}  // namespace
