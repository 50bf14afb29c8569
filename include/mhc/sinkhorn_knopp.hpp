// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/arguments.hpp>
#include <mhc/check_options.hpp>
#include <mhc/executor.hpp>
#include <mhc/kernels/entry.hpp>
#include <mhc/reference.hpp>
#include <mhc/residual_mapping.hpp>
#include <mhc/storage.hpp>

MHC_NAMESPACE_BEGIN

// Sinkhorn-Knopp maps logits L to a doubly stochastic matrix in t = `iterations` iterations:
//
//   M(1) = T_r(T_c(exp L) + start_eps),   M(k) = T_r(T_c(M(k-1))),   res = M(t)
//
//   T_c, T_r : divide by (sum + divisor_eps), over out for each in and over in for each out;
//              the very first divisor has no eps (it is a softmax over out).
//              With Divisor::at_least_eps, divide by max(sum, divisor_eps) instead
//   L, res   : (n, n), [out, in]
//
// Rows come last, so each row sums to s / (s + divisor_eps), which without eps is one up to
// rounding. The column sums converge to one with t. Axis::rows exchanges rows and columns. In this
// orientation DeepSeek-V4's recipe on comb[src, dst] (softmax + eps over dst, columns, then t - 1
// times rows and columns) is start_eps = divisor_eps = 1e-6; the paper has no eps.
//
// Source: arXiv:2512.24880, section 4.2; DeepSeek-V4's TileKernels.

namespace reference {

/// H_res of one matrix of logits (n, n).
template <class Scalar>
Matrix<Scalar> sinkhorn_knopp(const Matrix<Scalar>& logits, const SinkhornKnoppOptions& options) {
  detail::check_options("reference::sinkhorn_knopp", options);
  if (options.first == Axis::rows) {
    SinkhornKnoppOptions columns_first = options;
    columns_first.first = Axis::columns;
    return sinkhorn_knopp<Scalar>(logits.transpose(), columns_first).transpose();
  }
  const auto divisor = [&](const Scalar& sum, double eps) {
    using std::real;
    if (options.divisor == Divisor::plus_eps) return sum + eps;
    return real(sum) >= eps ? sum : Scalar(eps);
  };
  const auto divide_columns = [&](Matrix<Scalar>& m, double eps) {
    for (Index j = 0; j < m.cols(); ++j) m.col(j) /= divisor(m.col(j).sum(), eps);
  };
  const auto divide_rows = [&](Matrix<Scalar>& m, double eps) {
    for (Index i = 0; i < m.rows(); ++i) m.row(i) /= divisor(m.row(i).sum(), eps);
  };
  Matrix<Scalar> m(logits.rows(), logits.cols());
  for (Index j = 0; j < m.cols(); ++j) {  // the shift cancels in the first T_c
    m.col(j) = (logits.col(j).array() - logits.col(j).real().maxCoeff()).exp();
  }
  divide_columns(m, 0.0);
  m.array() += options.start_eps;
  divide_rows(m, options.divisor_eps);
  for (int t = 1; t < options.iterations; ++t) {
    divide_columns(m, options.divisor_eps);
    divide_rows(m, options.divisor_eps);
  }
  return m;
}

}  // namespace reference

/// res(t) = SinkhornKnopp(logits(t)) for every matrix of a batch; `res` is assigned and may be
/// `logits` itself. Views or owners of (count, N, N), of float or double. Finite logits give finite
/// results: a matrix whose rows would underflow is computed in the log domain. Results do not
/// depend on the batch, bit for bit. Throws std::invalid_argument for wrong shapes or options and
/// overlapping memory.
template <int N, class Matrices, class Executor = Serial>
void sinkhorn_knopp(StreamView<const element_of<Matrices>> logits,
                    const SinkhornKnoppOptions& options, Matrices&& res, Executor&& exec = {}) {
  static_assert(N >= 1, "mhc::sinkhorn_knopp: N must be at least 1");
  using Scalar = element_of<Matrices>;
  const StreamView<Scalar> to = res;
  detail::Arguments call("sinkhorn_knopp");
  detail::check_options(call.function(), options);
  detail::check_matrices(call, "logits", logits, N);
  call.writes("res", to, N, N).or_is("logits");
  call.check_memory();
  exec(logits.tokens, Index{64}, [&](Index begin, Index end, int) {
    kernels::MatrixKernels<N, Scalar>::sinkhorn_knopp(logits, options, to, begin, end);
  });
}

/// The gradient: dlogits from dres, differentiated through every iteration; `dlogits` is assigned
/// and may be `dres` itself. For one half step Y = X / (sum X + eps) along an axis:
/// X dX = Y dY - Y sum(Y dY). The matrices are recomputed from the logits.
///
/// This is the exact gradient of the iterations; with few iterations or large logits it differs
/// from that of the limit. Gradient::implicit gives the latter, and implicit_backward
/// (birkhoff_projection.hpp) in addition the error of the matrices. Throws as sinkhorn_knopp does.
template <int N, class Matrices, class Executor = Serial>
void sinkhorn_knopp_backward(StreamView<const element_of<Matrices>> logits,
                             const SinkhornKnoppOptions& options,
                             StreamView<const element_of<Matrices>> dres, Matrices&& dlogits,
                             Executor&& exec = {}) {
  static_assert(N >= 1, "mhc::sinkhorn_knopp_backward: N must be at least 1");
  using Scalar = element_of<Matrices>;
  const StreamView<Scalar> to = dlogits;
  detail::Arguments call("sinkhorn_knopp_backward");
  detail::check_options(call.function(), options);
  detail::check_matrices(call, "logits", logits, N);
  call.reads("dres", dres, N, N);
  call.writes("dlogits", to, N, N).or_is("dres");
  call.check_memory();
  exec(logits.tokens, Index{64}, [&](Index begin, Index end, int) {
    kernels::MatrixKernels<N, Scalar>::sinkhorn_knopp_backward(logits, options, dres, to, begin,
                                                               end);
  });
}

MHC_NAMESPACE_END
