// SPDX-License-Identifier: MIT
// A weight and its gradient, both in an arena, and the initialization of matrices.
#pragma once

#include <cmath>

#include "arena.hpp"
#include "model/linear.hpp"
#include "random.hpp"

namespace language_model {

// (rows, columns), with weight decay.
template <class Scalar>
struct WeightMatrix {
  WeightMatrix(BasicArena<Scalar>& arena, Index rows, Index columns)
      : WeightMatrix(arena.take(rows * columns, true), rows, columns) {}
  MatrixMap<Scalar> values, gradients;

 private:
  WeightMatrix(typename BasicArena<Scalar>::Piece piece, Index rows, Index columns)
      : values(piece.values, rows, columns), gradients(piece.gradients, rows, columns) {}
};

// Of an RMSNorm: (size), without weight decay.
template <class Scalar>
struct NormWeight {
  NormWeight(BasicArena<Scalar>& arena, Index size) : NormWeight(arena.take(size, false), size) {}
  VectorMap<Scalar> values, gradients;

 private:
  NormWeight(typename BasicArena<Scalar>::Piece piece, Index size)
      : values(piece.values, size), gradients(piece.gradients, size) {}
};

// draw(w, gain): w ~ N(0, gain^2 / inputs).
class DrawMatrix {
 public:
  explicit DrawMatrix(Random& random) : random_(random) {}

  template <class Scalar>
  void operator()(MatrixMap<Scalar>& w, double gain) const {
    const double deviation = gain / std::sqrt(static_cast<double>(w.cols()));
    for (Index k = 0; k < w.size(); ++k) {
      w.data()[k] = static_cast<Scalar>(deviation * random_.normal());
    }
  }

 private:
  Random& random_;
};

}  // namespace language_model
