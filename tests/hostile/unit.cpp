// SPDX-License-Identifier: MIT
// Compiled several times, each time with other flags and another name for the function.
#include <mhc/mhc.hpp>

#include "run_block.hpp"
#include "units.hpp"

std::vector<float> MHC_TEST_UNIT() {
  return run_block();
}
