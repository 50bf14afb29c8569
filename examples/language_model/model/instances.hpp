// SPDX-License-Identifier: MIT
// The model's functions on matrices for one scalar type, which Eigen makes long to compile:
// float's are in instances.cpp, and every unit that includes this header leaves them to it.
#pragma once

#include "causal_mix.hpp"
#include "linear.hpp"
#include "rms_norm.hpp"
#include "swiglu.hpp"

// `declare` is extern, or nothing where the functions are defined.
// NOLINTBEGIN(bugprone-macro-parentheses): types and words of the grammar
#define LANGUAGE_MODEL_INSTANCES(declare, Scalar)                                                  \
  declare template void multiply_transposed<Scalar>(const ConstRows<Scalar>&,                      \
                                                    const ConstRows<Scalar>&, Rows<Scalar>);       \
  declare template void multiply<Scalar>(const ConstRows<Scalar>&, const ConstRows<Scalar>&,       \
                                         Rows<Scalar>);                                            \
  declare template void add_multiply<Scalar>(const ConstRows<Scalar>&, const ConstRows<Scalar>&,   \
                                             Rows<Scalar>);                                        \
  declare template void add_transposed_multiply<Scalar>(const ConstRows<Scalar>&,                  \
                                                        const ConstRows<Scalar>&, Rows<Scalar>);   \
  declare template void rms_norm_forward<Scalar>(const ConstRows<Scalar>&,                         \
                                                 const VectorMap<Scalar>&, Rows<Scalar>,           \
                                                 Eigen::Ref<Vector<Scalar>>);                      \
  declare template void rms_norm_backward<Scalar>(                                                 \
      const ConstRows<Scalar>&, const ConstRows<Scalar>&, const VectorMap<Scalar>&,                \
      const Eigen::Ref<const Vector<Scalar>>&, Rows<Scalar>);                                      \
  declare template void rms_norm_add_weight_gradient<Scalar>(                                      \
      const ConstRows<Scalar>&, const ConstRows<Scalar>&, const Eigen::Ref<const Vector<Scalar>>&, \
      VectorMap<Scalar>&);                                                                         \
  declare template void causal_mix<Scalar>(double, const ConstRows<Scalar>&,                       \
                                           const ConstRows<Scalar>&, const ConstRows<Scalar>&,     \
                                           Rows<Scalar>, Rows<Scalar>);                            \
  declare template void causal_mix_backward<Scalar>(                                               \
      double, const ConstRows<Scalar>&, const ConstRows<Scalar>&, const ConstRows<Scalar>&,        \
      const ConstRows<Scalar>&, const ConstRows<Scalar>&, Rows<Scalar>, Rows<Scalar>,              \
      Rows<Scalar>, Rows<Scalar>);                                                                 \
  declare template void swiglu_forward<Scalar>(const ConstRows<Scalar>&, Rows<Scalar>);            \
  declare template void swiglu_backward<Scalar>(const ConstRows<Scalar>&,                          \
                                                const ConstRows<Scalar>&, Rows<Scalar>);
// NOLINTEND(bugprone-macro-parentheses)

namespace language_model {

LANGUAGE_MODEL_INSTANCES(extern, float)

}  // namespace language_model
