// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <type_traits>
#include <Eigen/Core>

#include <mhc/version.hpp>

MHC_NAMESPACE_BEGIN

/// The type of sizes and strides, in elements.
using Index = std::ptrdiff_t;

/// bfloat16, a 16-bit storage type with the layout of torch, ggml, MLX and oneDNN. Arithmetic is
/// done in float, never in 16 bits.
using bf16 = Eigen::bfloat16;
/// IEEE half precision, likewise a storage type.
using f16 = Eigen::half;

/// True for the element types of streams: float, double, bf16 and f16.
template <class Element>
inline constexpr bool is_element =
    std::is_same_v<Element, float> || std::is_same_v<Element, double> ||
    std::is_same_v<Element, bf16> || std::is_same_v<Element, f16>;

/// The type for arithmetic on an element: double for double, float for all others.
template <class Element>
using compute_t = std::conditional_t<std::is_same_v<Element, double>, double, float>;

MHC_NAMESPACE_END
