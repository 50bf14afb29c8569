// SPDX-License-Identifier: MIT
#include <cstdio>

#include <mhc/mhc.hpp>

int main() {
  std::printf("mhc %d.%d.%d\n", MHC_VERSION_MAJOR, MHC_VERSION_MINOR, MHC_VERSION_PATCH);
}
