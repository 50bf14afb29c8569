// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <type_traits>
#include <Eigen/Core>

#include <mhc/version.hpp>

MHC_NAMESPACE_BEGIN

/// Sizes and strides, in elements.
using index = std::ptrdiff_t;

/// The 16-bit storage types, read and written by their bits: two bytes, the layout that
/// torch, ggml, MLX and oneDNN share. Arithmetic never happens in them.
using bf16 = Eigen::bfloat16;
/// See bf16.
using f16 = Eigen::half;

/// What a stream may be stored as: float, double, bf16 or f16.
template <class Element>
inline constexpr bool is_element =
    std::is_same_v<Element, float> || std::is_same_v<Element, double> ||
    std::is_same_v<Element, bf16> || std::is_same_v<Element, f16>;

/// The type in which an element is computed: double for double, float for all others.
template <class Element>
using compute_t = std::conditional_t<std::is_same_v<Element, double>, double, float>;

MHC_NAMESPACE_END
