// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <vector>

#include "transcript.hpp"

// mHC-lite (arXiv 2601.05732) and the mHC of its repository. All nC numbers are normalised at once,
// x / max(|x|, 1e-12) * sqrt(nC) * (gamma + 1); the source is the row; the collapse is the sum.
namespace families {

template <class T>
Tensor<T> mhc_lite_norm(const Tensor<T>& x, const Tensor<T>& gamma) {
  const double scale = std::sqrt(static_cast<double>(x.size()));
  const T length = max_by_real_part(std::sqrt(sum_of_squares(x)), T(1e-12));
  Tensor<T> normed(x.size());
  for (int k = 0; k < x.size(); ++k) normed(k) = x(k) / length * scale * (gamma(k) + 1.0);
  return normed;
}

inline int factorial(int n) {
  return n < 2 ? 1 : n * factorial(n - 1);
}

/// sum_r softmax(logits)_r P_r with P_r[i, perm_r[i]] = 1, permutations in lexicographic order.
template <class T>
Tensor<T> permutation_mixture(const Tensor<T>& logits, int n) {
  Tensor<T> a(logits.size());
  const double max = row_max(logits, 0);
  for (int r = 0; r < a.size(); ++r) a(r) = std::exp(logits(r) - max);
  divide_row(a, 0, row_sum(a, 0));
  std::vector<int> permutation;
  for (int i = 0; i < n; ++i) permutation.push_back(i);
  Tensor<T> res(n, n);
  for (int r = 0; r < a.size(); ++r) {
    for (int i = 0; i < n; ++i) res(i, permutation[static_cast<std::size_t>(i)]) += a(r);
    std::next_permutation(permutation.begin(), permutation.end());
  }
  return res;
}

/// The common part of mHC-lite, KromHC and their mHC: everything except the use of the `res_logits`
/// logits.
template <class T>
struct MhcLiteTensors {
  MhcLiteTensors(int n, int channels, int res_logits)
      : norm_gamma(n * channels),
        static_alpha(n + res_logits),
        dynamic_alpha_fn(n * channels, n + res_logits),
        static_beta(n),
        dynamic_beta_fn(n * channels, n),
        n_(n) {}

  Tensor<T> norm_gamma;        // (nC), the weight less 1
  Tensor<T> static_alpha;      // (n + res_logits): [pre | res]
  Tensor<T> dynamic_alpha_fn;  // (nC, n + res_logits)
  Tensor<T> pre_branch_scale{1};
  Tensor<T> residual_scale{1};
  Tensor<T> static_beta;      // (n)
  Tensor<T> dynamic_beta_fn;  // (nC, n)
  Tensor<T> h_post_scale{1};

  int streams() const { return n_; }

  std::vector<Parameter<T>> tensors() {
    const double spread = 1.0 / std::sqrt(dynamic_alpha_fn.rows());
    return {{"norm.gamma", &norm_gamma, 0.0, 0.3},
            {"static_alpha", &static_alpha, 0.0, 0.8},
            {"dynamic_alpha_fn", &dynamic_alpha_fn, 0.0, spread},
            {"pre_branch_scale", &pre_branch_scale, 1.2, 0.2},
            {"residual_scale", &residual_scale, 1.2, 0.2},
            {"static_beta", &static_beta, 0.0, 0.8},
            {"dynamic_beta_fn", &dynamic_beta_fn, 0.0, spread},
            {"h_post_scale", &h_post_scale, 1.2, 0.2}};
  }

  Tensor<T> pre(const Tensor<T>& normed) const {
    Tensor<T> result(n_);
    for (int i = 0; i < n_; ++i) {
      const T dynamic = column_dot(normed, dynamic_alpha_fn, i);
      result(i) = sigmoid(pre_branch_scale(0) * dynamic + static_alpha(i));
    }
    return result;
  }

  Tensor<T> post(const Tensor<T>& normed) const {
    Tensor<T> result(n_);
    for (int i = 0; i < n_; ++i) {
      const T dynamic = column_dot(normed, dynamic_beta_fn, i);
      result(i) = 2.0 * sigmoid(dynamic * h_post_scale(0) + static_beta(i));
    }
    return result;
  }

  Tensor<T> res_logits(const Tensor<T>& normed) const {
    Tensor<T> result(static_alpha.size() - n_);
    for (int r = 0; r < result.size(); ++r) {
      const T dynamic = column_dot(normed, dynamic_alpha_fn, n_ + r);
      result(r) = residual_scale(0) * dynamic + static_alpha(n_ + r);
    }
    return result;
  }

  Tensor<T> layer_input(const Mappings<T>& at, const Tensor<T>& x) const {
    return weighted_sum(at.pre, x);
  }

  Tensor<T> merge(const Mappings<T>& at, const Tensor<T>& x, const Tensor<T>& y,
                  bool transposed = false) const {
    return merge_src_dst(at, x, y, transposed);
  }

  static Tensor<T> collapse(const Tensor<T>& x) { return sum_of_streams(x); }

 private:
  int n_;
};

template <class T>
struct MhcLiteSite : MhcLiteTensors<T> {
  MhcLiteSite(int n, int channels) : MhcLiteTensors<T>(n, channels, factorial(n)) {}

  Mappings<T> mappings(const Tensor<T>& x) const {
    const Tensor<T> normed = mhc_lite_norm(x, this->norm_gamma);
    return {this->pre(normed), this->post(normed),
            permutation_mixture(this->res_logits(normed), this->streams())};
  }
};

/// That repository's mHC: static_alpha (n, 1 + n), and dynamic_alpha_fn (nC, n(1 + n)) packed
/// stream by stream, [pre_0 res_0* | pre_1 res_1* | ...]. Sinkhorn has no eps: 20 times dim -2, dim
/// -1.
template <class T>
struct MhcLiteSinkhornSite : MhcLiteTensors<T> {
  MhcLiteSinkhornSite(int n, int channels) : MhcLiteTensors<T>(n, channels, n * n) {}

  int sinkhorn_iters = 20;

  Mappings<T> mappings(const Tensor<T>& x) const {
    const int n = this->streams();
    const Tensor<T> normed = mhc_lite_norm(x, this->norm_gamma);
    Mappings<T> at{Tensor<T>(n), this->post(normed), Tensor<T>(n, n)};
    for (int s = 0; s < n; ++s) {
      const auto dynamic = [&](int t) {
        return column_dot(normed, this->dynamic_alpha_fn, s * (1 + n) + t);
      };
      const auto still = [&](int t) { return this->static_alpha(s * (1 + n) + t); };
      at.pre(s) = sigmoid(dynamic(0) * this->pre_branch_scale(0) + still(0));
      for (int t = 1; t < 1 + n; ++t) {
        at.comb(s, t - 1) = std::exp(dynamic(t) * this->residual_scale(0) + still(t));
      }
    }
    for (int iteration = 0; iteration < sinkhorn_iters; ++iteration) {
      for (int t = 0; t < n; ++t) divide_column(at.comb, t, column_sum(at.comb, t));
      for (int s = 0; s < n; ++s) divide_row(at.comb, s, row_sum(at.comb, s));
    }
    return at;
  }
};

}  // namespace families
