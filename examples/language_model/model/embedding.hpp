// SPDX-License-Identifier: MIT
// Embedding of bytes:  h_t = E[byte_t],  E (256, channels).
#pragma once

#include <cstdint>

#include "linear.hpp"

namespace language_model {

constexpr Index vocabulary = 256;

// Keeps nothing.
template <class Scalar, class Executor>
void embedding_forward(const MatrixMap<Scalar>& table, const std::uint8_t* bytes, Rows<Scalar> h,
                       const Executor& exec) {
  exec(h.rows(), 64, [&](Index begin, Index end, int) {
    for (Index t = begin; t < end; ++t) {
      h.row(t) = table.row(bytes[t]);
    }
  });
}

// dE[byte_t] += dh_t. Tasks own channels, so a row's sum runs over the tokens in a fixed order.
template <class Scalar, class Executor>
void embedding_backward(const ConstRows<Scalar>& dh, const std::uint8_t* bytes,
                        MatrixMap<Scalar>& dtable, const Executor& exec) {
  exec(dh.cols(), 32, [&](Index begin, Index end, int) {
    for (Index t = 0; t < dh.rows(); ++t) {
      dtable.row(bytes[t]).segment(begin, end - begin) += dh.row(t).segment(begin, end - begin);
    }
  });
}

}  // namespace language_model
