// SPDX-License-Identifier: MIT
#include "targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mhc_fuzz::Index({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
