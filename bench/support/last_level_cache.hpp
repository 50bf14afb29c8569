// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <cstddef>
#include <fstream>
#include <string>

namespace mhc_bench {

/// Bytes of the largest cache of a core. Linux counts one domain; the C library may count all
/// domains of a machine of which we have a part.
inline std::ptrdiff_t last_level_cache() {
  for (const char* level : {"3", "2"}) {
    std::ifstream file(std::string("/sys/devices/system/cpu/cpu0/cache/index") + level + "/size");
    std::ptrdiff_t kibibytes = 0;
    if (file >> kibibytes && kibibytes > 0) return kibibytes * 1024;
  }
#if defined(_SC_LEVEL3_CACHE_SIZE)
  if (const long bytes = sysconf(_SC_LEVEL3_CACHE_SIZE); bytes > 0) return bytes;
#endif
  return std::ptrdiff_t{64} << 20;
}

}  // namespace mhc_bench
