// SPDX-License-Identifier: MIT
// Matrices, and the gradient of a linear map's weights.
//
//   y  = x W^T             x (rows, in), W (out, in), y (rows, out); all row-major
//   dx = dy W
//   dW += dy^T x
//
// Every product in this folder is a plain single-threaded Eigen product on a piece of fixed size.
// Which thread takes which piece does not matter, so results are bitwise equal for any number of
// threads.
#pragma once

#include <cstddef>
#include <Eigen/Core>

namespace language_model {

using Index = std::ptrdiff_t;

template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class Scalar>
using Vector = Eigen::Matrix<Scalar, 1, Eigen::Dynamic>;

// Views of rows that live elsewhere: in a parameter arena, in a stream, in another matrix.
template <class Scalar>
using Rows = Eigen::Ref<Matrix<Scalar>, 0, Eigen::OuterStride<>>;

template <class Scalar>
using ConstRows = Eigen::Ref<const Matrix<Scalar>, 0, Eigen::OuterStride<>>;

template <class Scalar>
using MatrixMap = Eigen::Map<Matrix<Scalar>>;

template <class Scalar>
using VectorMap = Eigen::Map<Vector<Scalar>>;

// Takes consecutive pieces of an arena, so that one list of fields gives both layout and size.
template <class Scalar>
class Carve {
 public:
  explicit Carve(Scalar* data) : data_(data) {}
  MatrixMap<Scalar> matrix(Index rows, Index columns) {
    return MatrixMap<Scalar>(take(rows * columns), rows, columns);
  }
  VectorMap<Scalar> vector(Index size) { return VectorMap<Scalar>(take(size), size); }

 private:
  Scalar* take(Index size) {
    Scalar* const piece = data_;
    data_ += size;
    return piece;
  }
  Scalar* data_;
};

// The products of linear maps. Functions, so that the compiler builds each only once.
// y = a b^T
template <class Scalar>
void multiply_transposed(const ConstRows<Scalar>& a, const ConstRows<Scalar>& b, Rows<Scalar> y) {
  y.noalias() = a * b.transpose();
}

// y = a b
template <class Scalar>
void multiply(const ConstRows<Scalar>& a, const ConstRows<Scalar>& b, Rows<Scalar> y) {
  y.noalias() = a * b;
}

// y += a b
template <class Scalar>
void add_multiply(const ConstRows<Scalar>& a, const ConstRows<Scalar>& b, Rows<Scalar> y) {
  y.noalias() += a * b;
}

// y += a^T b
template <class Scalar>
void add_transposed_multiply(const ConstRows<Scalar>& a, const ConstRows<Scalar>& b,
                             Rows<Scalar> y) {
  y.noalias() += a.transpose() * b;
}

// Outputs of a weight matrix whose gradient one task computes.
constexpr Index weight_rows = 48;

// dW += dy^T x, with the outputs of W split over the threads.
template <class Scalar, class Executor>
void add_weight_gradient(const ConstRows<Scalar>& dy, const ConstRows<Scalar>& x,
                         MatrixMap<Scalar>& dweight, const Executor& exec) {
  exec(dweight.rows(), weight_rows, [&](Index begin, Index end, int) {
    add_transposed_multiply<Scalar>(dy.middleCols(begin, end - begin), x,
                                    dweight.middleRows(begin, end - begin));
  });
}

}  // namespace language_model
