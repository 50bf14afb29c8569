// SPDX-License-Identifier: MIT
// The core that both attentions share: one head of one sequence mixes values.
//
//   S = scale q k^T                              (queries, keys)
//   P = softmax(S), row t over the keys 0 .. past + t,   past = keys - queries
//   m = P v                                      (queries, d_v)
//
// q (queries, d), k (keys, d), v (keys, d_v). The queries are the last tokens of the keys: all of
// them in training (past = 0), the new ones in generation.
#pragma once

#include <algorithm>
#include <cmath>

#include "linear.hpp"

namespace language_model {

// Queries are processed 64 at a time: a piece needs no key after its last query, which saves most
// of the masked half of S.
constexpr Index query_rows = 64;

// Keeps P in p (queries, keys), except to the right of a piece's last visible key.
template <class Scalar>
void causal_mix(double scale, const ConstRows<Scalar>& q, const ConstRows<Scalar>& k,
                const ConstRows<Scalar>& v, Rows<Scalar> p, Rows<Scalar> m) {
  const Index past = k.rows() - q.rows();
  for (Index begin = 0; begin < q.rows(); begin += query_rows) {
    const Index size = std::min(query_rows, q.rows() - begin);
    const Index keys = past + begin + size;
    auto p_piece = p.block(begin, 0, size, keys);
    multiply_transposed<Scalar>(q.middleRows(begin, size), k.topRows(keys), p_piece);
    for (Index i = 0; i < size; ++i) {
      const Index visible_keys = past + begin + i + 1;
      auto visible = p_piece.row(i).head(visible_keys).array();
      const Scalar largest(visible.real().maxCoeff());
      visible = (Scalar(scale) * (visible - largest)).exp();
      visible *= Scalar(1) / visible.sum();
      p_piece.row(i).tail(keys - visible_keys).setZero();
    }
    multiply<Scalar>(p_piece, v.topRows(keys), m.middleRows(begin, size));
  }
}

//   dv = P^T dm,  dP = dm v^T,  dS = scale P * (dP - rowsum(dP * P)),  dq = dS k,  dk = dS^T q.
// For past = 0. All three are assigned; ds, at least (min(queries, query_rows), keys), is scratch
// for dP and dS of a piece.
template <class Scalar>
void causal_mix_backward(double scale, const ConstRows<Scalar>& dm, const ConstRows<Scalar>& q,
                         const ConstRows<Scalar>& k, const ConstRows<Scalar>& v,
                         const ConstRows<Scalar>& p, Rows<Scalar> ds, Rows<Scalar> dq,
                         Rows<Scalar> dk, Rows<Scalar> dv) {
  dk.setZero();
  dv.setZero();
  for (Index begin = 0; begin < q.rows(); begin += query_rows) {
    const Index size = std::min(query_rows, q.rows() - begin);
    const Index keys = begin + size;
    const auto p_piece = p.block(begin, 0, size, keys);
    const auto dm_piece = dm.middleRows(begin, size);
    auto ds_piece = ds.topLeftCorner(size, keys);
    add_transposed_multiply<Scalar>(p_piece, dm_piece, dv.topRows(keys));
    multiply_transposed<Scalar>(dm_piece, v.topRows(keys), ds_piece);
    for (Index i = 0; i < size; ++i) {
      const Scalar mean = (ds_piece.row(i).array() * p_piece.row(i).array()).sum();
      ds_piece.row(i).array() =
          Scalar(scale) * p_piece.row(i).array() * (ds_piece.row(i).array() - mean);
    }
    multiply<Scalar>(ds_piece, k.topRows(keys), dq.middleRows(begin, size));
    add_transposed_multiply<Scalar>(ds_piece, q.middleRows(begin, size), dk.topRows(keys));
  }
}

}  // namespace language_model
