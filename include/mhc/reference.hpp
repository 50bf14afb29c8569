// SPDX-License-Identifier: MIT
#pragma once

#include <complex>
#include <Eigen/Core>

#include <mhc/element.hpp>

MHC_NAMESPACE_BEGIN

/// The references: every operation once more, for one token, as its formula reads, templated on the
/// scalar (float, double, std::complex<double>). Slow and allocating; the kernels are tested
/// against them, and their complex step, Im f(x + ih) / h, is exact to rounding. They stand beside
/// the fast operation, in the header that is named after it.
namespace reference {

/// (rows, cols), row-major. DontAlign: memory from malloc whatever the flags, so that a matrix may
/// cross translation units that were compiled for different instruction sets.
template <class Scalar>
using Matrix =
    Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor | Eigen::DontAlign>;
/// (1, cols).
template <class Scalar>
using Row = Eigen::Matrix<Scalar, 1, Eigen::Dynamic, Eigen::RowMajor | Eigen::DontAlign>;

/// H_pre (1, n), H_post (1, n), H_res (n, n) of one token; H_res[out, in].
template <class Scalar>
struct Mappings {
  Row<Scalar> pre;
  Row<Scalar> post;
  Matrix<Scalar> res;
};

/// phi (K, R), alpha (1, 3), b (1, 2n + L), as in ParametersView.
template <class Scalar>
struct Parameters {
  Matrix<Scalar> phi;
  Row<Scalar> alpha;
  Row<Scalar> b;
};

}  // namespace reference
MHC_NAMESPACE_END
