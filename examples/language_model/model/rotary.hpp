// SPDX-License-Identifier: MIT
// Rotary position embedding. Channels i and i + d/2 of a head form a plane; at position t it is
// rotated by the angle t * base^(-2i/d), so that q . k depends only on the distance of the
// positions.
//
//   [a']   [cos  -sin] [a]
//   [b'] = [sin   cos] [b]      a = x[i], b = x[i + d/2],  i = 0 .. d/2 - 1,  d even
//
// Source: Su et al., arXiv:2104.09864.
#pragma once

#include <cmath>

#include "linear.hpp"

namespace language_model {

template <class Scalar>
class Rotary {
 public:
  Rotary(Index positions, Index head_channels, double base = 10000)
      : cos_(positions, head_channels / 2), sin_(positions, head_channels / 2) {
    for (Index t = 0; t < positions; ++t) {
      for (Index i = 0; i < head_channels / 2; ++i) {
        const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(head_channels);
        const double angle = static_cast<double>(t) * std::pow(base, exponent);
        cos_(t, i) = static_cast<Scalar>(std::cos(angle));
        sin_(t, i) = static_cast<Scalar>(std::sin(angle));
      }
    }
  }

  // x : (tokens, head_channels), rotated in place; row t has position first + t.
  void forward(Rows<Scalar> x, Index first = 0) const { rotate(x, first, Scalar(1)); }

  // The inverse rotation: dx = R^T dx'. Row t has position t.
  void backward(Rows<Scalar> dx) const { rotate(dx, 0, Scalar(-1)); }

 private:
  void rotate(Rows<Scalar>& x, Index first, Scalar direction) const {
    const Index half = cos_.cols();
    for (Index t = 0; t < x.rows(); ++t) {
      Scalar* const a = &x(t, 0);
      Scalar* const b = a + half;
      for (Index i = 0; i < half; ++i) {
        const Scalar c = cos_(first + t, i);
        const Scalar s = direction * sin_(first + t, i);
        const Scalar a_rotated = c * a[i] - s * b[i];
        b[i] = s * a[i] + c * b[i];
        a[i] = a_rotated;
      }
    }
  }

  Matrix<Scalar> cos_, sin_;  // (positions, head_channels / 2)
};

}  // namespace language_model
