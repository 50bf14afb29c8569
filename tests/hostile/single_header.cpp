// SPDX-License-Identifier: MIT
// Only the single header: no other header of the library is on this unit's include path.
#include <mhc.hpp>

#include "run_block.hpp"
#include "units.hpp"

std::vector<float> run_amalgamation() {
  return run_block();
}
