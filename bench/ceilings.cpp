// SPDX-License-Identifier: MIT
// What the machine can do at best, measured: a line of JSON for each ceiling.
#include "support/ceilings.hpp"

#include <algorithm>
#include <thread>

int main() {
  const int threads =
      std::min(2, std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
  mhc_bench::Ceilings::measure(threads).print(stdout);
  return 0;
}
