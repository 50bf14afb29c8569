// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <type_traits>

#include <mhc/version.hpp>

// Both formats are little-endian, and no reader swaps bytes.
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "mhc/checkpoint reads files on little-endian machines only"
#endif

MHC_NAMESPACE_BEGIN
namespace checkpoint {

/// A view of bytes owned elsewhere.
struct Bytes {
  const std::byte* data = nullptr;
  std::size_t size = 0;

  Bytes from(std::size_t begin) const { return {data + begin, size - begin}; }

  std::string_view text() const { return {reinterpret_cast<const char*>(data), size}; }
};

namespace detail {

/// The number at `from`, at any alignment.
template <class Number>
Number load(const std::byte* from) {
  static_assert(std::is_trivially_copyable_v<Number>, "mhc::checkpoint: a number is its bytes");
  Number number;
  std::memcpy(static_cast<void*>(&number), from, sizeof number);
  return number;
}

}  // namespace detail
}  // namespace checkpoint
MHC_NAMESPACE_END
