// SPDX-License-Identifier: MIT
// The macros come before everything, including the standard library and Eigen.
#include "macros.hpp"
// Before all others, on purpose.
#include <everything.hpp>

#include "run_block.hpp"
#include "units.hpp"

std::vector<float> run_under_macros() {
  return run_block();
}
