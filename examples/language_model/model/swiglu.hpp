// SPDX-License-Identifier: MIT
// The inside of an expert:  h = silu(z_gate) * z_up,  silu(z) = z sigmoid(z).
//
//   z = [z_gate, z_up] (rows, 2H),  h (rows, H)
//
// Source: Shazeer, arXiv:2002.05202.
#pragma once

#include "linear.hpp"

namespace language_model {

template <class Scalar>
void swiglu_forward(const ConstRows<Scalar>& z, Rows<Scalar> h) {
  const auto gate = z.leftCols(h.cols()).array();
  const auto up = z.rightCols(h.cols()).array();
  h.array() = gate / (Scalar(1) + (-gate).exp()) * up;
}

// dz is assigned. With y = sigmoid(z):  silu'(z) = y (1 + z (1 - y)).
template <class Scalar>
void swiglu_backward(const ConstRows<Scalar>& dh, const ConstRows<Scalar>& z, Rows<Scalar> dz) {
  for (Index i = 0; i < z.rows(); ++i) {
    const auto gate = z.row(i).head(dh.cols()).array();
    const auto up = z.row(i).tail(dh.cols()).array();
    auto dgate = dz.row(i).head(dh.cols()).array();
    auto dup = dz.row(i).tail(dh.cols()).array();
    const auto dhidden = dh.row(i).array();
    dup = (Scalar(1) + (-gate).exp()).inverse();  // y, until dup itself is known
    dgate = dhidden * up * dup * (Scalar(1) + gate * (Scalar(1) - dup));
    dup *= dhidden * gate;
  }
}

}  // namespace language_model
