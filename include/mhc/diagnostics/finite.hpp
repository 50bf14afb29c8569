// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstring>

#include <mhc/version.hpp>

MHC_NAMESPACE_BEGIN
namespace detail {

// These inspect the bits, since compilers assume that std::isnan is false under -ffast-math.
inline std::uint64_t magnitude_bits(double value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits & ~(std::uint64_t(1) << 63);
}

inline constexpr std::uint64_t infinity_bits = std::uint64_t(0x7ff) << 52;

inline bool is_finite(double value) {
  return magnitude_bits(value) < infinity_bits;
}

inline bool is_nan(double value) {
  return magnitude_bits(value) > infinity_bits;
}

}  // namespace detail
MHC_NAMESPACE_END
