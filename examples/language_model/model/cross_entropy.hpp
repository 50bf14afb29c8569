// SPDX-License-Identifier: MIT
// Output head with cross-entropy:
//
//   z = h W^T                                     (tokens, vocabulary), W (vocabulary, channels)
//   p = softmax(z)
//   loss_t = -log p_t[target_t] = log(sum of exp(z_t)) - z_t[target_t]        (tokens), in nats
#pragma once

#include <cmath>
#include <cstdint>

#include "embedding.hpp"
#include "linear.hpp"

namespace language_model {

constexpr Index head_rows = 128;

// z = h W^T
template <class Scalar, class Executor>
void logits_forward(const MatrixMap<Scalar>& weight, const ConstRows<Scalar>& h, Rows<Scalar> z,
                    const Executor& exec) {
  exec(h.rows(), head_rows, [&](Index begin, Index end, int) {
    multiply_transposed<Scalar>(h.middleRows(begin, end - begin), weight,
                                z.middleRows(begin, end - begin));
  });
}

// Keeps p, the probabilities, which overwrite the logits.
template <class Scalar, class Executor>
void cross_entropy_forward(Rows<Scalar> z_then_p, const std::uint8_t* targets,
                           Eigen::Ref<Vector<Scalar>> loss, const Executor& exec) {
  using std::log;
  exec(z_then_p.rows(), head_rows, [&](Index begin, Index end, int) {
    for (Index t = begin; t < end; ++t) {
      auto row = z_then_p.row(t).array();
      const Scalar largest(row.real().maxCoeff());
      const Scalar target = row(targets[t]) - largest;
      row = (row - largest).exp();
      const Scalar sum = row.sum();
      row *= Scalar(1) / sum;
      loss(t) = log(sum) - target;
    }
  });
}

// dz_t = dloss_t (p_t - onehot(target_t)), which overwrites p;  dh = dz W;  dW += dz^T h.
template <class Scalar, class Executor>
void cross_entropy_backward(const Eigen::Ref<const Vector<Scalar>>& dloss,
                            const MatrixMap<Scalar>& weight, const ConstRows<Scalar>& h,
                            const std::uint8_t* targets, Rows<Scalar> p_then_dz, Rows<Scalar> dh,
                            MatrixMap<Scalar>& dweight, const Executor& exec) {
  exec(h.rows(), head_rows, [&](Index begin, Index end, int) {
    for (Index t = begin; t < end; ++t) {
      p_then_dz(t, targets[t]) -= Scalar(1);
      p_then_dz.row(t) *= dloss(t);
    }
    multiply<Scalar>(p_then_dz.middleRows(begin, end - begin), weight,
                     dh.middleRows(begin, end - begin));
  });
  add_weight_gradient<Scalar>(p_then_dz, h, dweight, exec);
}

}  // namespace language_model
