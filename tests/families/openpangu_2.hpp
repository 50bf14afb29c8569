// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "deepseek_v4.hpp"

// openPangu-2.0: attn_mhc_module and mlp_mhc_module store phi.weight (n(n+2), nC), norm_gamma (nC),
// branch_alpha (3) and branch_beta (n(n+2)). The RMS norm has hc_eps = 1e-6 inside the root, and
// gamma multiplies the normalised streams before phi. merge_mhc_module is the collapse. A flag
// (mhc_hpre_renorm, off in the release) divides pre by its sum.
namespace families {

/// phi.weight (norm(x) * gamma)
template <class T>
Tensor<T> openpangu_2_mixes(const Tensor<T>& phi_weight, const Tensor<T>& gamma, const Tensor<T>& x,
                            double eps) {
  const T r = 1.0 / std::sqrt(sum_of_squares(x) / static_cast<double>(x.size()) + eps);
  Tensor<T> normed(x.size());
  for (int k = 0; k < x.size(); ++k) normed(k) = x(k) * r * gamma(k);
  Tensor<T> mixes(phi_weight.rows());
  for (int q = 0; q < mixes.size(); ++q) mixes(q) = row_dot(phi_weight, q, normed);
  return mixes;
}

/// pre / max(sum of pre, 1e-30)
template <class T>
void openpangu_2_renormalize(Tensor<T>& pre) {
  divide_row(pre, 0, max_by_real_part(row_sum(pre, 0), T(1e-30)));
}

template <class T>
struct OpenPangu2Site {
  OpenPangu2Site(int n, int channels, bool mhc_hpre_renorm = false)
      : phi_weight(n * (n + 2), n * channels),
        norm_gamma(n * channels),
        branch_alpha(3),
        branch_beta(n * (n + 2)),
        hpre_renorm(mhc_hpre_renorm),
        n_(n) {}

  Tensor<T> phi_weight;    // (n(n+2), nC)
  Tensor<T> norm_gamma;    // (nC)
  Tensor<T> branch_alpha;  // (3): pre, post, res
  Tensor<T> branch_beta;   // (n(n+2))
  bool hpre_renorm;
  double hc_eps = 1e-6;
  int recur_norm = 20;

  int streams() const { return n_; }

  std::vector<Parameter<T>> tensors() {
    return {{"phi.weight", &phi_weight, 0.0, 1.0 / std::sqrt(phi_weight.cols())},
            {"norm_gamma", &norm_gamma, 1.0, 0.3},
            {"branch_alpha", &branch_alpha, 1.2, 0.2},
            {"branch_beta", &branch_beta, 0.0, 0.8}};
  }

  Mappings<T> mappings(const Tensor<T>& x) const {
    const Tensor<T> mixes = openpangu_2_mixes(phi_weight, norm_gamma, x, hc_eps);
    Mappings<T> at{Tensor<T>(n_), Tensor<T>(n_), {}};
    Tensor<T> comb(n_, n_);
    for (int i = 0; i < n_; ++i) {
      at.pre(i) = sigmoid(branch_alpha(0) * mixes(i) + branch_beta(i)) + hc_eps;
      at.post(i) = 2.0 * sigmoid(branch_alpha(1) * mixes(n_ + i) + branch_beta(n_ + i));
    }
    for (int e = 0; e < n_ * n_; ++e) {
      comb(e) = branch_alpha(2) * mixes(2 * n_ + e) + branch_beta(2 * n_ + e);
    }
    if (hpre_renorm) openpangu_2_renormalize(at.pre);
    at.comb = deepseek_v4_sinkhorn(comb, hc_eps, recur_norm);
    return at;
  }

  Tensor<T> layer_input(const Mappings<T>& at, const Tensor<T>& x) const {
    return weighted_sum(at.pre, x);
  }

  Tensor<T> merge(const Mappings<T>& at, const Tensor<T>& x, const Tensor<T>& y,
                  bool transposed = false) const {
    return merge_src_dst(at, x, y, transposed);
  }

 private:
  int n_;
};

template <class T>
struct OpenPangu2Merge {
  OpenPangu2Merge(int n, int channels, bool mhc_hpre_renorm = false)
      : phi_weight(n, n * channels),
        norm_gamma(n * channels),
        branch_beta_pre(n),
        hpre_renorm(mhc_hpre_renorm) {}

  Tensor<T> phi_weight;           // (n, nC)
  Tensor<T> norm_gamma;           // (nC)
  Tensor<T> branch_alpha_pre{1};  // branch_alpha in the training code
  Tensor<T> branch_beta_pre;      // (n), branch_beta in the training code
  bool hpre_renorm;
  double hc_eps = 1e-6;

  std::vector<Parameter<T>> tensors() {
    return {{"phi.weight", &phi_weight, 0.0, 1.0 / std::sqrt(phi_weight.cols())},
            {"norm_gamma", &norm_gamma, 1.0, 0.3},
            {"branch_alpha_pre", &branch_alpha_pre, 1.2, 0.2},
            {"branch_beta_pre", &branch_beta_pre, 0.0, 0.8}};
  }

  Tensor<T> collapse(const Tensor<T>& x) const {
    Tensor<T> pre = openpangu_2_mixes(phi_weight, norm_gamma, x, hc_eps);
    for (int i = 0; i < x.rows(); ++i) {
      pre(i) = sigmoid(branch_alpha_pre(0) * pre(i) + branch_beta_pre(i)) + hc_eps;
    }
    if (hpre_renorm) openpangu_2_renormalize(pre);
    return weighted_sum(pre, x);
  }
};

}  // namespace families
