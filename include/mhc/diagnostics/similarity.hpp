// SPDX-License-Identifier: MIT
#pragma once

#include <Eigen/Core>

#include <mhc/arguments.hpp>
#include <mhc/reference.hpp>
#include <mhc/view.hpp>

MHC_NAMESPACE_BEGIN

// Measures of stream collapse: n parallel streams carry no more than the one stream of an ordinary
// residual. x is (tokens, n, C).

/// The cosine similarity of each pair of streams, averaged over the tokens:
///
///   S_ij = mean_t  x_ti . x_tj / (|x_ti| |x_tj|)
///
/// S is (n, n), symmetric, in [-1, 1], with 1 on the diagonal. A stream of zeros has similarity 0
/// to every stream, including itself. S is zero if there are no tokens.
template <class Scalar>
reference::Matrix<double> stream_similarity(StreamView<Scalar> x) {
  detail::check_streams("stream_similarity", "x", x, x.streams);
  const Index n = x.streams;
  reference::Matrix<double> mean = reference::Matrix<double>::Zero(n, n);
  for (Index t = 0; t < x.tokens; ++t) {
    reference::Matrix<double> streams = x.token(t).template cast<double>();
    for (Index i = 0; i < n; ++i) {  // normalised twice, so that no square overflows
      const double largest = streams.row(i).cwiseAbs().template maxCoeff<Eigen::PropagateNaN>();
      if (largest == 0.0) continue;
      streams.row(i) /= largest;
      streams.row(i) /= streams.row(i).norm();
    }
    mean += streams.lazyProduct(streams.transpose()) / static_cast<double>(x.tokens);
  }
  return mean;
}

/// The mean of the off-diagonal elements of a similarity matrix (n, n); 1 for n = 1.
template <class Derived>
double mean_off_diagonal(const Eigen::MatrixBase<Derived>& similarity) {
  const auto n = static_cast<double>(similarity.rows());
  if (similarity.rows() < 2) return 1.0;
  return (similarity.sum() - similarity.trace()) / (n * (n - 1));
}

/// The effective number of streams: the participation ratio of the eigenvalues of a token's Gram
/// matrix G = X X^T (n, n), averaged over the tokens:
///
///   (sum_i lambda_i)^2 / sum_i lambda_i^2  =  tr(G)^2 / |G|_F^2
///
/// 1 if all streams are parallel, n if they are orthogonal and of equal length, 0 for a token of
/// zeros and if there are no tokens.
template <class Scalar>
double effective_streams(StreamView<Scalar> x) {
  detail::check_streams("effective_streams", "x", x, x.streams);
  double mean = 0.0;
  for (Index t = 0; t < x.tokens; ++t) {
    reference::Matrix<double> streams = x.token(t).template cast<double>();
    const double largest = streams.cwiseAbs().template maxCoeff<Eigen::PropagateNaN>();
    if (largest == 0.0) continue;
    streams /= largest;  // cancels, and keeps the squares from overflowing
    const reference::Matrix<double> gram = streams.lazyProduct(streams.transpose());
    const double trace = gram.trace();
    mean += trace * trace / gram.squaredNorm() / static_cast<double>(x.tokens);
  }
  return mean;
}

MHC_NAMESPACE_END
