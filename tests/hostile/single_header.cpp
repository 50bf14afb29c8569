// SPDX-License-Identifier: MIT
// The single header alone: no other header of the library is on this unit's path.
#include <mhc.hpp>

#include "run_block.hpp"
#include "units.hpp"

std::vector<float> run_amalgamation() {
  return run_block();
}
