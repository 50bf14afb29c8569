// SPDX-License-Identifier: MIT
#pragma once

#include <complex>
#include <Eigen/Core>

#include <mhc/element.hpp>

MHC_NAMESPACE_BEGIN

/// Reference implementations: every operation for one token, written like its formula and templated
/// on the scalar (float, double, std::complex<double>). They are slow and allocate. The kernels are
/// tested against them, and against their complex step, Im f(x + ih) / h, which gives gradients
/// exact to rounding. Each is in the header of the fast operation.
namespace reference {

/// A row-major matrix (rows, cols). DontAlign makes it independent of the flags, so that it may
/// cross translation units compiled for different instruction sets.
template <class Scalar>
using Matrix =
    Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor | Eigen::DontAlign>;
/// A row (1, cols).
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
