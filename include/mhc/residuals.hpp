// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include <mhc/birkhoff_projection.hpp>
#include <mhc/gates.hpp>
#include <mhc/sinkhorn_knopp.hpp>

MHC_NAMESPACE_BEGIN

// From a token's logits to H_res (n, n) by each policy of residual_mapping.hpp.
// The kernels are in kernels/residuals.inl.
//
// Backward, G = dL/dH_res:
//   permutations   da_r = sum_i G[i, perm_r(i)],   dlogits = a o (da - <a, da>)
//   Kronecker      dp_k = sum_ij +-G_ij x the other factors, + if bit k of i and j agrees

namespace reference {

/// n^2 numbers, out-major, as a matrix (n, n).
template <class Scalar>
Matrix<Scalar> square(const Row<Scalar>& logits, Index n) {
  return Eigen::Map<const Matrix<Scalar>>(logits.data(), n, n);
}

/// SinkhornKnopp, with the iterations of the options.
template <class Scalar>
Matrix<Scalar> residual(const SinkhornKnoppOptions& options, const Row<Scalar>& logits, Index n) {
  return sinkhorn_knopp(square(logits, n), options);
}

/// BirkhoffProjection: the limit of the iterations.
template <class Scalar>
Matrix<Scalar> residual(const BirkhoffProjection::Options& /*options*/, const Row<Scalar>& logits,
                        Index n) {
  return birkhoff_projection(square(logits, n));
}

/// PermutationSoftmax: sum_r softmax(logits)_r P_r with P_r[i, perm_r(i)] = 1, for the permutations
/// of 0 .. n-1 in the order of std::next_permutation.
template <class Scalar>
Matrix<Scalar> residual(const PermutationSoftmax::Options& /*options*/, const Row<Scalar>& logits,
                        Index n) {
  const Row<Scalar> a = (logits.array() - logits.real().maxCoeff()).exp();
  std::vector<Index> permutation(static_cast<std::size_t>(n));
  std::iota(permutation.begin(), permutation.end(), Index{0});
  Matrix<Scalar> res = Matrix<Scalar>::Zero(n, n);
  for (Index r = 0; r < a.size(); ++r) {
    for (Index i = 0; i < n; ++i) res(i, permutation[static_cast<std::size_t>(i)]) += a(r);
    std::next_permutation(permutation.begin(), permutation.end());
  }
  return res / a.sum();
}

/// Kronecker: U_1 (x) U_2 (x) ... with U_k = [[p, 1 - p], [1 - p, p]] and p = softmax(logits 2k -
/// 2, 2k - 1)_0.
template <class Scalar>
Matrix<Scalar> residual(const Kronecker::Options& /*options*/, const Row<Scalar>& logits,
                        Index /*n*/) {
  Matrix<Scalar> res = Matrix<Scalar>::Ones(1, 1);
  for (Index k = 0; k < logits.size() / 2; ++k) {
    const Row<Scalar> difference = logits.segment(2 * k, 1) - logits.segment(2 * k + 1, 1);
    const Scalar p = sigmoid(difference)(0);
    const Index n = res.rows();
    Matrix<Scalar> product(2 * n, 2 * n);
    for (Index e = 0; e < 4 * n * n; ++e) {
      const Index i = e / (2 * n);
      const Index j = e % (2 * n);
      product(i, j) = res(i / 2, j / 2) * (i % 2 == j % 2 ? p : Scalar(1.0) - p);
    }
    res = product;
  }
  return res;
}

/// IdentityResidual: I, without logits.
template <class Scalar>
Matrix<Scalar> residual(const IdentityResidual::Options& /*options*/, const Row<Scalar>& /*logits*/,
                        Index n) {
  return Matrix<Scalar>::Identity(n, n);
}

}  // namespace reference
MHC_NAMESPACE_END
