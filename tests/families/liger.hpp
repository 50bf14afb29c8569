// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "deepseek_v4.hpp"

// Liger-Kernel: phi (K, M) with K = HC * C and M = HC^2 + 2 HC, that is DeepSeek's transposed, b
// (M) and three scalar alphas. V4's Sinkhorn recipe on h_res[out, in], which is applied as stored,
// so that the other marginal is exact. pre_eps = 0. Expansion and collapse are left to the caller.
namespace families {

template <class T>
struct LigerSite {
  LigerSite(int n, int channels) : phi(n * channels, n * (n + 2)), b(n * (n + 2)), n_(n) {}

  Tensor<T> phi;  // (nC, n(n+2))
  Tensor<T> b;    // (n(n+2))
  Tensor<T> alpha_pre{1};
  Tensor<T> alpha_post{1};
  Tensor<T> alpha_res{1};
  double rms_eps = 1e-6;
  double pre_eps = 0.0;
  double sinkhorn_eps = 1e-6;
  double post_mult = 2.0;
  int tmax = 20;

  int streams() const { return n_; }

  std::vector<Parameter<T>> tensors() {
    return {{"phi", &phi, 0.0, 1.0 / std::sqrt(phi.rows())},
            {"b", &b, 0.0, 0.8},
            {"alpha_pre", &alpha_pre, 1.2, 0.2},
            {"alpha_post", &alpha_post, 1.2, 0.2},
            {"alpha_res", &alpha_res, 1.2, 0.2}};
  }

  Mappings<T> mappings(const Tensor<T>& x) const {
    const T inv_rms = 1.0 / std::sqrt(sum_of_squares(x) / static_cast<double>(x.size()) + rms_eps);
    const auto mix = [&](int m) { return column_dot(x, phi, m) * inv_rms; };
    Mappings<T> at{Tensor<T>(n_), Tensor<T>(n_), {}};
    Tensor<T> res(n_, n_);
    for (int i = 0; i < n_; ++i) {
      at.pre(i) = sigmoid(mix(i) * alpha_pre(0) + b(i)) + pre_eps;
      at.post(i) = post_mult * sigmoid(mix(n_ + i) * alpha_post(0) + b(n_ + i));
    }
    for (int e = 0; e < n_ * n_; ++e) res(e) = mix(2 * n_ + e) * alpha_res(0) + b(2 * n_ + e);
    at.comb = deepseek_v4_sinkhorn(res, sinkhorn_eps, tmax);
    return at;
  }

  Tensor<T> layer_input(const Mappings<T>& at, const Tensor<T>& x) const {
    return weighted_sum(at.pre, x);
  }

  Tensor<T> merge(const Mappings<T>& at, const Tensor<T>& x, const Tensor<T>& y,
                  bool transposed = false) const {
    return merge_out_in(at, x, y, transposed);
  }

 private:
  int n_;
};

}  // namespace families
