// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "deepseek_v4.hpp"

// GLM-5.3-Flash: V4's tensors and recipe. The streams are normalised before the projection with
// rms_norm_eps = 1e-5, while hc_eps = 1e-6. The collapse is the unweighted mean of the streams.
namespace families {

template <class T>
struct Glm53Site {
  Glm53Site(int n, int channels)
      : fn(n * (n + 2), n * channels), scale(3), base(n * (n + 2)), n_(n) {}

  Tensor<T> fn;     // (n(n+2), nC)
  Tensor<T> scale;  // (3): pre, post, comb
  Tensor<T> base;   // (n(n+2))
  double rms_norm_eps = 1e-5;
  double hc_eps = 1e-6;
  int hc_sinkhorn_iters = 20;

  int streams() const { return n_; }

  std::vector<Parameter<T>> tensors() {
    return {{"fn", &fn, 0.0, 1.0 / std::sqrt(fn.cols())},
            {"scale", &scale, 1.2, 0.2},
            {"base", &base, 0.0, 0.8}};
  }

  Mappings<T> mappings(const Tensor<T>& x) const {
    const T rms = std::sqrt(sum_of_squares(x) / static_cast<double>(x.size()) + rms_norm_eps);
    Tensor<T> flat(x.size());
    for (int k = 0; k < x.size(); ++k) flat(k) = x(k) / rms;
    Tensor<T> logits(base.size());
    for (int i = 0; i < n_; ++i) {
      logits(i) = row_dot(fn, i, flat) * scale(0) + base(i);
      logits(n_ + i) = row_dot(fn, n_ + i, flat) * scale(1) + base(n_ + i);
    }
    for (int q = 2 * n_; q < base.size(); ++q) {
      logits(q) = row_dot(fn, q, flat) * scale(2) + base(q);
    }
    return deepseek_v4_mappings(logits, n_, hc_eps, hc_sinkhorn_iters);
  }

  Tensor<T> layer_input(const Mappings<T>& at, const Tensor<T>& x) const {
    return weighted_sum(at.pre, x);
  }

  Tensor<T> merge(const Mappings<T>& at, const Tensor<T>& x, const Tensor<T>& y,
                  bool transposed = false) const {
    return merge_src_dst(at, x, y, transposed);
  }

  static Tensor<T> collapse(const Tensor<T>& x) { return mean_of_streams(x); }

 private:
  int n_;
};

}  // namespace families
