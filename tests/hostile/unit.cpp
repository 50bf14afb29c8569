// SPDX-License-Identifier: MIT
// Compiled several times, each with flags of its own and a name for its function.
#include <mhc/mhc.hpp>

#include "run_block.hpp"
#include "units.hpp"

std::vector<float> MHC_TEST_UNIT() {
  return run_block();
}
