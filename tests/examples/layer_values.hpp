// SPDX-License-Identifier: MIT
// What the tests of the language model's layers share: values as matrices, and the functions of
// double and complex that model_instances.cpp compiles once.
#pragma once

#include <cstddef>
#include <vector>

#include "complex_step.hpp"
#include "model/instances.hpp"
#include "model/linear.hpp"
#include "parallel.hpp"

namespace language_model {

LANGUAGE_MODEL_INSTANCES(extern, double)
LANGUAGE_MODEL_INSTANCES(extern, Complex)

inline const Workers serial(1);

template <class Scalar>
std::vector<Scalar> as(const std::vector<double>& values) {
  return std::vector<Scalar>(values.begin(), values.end());
}

template <class Scalar>
MatrixMap<Scalar> matrix(std::vector<Scalar>& values, Index rows) {
  return MatrixMap<Scalar>(values.data(), rows, static_cast<Index>(values.size()) / rows);
}

template <class Scalar>
VectorMap<Scalar> vector(std::vector<Scalar>& values) {
  return VectorMap<Scalar>(values.data(), static_cast<Index>(values.size()));
}

// sum of a * b, without conjugation
template <class A, class B>
Complex inner(const A& a, const B& b) {
  return (a.array() * b.array()).sum();
}

inline std::size_t size_of(Index i) {
  return static_cast<std::size_t>(i);
}

}  // namespace language_model
