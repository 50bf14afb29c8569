// SPDX-License-Identifier: MIT
// How far 20 iterations of Sinkhorn-Knopp converge, by the size of the logits, and how much the
// implicit gradients of the limit then differ from the gradient of the iterations.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>
#include <Eigen/LU>

#include <mhc/diagnostics.hpp>
#include <mhc/mhc.hpp>

namespace convergence {

using Matrix = mhc::reference::Matrix<double>;

struct Quantiles {
  double median;
  double p99;
};

inline Quantiles quantiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double q) {
    return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
  };
  return {at(0.5), at(0.99)};
}

/// One line of the report: logits N(0, stddev^2), with a random cotangent for each sample.
struct Line {
  double stddev;
  Quantiles error;         ///< of the inexact marginal: a source's sum over the targets
  Quantiles by_marginals;  ///< |implicit_backward - unrolled| / |unrolled|
  Quantiles by_ones;       ///< the same with the sources' sums assumed to be 1
};

/// The textbook's implicit gradient, which assumes that T is exactly doubly stochastic:
///   v + T w = rowsums(G o T),   T^T v + diag(c) w = colsums(G o T),   w_n = 0,
/// with rows of T for the sources, as a checkpoint has them. Where these have not converged, its
/// error exceeds that of the gradient by the actual sums.
inline Matrix implicit_by_ones(const Matrix& T, const Matrix& G) {
  const Eigen::Index n = T.rows();
  const Matrix product = G.cwiseProduct(T);
  const Eigen::VectorXd mu = product.rowwise().sum();
  const Eigen::VectorXd nu = product.colwise().sum().transpose();
  Eigen::MatrixXd laplacian = -T.transpose() * T;
  laplacian.diagonal() += T.colwise().sum().transpose();
  Eigen::VectorXd w = Eigen::VectorXd::Zero(n);
  w.head(n - 1) = laplacian.topLeftCorner(n - 1, n - 1)
                      .partialPivLu()
                      .solve((nu - T.transpose() * mu).head(n - 1));
  const Eigen::VectorXd v = mu - T * w;
  Matrix gradient = G;
  gradient.colwise() -= v;
  gradient.rowwise() -= w.transpose();
  return gradient.cwiseProduct(T);
}

template <int N>
Line measure(double stddev, mhc::Index samples, std::uint64_t seed,
             mhc::SinkhornKnoppOptions options = mhc::families::DeepSeekV4::options().residual) {
  mhc::Streams<double> logits(samples, N, N);
  mhc::Streams<double> dres(samples, N, N);
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  for (mhc::Index k = 0; k < logits.size(); ++k) logits.data()[k] = stddev * normal(engine);
  for (mhc::Index k = 0; k < dres.size(); ++k) dres.data()[k] = normal(engine);

  mhc::Streams<double> res(samples, N, N);
  mhc::Streams<double> unrolled(samples, N, N);
  mhc::Streams<double> implicit(samples, N, N);
  mhc::sinkhorn_knopp<N>(logits, options, res);
  mhc::sinkhorn_knopp_backward<N>(logits, options, dres, unrolled);
  mhc::implicit_backward<N>(res, dres, implicit);

  std::vector<double> error;
  std::vector<double> by_marginals;
  std::vector<double> by_ones;
  for (mhc::Index t = 0; t < samples; ++t) {
    const Matrix exact = unrolled.token(t);
    const Matrix ones =
        implicit_by_ones(res.token(t).transpose(), dres.token(t).transpose()).transpose();
    error.push_back(mhc::column_error(res.token(t)));
    by_marginals.push_back((implicit.token(t) - exact).norm() / exact.norm());
    by_ones.push_back((ones - exact).norm() / exact.norm());
  }
  return {stddev, quantiles(error), quantiles(by_marginals), quantiles(by_ones)};
}

}  // namespace convergence
