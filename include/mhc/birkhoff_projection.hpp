// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/arguments.hpp>
#include <mhc/check_options.hpp>
#include <mhc/executor.hpp>
#include <mhc/kernels/entry.hpp>
#include <mhc/reference.hpp>
#include <mhc/storage.hpp>

MHC_NAMESPACE_BEGIN

// The exact projection onto the doubly stochastic matrices (the Birkhoff polytope), the limit of
// Sinkhorn-Knopp without eps:
//
//   T = diag(a) exp(L) diag(b)   with   T 1 = 1,  T^T 1 = 1
//
// T is the row-wise softmax of L + 1 beta^T, where beta minimises the convex dual
// sum_i log sum_j exp(L_ij + beta_j) - sum_j beta_j. Its gradient, by the implicit function
// theorem:
//
//   dL = (G - v 1^T - 1 w^T) o T,    v + T w = rowsums(G o T),    T^T v + w = colsums(G o T)
//
// It is exact for all logits. Computed in double precision for all element types. Source:
// arXiv:2606.07574.

namespace reference {

/// Normalises rows and columns in turn until convergence, and then as many times again.
template <class Scalar>
Matrix<Scalar> birkhoff_projection(const Matrix<Scalar>& logits) {
  Matrix<Scalar> m(logits.rows(), logits.cols());
  for (Index i = 0; i < m.rows(); ++i) {
    m.row(i) = (logits.row(i).array() - logits.row(i).real().maxCoeff()).exp();
  }
  Index steps = 0;
  for (Index more = 1; steps < more && steps < 1000000; ++steps) {
    for (Index i = 0; i < m.rows(); ++i) m.row(i) /= m.row(i).sum();
    const bool still = (m.colwise().sum().real().array() - 1.0).abs().maxCoeff() < 1e-15;
    for (Index j = 0; j < m.cols(); ++j) m.col(j) /= m.col(j).sum();
    if (!still) more = 2 * (steps + 1);
  }
  return m;
}

}  // namespace reference

/// res(t) = the projection of logits(t) for every matrix of a batch; `res` is assigned and may be
/// `logits` itself. Views or owners of (count, N, N), of float or double. Row sums are one up to
/// rounding, column sums up to options.tolerance or rounding, whichever is larger. Throws
/// std::invalid_argument for wrong shapes or options and overlapping memory.
template <int N, class Matrices, class Executor = Serial>
void birkhoff_projection(StreamView<const element_of<Matrices>> logits,
                         const BirkhoffProjection::Options& options, Matrices&& res,
                         Executor&& exec = {}) {
  using Scalar = element_of<Matrices>;
  const StreamView<Scalar> to = res;
  detail::Arguments call("birkhoff_projection");
  detail::check_options(call.function(), options);
  detail::check_matrices(call, "logits", logits, N);
  call.writes("res", to, N, N).or_is("logits");
  call.check_memory();
  exec(logits.tokens, Index{16}, [&](Index begin, Index end, int) {
    kernels::MatrixKernels<N, Scalar>::birkhoff_projection(logits, options, to, begin, end);
  });
}

/// The gradient: dlogits from dres by the implicit function theorem, for the matrices `res` of a
/// projection; `dlogits` is assigned and may be `dres` itself. If `res` is from Sinkhorn-Knopp, the
/// gradient is as accurate as `res` has converged. `error` (count, 1), if present, is assigned the
/// largest |1 - sum| over the rows and columns of each matrix. Throws std::invalid_argument for
/// wrong shapes and overlapping memory.
template <int N, class Matrices, class Executor = Serial>
void implicit_backward(StreamView<const element_of<Matrices>> res,
                       StreamView<const element_of<Matrices>> dres, Matrices&& dlogits,
                       TokenView<element_of<Matrices>> error = {}, Executor&& exec = {}) {
  using Scalar = element_of<Matrices>;
  const StreamView<Scalar> to = dlogits;
  detail::Arguments call("implicit_backward");
  detail::check_matrices(call, "res", res, N);
  call.reads("dres", dres, N, N);
  call.writes("dlogits", to, N, N).or_is("dres");
  call.writes_if("error", error, 1);
  call.check_memory();
  exec(res.tokens, Index{16}, [&](Index begin, Index end, int) {
    kernels::MatrixKernels<N, Scalar>::implicit_backward(res, dres, to, error, begin, end);
  });
}

MHC_NAMESPACE_END
