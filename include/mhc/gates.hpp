// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>

#include <mhc/reference.hpp>

MHC_NAMESPACE_BEGIN

// The functions from logits to coefficients, and their derivatives:
//
//   sigmoid(l) = 1 / (1 + exp(-l))     sigmoid' = s (1 - s)      mHC: pre, 2 x for post
//   tanh(m)                            tanh' = 1 - t^2           HC: all three mappings
//
// Both saturate without NaN: logits of +-1e4 give 0, 1 or 2, and a gradient of 0.
// The kernels are in kernels/mappings.inl.

namespace reference {

/// 1 / (1 + exp(-l)) of each logit.
template <class Scalar>
Row<Scalar> sigmoid(const Row<Scalar>& logits) {
  return ((-logits.array()).exp() + Scalar(1.0)).inverse();
}

/// tanh of each value.
template <class Scalar>
Row<Scalar> tanh(const Row<Scalar>& values) {
  return values.unaryExpr([](const Scalar& value) {
    using std::tanh;
    return tanh(value);
  });
}

}  // namespace reference
MHC_NAMESPACE_END
