// SPDX-License-Identifier: MIT
// Products of random mappings, without a model: H_res of every layer is drawn with given
// magnitudes, and the gains of the product are measured over depth, in double precision.
//
//   HC         H_res = I + Z
//   mHC        H_res = Sinkhorn-Knopp of Z
//   mHC-lite   H_res = sum_r softmax(Z)_r P_r
//
//   Z ~ N(mean, deviation^2), with one mean and deviation on the identity and one elsewhere
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>
#include <Eigen/Core>

#include <mhc/mhc.hpp>

#include "measurement.hpp"
#include "random.hpp"

namespace language_model::stability {

// Entries scaled by a number: further from, or closer to, the initial mappings.
inline Magnitudes scaled(const Magnitudes& m, double scale) {
  return {scale * m.identity_mean, scale * m.identity_deviation, scale * m.other_mean,
          scale * m.other_deviation};
}

// One random mapping, (4, 4).
inline Eigen::Matrix4d random_mapping(Residual residual, const Magnitudes& m, Random& random) {
  constexpr int n = 4;
  const auto draw = [&](bool is_identity) {
    return is_identity ? m.identity_mean + m.identity_deviation * random.normal()
                       : m.other_mean + m.other_deviation * random.normal();
  };
  if (residual == Residual::plain) return Eigen::Matrix4d::Identity();
  if (residual == Residual::mhc_lite) {
    mhc::reference::Row<double> logits(mhc::PermutationSoftmax::cols<n>);
    for (Index r = 0; r < logits.size(); ++r) logits(r) = draw(r == 0);
    return mhc::reference::residual(mhc::PermutationSoftmax::Options{}, logits, n);
  }
  mhc::Streams<double> z(1, n, n);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) z.token(0)(i, j) = draw(i == j);
  }
  if (residual == Residual::hc) return Eigen::Matrix4d::Identity() + Eigen::Matrix4d(z.token(0));
  mhc::sinkhorn_knopp<n>(z.view(), mhc::SinkhornKnoppOptions{}, z.view());
  return z.token(0);
}

// The q-quantile, 0 to 1, between the two values next to it.
inline double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double at = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

struct Quantiles {
  std::vector<double> low, median, high;  // 10 %, 50 %, 90 % at depths 1, 2, ...
};

struct Propagation {
  Quantiles forward, backward;
};

inline Propagation propagate(Residual residual, const Magnitudes& m, Index depth, Index samples,
                             std::uint64_t seed) {
  const auto layers = static_cast<std::size_t>(depth);
  std::vector<std::vector<double>> forward(layers), backward(layers);
  Random random(seed);
  for (Index s = 0; s < samples; ++s) {
    Eigen::Matrix4d product = Eigen::Matrix4d::Identity();
    for (std::size_t l = 0; l < layers; ++l) {
      product = (random_mapping(residual, m, random) * product).eval();
      forward[l].push_back(mhc::forward_gain(product));
      backward[l].push_back(mhc::backward_gain(product));
    }
  }
  const auto quantiles = [](const std::vector<std::vector<double>>& gains) {
    Quantiles result;
    for (const auto& at_depth : gains) {
      result.low.push_back(quantile(at_depth, 0.1));
      result.median.push_back(quantile(at_depth, 0.5));
      result.high.push_back(quantile(at_depth, 0.9));
    }
    return result;
  };
  return {quantiles(forward), quantiles(backward)};
}

// The least depth whose median gain is above a level; 0: none.
inline Index depth_above(const std::vector<double>& median, double level) {
  const auto first =
      std::find_if(median.begin(), median.end(), [&](double gain) { return gain > level; });
  return first == median.end() ? 0 : first - median.begin() + 1;
}

}  // namespace language_model::stability
