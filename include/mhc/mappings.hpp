// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/connection.hpp>
#include <mhc/gates.hpp>
#include <mhc/projection.hpp>
#include <mhc/sinkhorn_knopp.hpp>

MHC_NAMESPACE_BEGIN

// The mappings of one token: x (n, C) -> H_pre (1, n), H_post (1, n), H_res (n, n), by each policy.
// The kernels are in kernels/mappings.inl; a block calls them for many tokens (block.hpp).

namespace detail {

inline void check_options(const char* function, const ManifoldConstrained::Options& options) {
  check_not_negative(function, "norm_eps", options.norm_eps);
  check_finite(function, "pre_eps", options.pre_eps);
  check_finite(function, "post_scale", options.post_scale);
  check_finite(function, "post_eps", options.post_eps);
  check_options(function, options.sinkhorn);
}
inline void check_options(const char* function, const HyperConnections::Options& options) {
  check_not_negative(function, "norm_eps", options.norm_eps);
}
inline void check_options(const char* function, const LearnedCollapse::Options& options) {
  check_not_negative(function, "norm_eps", options.norm_eps);
  check_finite(function, "pre_eps", options.pre_eps);
}
inline void check_options(const char* /*function*/, const OrdinaryResidual::Options& /*options*/) {}

}  // namespace detail

namespace reference {

/// mHC:  l = [alpha_pre m_pre | alpha_post m_post | alpha_res m_res] + b,   m = r x phi
///   pre = sigmoid(l_pre) + pre_eps,  post = post_scale sigmoid(l_post) + post_eps,
///   res = SinkhornKnopp(l_res).
/// Source: arXiv:2512.24880, eqs. (7)-(9).
template <class Scalar>
Mappings<Scalar> mappings(const ManifoldConstrained::Options& options, const Matrix<Scalar>& x,
                          const Parameters<Scalar>& parameters) {
  const index n = x.rows();
  const Row<Scalar> m = projection(flatten(x), parameters.phi, options.norm_eps);
  const Row<Scalar> pre = parameters.alpha(0) * m.head(n) + parameters.b.head(n);
  const Row<Scalar> post = parameters.alpha(1) * m.segment(n, n) + parameters.b.segment(n, n);
  const Row<Scalar> res = parameters.alpha(2) * m.tail(n * n) + parameters.b.tail(n * n);
  const Matrix<Scalar> logits = Eigen::Map<const Matrix<Scalar>>(res.data(), n, n);
  return {(sigmoid(pre).array() + options.pre_eps).matrix(),
          (options.post_scale * sigmoid(post).array() + options.post_eps).matrix(),
          sinkhorn_knopp(logits, options.sinkhorn)};
}

/// HC:  T = tanh(x~ theta) (n, n + 2), x~ = each stream over its root mean square
///   pre_j = alpha_pre T_j0 + b_pre,j,  post_j = alpha_post T_j1 + b_post,j,
///   res[i, j] = alpha_res T_j,2+i + b_res[i, j].
/// Source: arXiv:2512.24880, eq. (5); the original, arXiv:2409.19606, stores H_res transposed.
template <class Scalar>
Mappings<Scalar> mappings(const HyperConnections::Options& options, const Matrix<Scalar>& x,
                          const Parameters<Scalar>& parameters) {
  const index n = x.rows();
  Matrix<Scalar> t(n, n + 2);
  for (index j = 0; j < n; ++j) {
    t.row(j) = tanh(projection(Row<Scalar>(x.row(j)), parameters.phi, options.norm_eps));
  }
  const Matrix<Scalar> b_res = Eigen::Map<const Matrix<Scalar>>(parameters.b.data() + 2 * n, n, n);
  return {parameters.alpha(0) * t.col(0).transpose() + parameters.b.head(n),
          parameters.alpha(1) * t.col(1).transpose() + parameters.b.segment(n, n),
          parameters.alpha(2) * t.rightCols(n).transpose() + b_res};
}

/// The ordinary residual: pre = 1/n, post = 1, res = I.
template <class Scalar>
Mappings<Scalar> mappings(const OrdinaryResidual::Options& /*options*/, const Matrix<Scalar>& x,
                          const Parameters<Scalar>& /*parameters*/) {
  const index n = x.rows();
  return {Row<Scalar>::Constant(n, Scalar(1.0 / static_cast<double>(n))), Row<Scalar>::Ones(n),
          Matrix<Scalar>::Identity(n, n)};
}

/// The learned collapse:  pre = sigmoid(alpha m + b) + pre_eps; there is no post and no res.
template <class Scalar>
Mappings<Scalar> mappings(const LearnedCollapse::Options& options, const Matrix<Scalar>& x,
                          const Parameters<Scalar>& parameters) {
  const Row<Scalar> m = projection(flatten(x), parameters.phi, options.norm_eps);
  const Row<Scalar> logits = parameters.alpha(0) * m + parameters.b;
  return {(sigmoid(logits).array() + options.pre_eps).matrix(), {}, {}};
}

}  // namespace reference
MHC_NAMESPACE_END
