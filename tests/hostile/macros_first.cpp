// SPDX-License-Identifier: MIT
// The macros stand before everything, the standard library and Eigen included.
#include "macros.hpp"
// Above all others, on purpose.
#include <everything.hpp>

#include "run_block.hpp"
#include "units.hpp"

std::vector<float> run_under_macros() {
  return run_block();
}
