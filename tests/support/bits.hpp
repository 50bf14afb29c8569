// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include <mhc/view.hpp>

// Comparison by bits: 0 and -0 differ, a NaN equals itself, and -ffast-math has no effect.

namespace mhc_test {

template <class Element>
using bits_t =
    std::conditional_t<sizeof(Element) == 2, std::uint16_t,
                       std::conditional_t<sizeof(Element) == 4, std::uint32_t, std::uint64_t>>;

template <class Element>
bits_t<Element> bits_of(const Element& value) {
  bits_t<Element> bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

template <class Element>
Element from_bits(bits_t<Element> bits) {
  Element value;
  std::memcpy(static_cast<void*>(&value), &bits, sizeof bits);
  return value;
}

/// The bits of the exponent: all set in infinities and NaNs.
template <class Element>
constexpr bits_t<Element> exponent_bits() {
  if constexpr (std::is_same_v<Element, double>) return 0x7ff0000000000000u;
  if constexpr (std::is_same_v<Element, float>) return 0x7f800000u;
  if constexpr (std::is_same_v<Element, mhc::bf16>) return 0x7f80u;
  if constexpr (std::is_same_v<Element, mhc::f16>) return 0x7c00u;
}

template <class Element>
bool is_finite(const Element& value) {
  return (bits_of(value) & exponent_bits<Element>()) != exponent_bits<Element>();
}

template <class Element>
bool is_nan(const Element& value) {
  const auto magnitude = static_cast<bits_t<Element>>(bits_of(value) << 1);
  return magnitude > static_cast<bits_t<Element>>(exponent_bits<Element>() << 1);
}

template <class Element>
testing::AssertionResult same_bits(const Element* a, const Element* b, mhc::Index size) {
  for (mhc::Index i = 0; i < size; ++i) {
    if (bits_of(a[i]) != bits_of(b[i])) {
      return testing::AssertionFailure()
             << "element " << i << " of " << size << ": " << static_cast<double>(a[i]) << " (bits "
             << std::hex << bits_of(a[i]) << ") is not " << static_cast<double>(b[i]) << " (bits "
             << bits_of(b[i]) << ")";
    }
  }
  return testing::AssertionSuccess();
}

template <class A, class B>
testing::AssertionResult same_bits(const mhc::TokenView<A>& a, const mhc::TokenView<B>& b) {
  if (a.tokens != b.tokens || a.channels != b.channels) {
    return testing::AssertionFailure() << "the shapes differ";
  }
  for (mhc::Index t = 0; t < a.tokens; ++t) {
    const std::remove_const_t<A>* of_a = a.row(t);
    const std::remove_const_t<B>* of_b = b.row(t);
    if (auto same = same_bits(of_a, of_b, a.channels); !same) {
      return same << ", token " << t;
    }
  }
  return testing::AssertionSuccess();
}

template <class A, class B>
testing::AssertionResult same_bits(const mhc::StreamView<A>& a, const mhc::StreamView<B>& b) {
  if (a.streams != b.streams) return testing::AssertionFailure() << "the shapes differ";
  for (mhc::Index i = 0; i < a.streams; ++i) {
    if (auto same = same_bits(a.stream(i), b.stream(i)); !same) return same << ", stream " << i;
  }
  return testing::AssertionSuccess();
}

template <class Element>
testing::AssertionResult all_finite(const Element* values, mhc::Index size) {
  for (mhc::Index i = 0; i < size; ++i) {
    if (!is_finite(values[i])) {
      return testing::AssertionFailure()
             << "element " << i << " of " << size << " is " << static_cast<double>(values[i]);
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace mhc_test
