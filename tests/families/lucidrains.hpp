// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "transcript.hpp"

// The layout of lucidrains/hyper-connections: every stream is normalised separately, with a weight
// stored minus 1, and static_alpha (n, 1 + n) holds [pre | res] with the source as the row. The
// collapse is the sum.
namespace families {

/// Each row of x / max(|row|, 1e-12) * sqrt(C) * (gamma + 1)
template <class T>
Tensor<T> lucidrains_norm(const Tensor<T>& x, const Tensor<T>& gamma) {
  const double scale = std::sqrt(static_cast<double>(x.cols()));
  Tensor<T> normed(x.rows(), x.cols());
  for (int s = 0; s < x.rows(); ++s) {
    T square{};
    for (int d = 0; d < x.cols(); ++d) square += x(s, d) * x(s, d);
    const T length = max_by_real_part(std::sqrt(square), T(1e-12));
    for (int d = 0; d < x.cols(); ++d) normed(s, d) = x(s, d) / length * scale * (gamma(d) + 1.0);
  }
  return normed;
}

/// exp(logit - the column's max), then `iterations` times a division by max(sum, 1e-12) over dim -2
/// (sources) and dim -1 (targets).
template <class T>
Tensor<T> lucidrains_sinkhorn(const Tensor<T>& logits, int iterations) {
  const int n = logits.rows();
  Tensor<T> alpha(n, n);
  for (int t = 0; t < n; ++t) {
    const double max = column_max(logits, t);
    for (int s = 0; s < n; ++s) alpha(s, t) = std::exp(logits(s, t) - max);
  }
  const T least(1e-12);
  for (int iteration = 0; iteration < iterations; ++iteration) {
    for (int t = 0; t < n; ++t) {
      divide_column(alpha, t, max_by_real_part(column_sum(alpha, t), least));
    }
    for (int s = 0; s < n; ++s) divide_row(alpha, s, max_by_real_part(row_sum(alpha, s), least));
  }
  return alpha;
}

/// HyperConnections: the activation is tanh, before the scale and the static part.
template <class T>
struct LucidrainsHcSite {
  LucidrainsHcSite(int n, int channels)
      : norm_gamma(channels),
        static_alpha(n, 1 + n),
        dynamic_alpha_fn(channels, 1 + n),
        static_beta(n),
        dynamic_beta_fn(channels),
        n_(n) {}

  Tensor<T> norm_gamma;        // (C), the weight less 1
  Tensor<T> static_alpha;      // (n, 1 + n)
  Tensor<T> dynamic_alpha_fn;  // (C, 1 + n)
  Tensor<T> dynamic_alpha_scale{1};
  Tensor<T> static_beta;      // (n)
  Tensor<T> dynamic_beta_fn;  // (C)
  Tensor<T> dynamic_beta_scale{1};

  int streams() const { return n_; }

  std::vector<Parameter<T>> tensors() {
    const double spread = 1.5 / std::sqrt(dynamic_alpha_fn.rows());
    return {{"norm.gamma", &norm_gamma, 0.0, 0.3},
            {"static_alpha", &static_alpha, 0.2, 0.8},
            {"dynamic_alpha_fn", &dynamic_alpha_fn, 0.0, spread},
            {"dynamic_alpha_scale", &dynamic_alpha_scale, 0.7, 0.1},
            {"static_beta", &static_beta, 1.0, 0.5},
            {"dynamic_beta_fn", &dynamic_beta_fn, 0.0, spread},
            {"dynamic_beta_scale", &dynamic_beta_scale, 0.7, 0.1}};
  }

  Mappings<T> mappings(const Tensor<T>& x) const {
    const Tensor<T> normed = lucidrains_norm(x, norm_gamma);
    Mappings<T> at{Tensor<T>(n_), Tensor<T>(n_), Tensor<T>(n_, n_)};
    for (int s = 0; s < n_; ++s) {
      T beta{};
      for (int d = 0; d < x.cols(); ++d) beta += normed(s, d) * dynamic_beta_fn(d);
      at.post(s) = std::tanh(beta) * dynamic_beta_scale(0) + static_beta(s);
      for (int t = 0; t < 1 + n_; ++t) {
        T alpha{};
        for (int d = 0; d < x.cols(); ++d) alpha += normed(s, d) * dynamic_alpha_fn(d, t);
        alpha = std::tanh(alpha) * dynamic_alpha_scale(0) + static_alpha(s, t);
        (t == 0 ? at.pre(s) : at.comb(s, t - 1)) = alpha;
      }
    }
    return at;
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

/// ManifoldConstrainedHyperConnections (mHC, mHCv2): pre = sigmoid, res = Sinkhorn and
/// post = 2 sigmoid of scale * dynamic + static.
template <class T>
struct LucidrainsMhcSite {
  LucidrainsMhcSite(int n, int channels)
      : norm_gamma(channels),
        static_alpha(n, 1 + n),
        dynamic_alpha_fn(channels, 1 + n),
        static_beta(n),
        dynamic_beta_fn(channels),
        n_(n) {}

  Tensor<T> norm_gamma;        // (C), the weight less 1
  Tensor<T> static_alpha;      // (n, 1 + n)
  Tensor<T> dynamic_alpha_fn;  // (1, C, 1 + n), the first size being that of the proposals
  Tensor<T> pre_branch_scale{1};
  Tensor<T> residual_scale{1};
  Tensor<T> static_beta;      // (n), in mHCv2 (n, 1, 1)
  Tensor<T> dynamic_beta_fn;  // (C), in mHCv2 (C, 1)
  Tensor<T> h_post_scale{1};
  int sinkhorn_iters = 20;

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

  Mappings<T> mappings(const Tensor<T>& x) const {
    const Tensor<T> normed = lucidrains_norm(x, norm_gamma);
    Mappings<T> at{Tensor<T>(n_), Tensor<T>(n_), {}};
    Tensor<T> res(n_, n_);
    for (int s = 0; s < n_; ++s) {
      const auto dynamic = [&](int t) {
        T sum{};
        for (int d = 0; d < x.cols(); ++d) sum += normed(s, d) * dynamic_alpha_fn(d, t);
        return sum;
      };
      T beta{};
      for (int d = 0; d < x.cols(); ++d) beta += normed(s, d) * dynamic_beta_fn(d);
      at.pre(s) = sigmoid(dynamic(0) * pre_branch_scale(0) + static_alpha(s, 0));
      at.post(s) = 2.0 * sigmoid(beta * h_post_scale(0) + static_beta(s));
      for (int t = 0; t < n_; ++t) {
        res(s, t) = dynamic(1 + t) * residual_scale(0) + static_alpha(s, 1 + t);
      }
    }
    at.comb = lucidrains_sinkhorn(res, sinkhorn_iters);
    return at;
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

}  // namespace families
