// SPDX-License-Identifier: MIT
// Measures the machine's ceilings: a line of JSON for each.
#include "support/ceilings.hpp"

#include <algorithm>
#include <cstdio>
#include <thread>

int main() {
  const int threads =
      std::min(2, std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
  const auto ceilings = mhc_bench::Ceilings::measure(threads);
  if (ceilings.flops_per_second(threads) < 0.8 * threads * ceilings.flops_per_second(1)) {
    std::fputs("mhc: other work keeps a processor busy: rows of two threads are unreliable\n",
               stderr);
  }
  ceilings.print(stdout);
  return 0;
}
