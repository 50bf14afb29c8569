// SPDX-License-Identifier: MIT
// RMSNorm:  y = r x * w,  r = 1 / sqrt(mean(x^2) + eps).
//
//   x, y : (rows, channels);  w : (channels), learned;  r : (rows), kept for the backward.
//
// Source: Zhang and Sennrich, arXiv:1910.07467.
#pragma once

#include "linear.hpp"

namespace language_model {

constexpr double rms_norm_eps = 1e-6;

// Keeps r. The backward also needs x, which the caller has.
template <class Scalar>
void rms_norm_forward(const ConstRows<Scalar>& x, const VectorMap<Scalar>& weight, Rows<Scalar> y,
                      Eigen::Ref<Vector<Scalar>> inverse_rms) {
  using std::sqrt;
  for (Index t = 0; t < x.rows(); ++t) {
    const Scalar mean_square = x.row(t).array().square().mean();
    const Scalar r = Scalar(1) / sqrt(mean_square + Scalar(rms_norm_eps));
    y.row(t).array() = r * x.row(t).array() * weight.array();
    inverse_rms(t) = r;
  }
}

// With s = mean(dy * w * x):  dx = r (dy * w - r^2 s x).  dx may be dy.
template <class Scalar>
void rms_norm_backward(const ConstRows<Scalar>& dy, const ConstRows<Scalar>& x,
                       const VectorMap<Scalar>& weight,
                       const Eigen::Ref<const Vector<Scalar>>& inverse_rms, Rows<Scalar> dx) {
  for (Index t = 0; t < x.rows(); ++t) {
    const Scalar r = inverse_rms(t);
    const Scalar s = (dy.row(t).array() * weight.array() * x.row(t).array()).mean();
    dx.row(t).array() = r * (dy.row(t).array() * weight.array() - (r * r * s) * x.row(t).array());
  }
}

// dw += sum over the rows of dy * r x.
template <class Scalar>
void rms_norm_add_weight_gradient(const ConstRows<Scalar>& dy, const ConstRows<Scalar>& x,
                                  const Eigen::Ref<const Vector<Scalar>>& inverse_rms,
                                  VectorMap<Scalar>& dweight) {
  for (Index t = 0; t < x.rows(); ++t) {
    dweight.array() += inverse_rms(t) * dy.row(t).array() * x.row(t).array();
  }
}

}  // namespace language_model
