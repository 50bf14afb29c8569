// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <complex>

#include <mhc/connection.hpp>
#include <mhc/reference.hpp>

MHC_NAMESPACE_BEGIN

// Norm and projection of a token's K = n C values (the streams concatenated):
//
//   r   = 1 / sqrt(mean(x^2) + norm_eps)          a scalar; for other uses of eps see NormEps
//   raw = x phi                                   (1, R);  phi (K, R)
//   m   = r raw                                   norm after the product: one pass over x
//
// Backward, with dm:   draw = r dm,   dr = sum(dm raw),
//   dx += phi draw^T - dr r^3 / K x,    dphi += x^T draw.
//
// There is no norm weight, since it would only scale the rows of phi: see norm_weight.hpp. The
// kernels are in kernels/projection.inl; a block calls them (block.hpp).
//
// Source: arXiv:2512.24880, eqs. (7) and (10)-(13).

namespace reference {

/// The streams (n, C) of a token as one row (1, n C).
template <class Scalar>
Row<Scalar> flatten(const Matrix<Scalar>& x) {
  return Eigen::Map<const Row<Scalar>>(x.data(), x.size());
}

/// r of the values x (1, K).
template <class Scalar>
Scalar inverse_rms(const Row<Scalar>& x, double norm_eps, NormEps where = NormEps::in_root) {
  using std::real;
  using std::sqrt;
  const Scalar mean_square = x.array().square().sum() / static_cast<double>(x.size());
  if (where == NormEps::in_root) return Scalar(1.0) / sqrt(mean_square + norm_eps);
  const Scalar rms = sqrt(mean_square);
  if (where == NormEps::on_root) return Scalar(1.0) / (rms + norm_eps);
  return Scalar(1.0) / (real(rms) > norm_eps ? rms : Scalar(norm_eps));
}

/// m = r x phi.
template <class Scalar>
Row<Scalar> projection(const Row<Scalar>& x, const Matrix<Scalar>& phi, double norm_eps,
                       NormEps where = NormEps::in_root) {
  return inverse_rms(x, norm_eps, where) * (x * phi);
}

}  // namespace reference
MHC_NAMESPACE_END
