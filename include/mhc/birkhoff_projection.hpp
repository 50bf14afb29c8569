// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/executor.hpp>
#include <mhc/kernels/entry.hpp>
#include <mhc/reference.hpp>
#include <mhc/shapes.hpp>

MHC_NAMESPACE_BEGIN

// The exact projection onto the doubly stochastic matrices (the Birkhoff polytope), which
// Sinkhorn-Knopp without eps tends to:
//
//   T = diag(a) exp(L) diag(b)   with   T 1 = 1,  T^T 1 = 1
//
// T is what the rows' softmax makes of L + 1 beta^T where beta minimises the convex dual
// sum_i log sum_j exp(L_ij + beta_j) - sum_j beta_j. Its gradient, by the implicit function
// theorem:
//
//   dL = (G - v 1^T - 1 w^T) o T,    v + T w = rowsums(G o T),    T^T v + w = colsums(G o T)
//
// Unlike Sinkhorn-Knopp's after so many iterations it is exact whatever the logits. In double
// precision whatever the streams. Source: arXiv:2606.07574.

namespace detail {
inline void check_options(const char* function, const BirkhoffProjection::Options& options) {
  if (!(options.tolerance > 0.0 && options.tolerance <= 0.1)) {
    refuse(function, "option birkhoff tolerance is ", options.tolerance,
           ", expected more than 0 and at most 0.1");
  }
}
}  // namespace detail

namespace reference {

/// Rows and columns in turn, until they stand still, and as many times again.
template <class Scalar>
Matrix<Scalar> birkhoff_projection(const Matrix<Scalar>& logits) {
  Matrix<Scalar> m(logits.rows(), logits.cols());
  for (index i = 0; i < m.rows(); ++i) {
    m.row(i) = (logits.row(i).array() - logits.row(i).real().maxCoeff()).exp();
  }
  index steps = 0;
  for (index more = 1; steps < more && steps < 1000000; ++steps) {
    for (index i = 0; i < m.rows(); ++i) m.row(i) /= m.row(i).sum();
    const bool still = (m.colwise().sum().real().array() - 1.0).abs().maxCoeff() < 1e-15;
    for (index j = 0; j < m.cols(); ++j) m.col(j) /= m.col(j).sum();
    if (!still) more = 2 * (steps + 1);
  }
  return m;
}

}  // namespace reference

/// res(t) = the projection of logits(t) for every matrix of a batch; assigned, may be `logits`
/// itself. Views (count, N, N) of float or double. Rows sum to one to rounding, columns to within
/// options.tolerance or that rounding, whichever is larger. Throws std::invalid_argument for wrong
/// shapes or options.
template <int N, class Scalar, class Executor = Serial>
void birkhoff_projection(StreamView<const Scalar> logits,
                         const BirkhoffProjection::Options& options, StreamView<Scalar> res,
                         Executor&& exec = {}) {
  constexpr const char* here = "birkhoff_projection";
  detail::check_options(here, options);
  detail::check_streams(here, "logits", logits, N);
  detail::check_shape(here, "logits", logits, logits.tokens, N, N);
  detail::check_shape(here, "res", res, logits.tokens, N, N);
  detail::check_output(here, "res", res);
  detail::check_same_or_disjoint(here, "res", res, "logits", logits);
  exec(logits.tokens, index{16}, [&](index begin, index end, int) {
    kernels::MatrixKernels<N, Scalar>::birkhoff_projection(logits, options, res, begin, end);
  });
}

/// dlogits from dres by the implicit function theorem, at the matrices `res` that a projection
/// gave; assigned, may be `dres` itself. For the result of Sinkhorn-Knopp it is the gradient that
/// its limit would have there: right as far as `res` has converged, which `error` (count, 1) tells
/// for each matrix if it is there (assigned): the largest |1 - sum| of a row or a column.
template <int N, class Scalar, class Executor = Serial>
void implicit_backward(StreamView<const Scalar> res, StreamView<const Scalar> dres,
                       StreamView<Scalar> dlogits, TokenView<Scalar> error = {},
                       Executor&& exec = {}) {
  constexpr const char* here = "implicit_backward";
  detail::check_streams(here, "res", res, N);
  detail::check_shape(here, "res", res, res.tokens, N, N);
  detail::check_shape(here, "dres", dres, res.tokens, N, N);
  detail::check_shape(here, "dlogits", dlogits, res.tokens, N, N);
  detail::check_output(here, "dlogits", dlogits);
  detail::check_disjoint(here, "dlogits", dlogits, "res", res);
  detail::check_same_or_disjoint(here, "dlogits", dlogits, "dres", dres);
  if (error) {
    detail::check_shape(here, "error", error, res.tokens, 1);
    detail::check_output(here, "error", error);
    detail::check_disjoint(here, "error", error, "res", res);
    detail::check_disjoint(here, "error", error, "dres", dres);
    detail::check_disjoint(here, "error", error, "dlogits", dlogits);
  }
  exec(res.tokens, index{16}, [&](index begin, index end, int) {
    kernels::MatrixKernels<N, Scalar>::implicit_backward(res, dres, dlogits, error, begin, end);
  });
}

MHC_NAMESPACE_END
