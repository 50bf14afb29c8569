// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "deepseek_v4.hpp"
#include "krom_hc.hpp"
#include "mhc_lite.hpp"

// Mappings that do not depend on the token: the families with their scales set to 0. comb[src,
// dst].
namespace families {

enum class StaticResidual {
  sinkhorn,     // DeepSeek-V4, b_res (n, n)
  permutation,  // mHC-lite, b_res (n!)
  kronecker,    // KromHC, b_res (2K)
  identity,     // Hy4, b_res (0)
  affine,       // hyper-connections, b_res (n, n), and no activation on pre and post
};

template <class T>
struct StaticSite {
  StaticSite(int n, StaticResidual kind)
      : b_pre(n), b_post(n), b_res(res_logits(n, kind)), kind_(kind), n_(n) {}

  Tensor<T> b_pre;
  Tensor<T> b_post;
  Tensor<T> b_res;
  double hc_eps = 1e-6;  // on pre: DeepSeek-V4 and Hy4; on post: Hy4
  int sinkhorn_iters = 20;

  int streams() const { return n_; }

  std::vector<Parameter<T>> tensors() {
    return {
        {"b_pre", &b_pre, 0.0, 1.5}, {"b_post", &b_post, 0.0, 1.5}, {"b_res", &b_res, 0.0, 1.5}};
  }

  Mappings<T> mappings() const {
    if (kind_ == StaticResidual::affine) return {b_pre, b_post, square_at(b_res, 0, n_)};
    const bool identity = kind_ == StaticResidual::identity;
    const double pre_eps = identity || kind_ == StaticResidual::sinkhorn ? hc_eps : 0.0;
    const double post_eps = identity ? hc_eps : 0.0;
    Mappings<T> at{Tensor<T>(n_), Tensor<T>(n_), residual()};
    for (int i = 0; i < n_; ++i) {
      at.pre(i) = sigmoid(b_pre(i)) + pre_eps;
      at.post(i) = 2.0 * sigmoid(b_post(i)) + post_eps;
    }
    return at;
  }

  Mappings<T> mappings(const Tensor<T>&) const { return mappings(); }

  Tensor<T> layer_input(const Mappings<T>& at, const Tensor<T>& x) const {
    return weighted_sum(at.pre, x);
  }

  Tensor<T> merge(const Mappings<T>& at, const Tensor<T>& x, const Tensor<T>& y,
                  bool transposed = false) const {
    return merge_src_dst(at, x, y, transposed);
  }

 private:
  static int res_logits(int n, StaticResidual kind) {
    switch (kind) {
      case StaticResidual::permutation:
        return factorial(n);
      case StaticResidual::kronecker:
        return 2 * kronecker_factors(n);
      case StaticResidual::identity:
        return 0;
      default:
        return n * n;
    }
  }

  Tensor<T> residual() const {
    if (kind_ == StaticResidual::permutation) return permutation_mixture(b_res, n_);
    if (kind_ == StaticResidual::kronecker) return kronecker_of_pairs(b_res);
    if (kind_ == StaticResidual::sinkhorn) {
      return deepseek_v4_sinkhorn(square_at(b_res, 0, n_), hc_eps, sinkhorn_iters);
    }
    Tensor<T> identity(n_, n_);
    for (int i = 0; i < n_; ++i) identity(i, i) = 1.0;
    return identity;
  }

  StaticResidual kind_;
  int n_;
};

}  // namespace families
