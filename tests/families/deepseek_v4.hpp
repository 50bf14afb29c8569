// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "transcript.hpp"

// DeepSeek-V4. A site stores fn (n(n+2), nC), scale (3) and base (n(n+2)), packed
// [pre n | post n | comb n*n by rows], and comb[src, dst]. The streams are copies of the embedding
// and end in hc_head. rms_norm_eps and hc_eps are both 1e-6.
namespace families {

/// softmax over dst, then + eps; columns; iterations - 1 times rows and columns. Every divisor is
/// sum + eps, except that of the softmax.
template <class T>
Tensor<T> deepseek_v4_sinkhorn(const Tensor<T>& logits, double eps, int iterations) {
  const int n = logits.rows();
  Tensor<T> comb(n, n);
  for (int src = 0; src < n; ++src) {
    const double max = row_max(logits, src);
    for (int dst = 0; dst < n; ++dst) comb(src, dst) = std::exp(logits(src, dst) - max);
    divide_row(comb, src, row_sum(comb, src));
    for (int dst = 0; dst < n; ++dst) comb(src, dst) += eps;
  }
  for (int dst = 0; dst < n; ++dst) divide_column(comb, dst, column_sum(comb, dst) + eps);
  for (int iteration = 1; iteration < iterations; ++iteration) {
    for (int src = 0; src < n; ++src) divide_row(comb, src, row_sum(comb, src) + eps);
    for (int dst = 0; dst < n; ++dst) divide_column(comb, dst, column_sum(comb, dst) + eps);
  }
  return comb;
}

/// pre = sigmoid + eps, post = 2 sigmoid, comb by the recipe above, from the n(n+2) logits.
template <class T>
Mappings<T> deepseek_v4_mappings(const Tensor<T>& logits, int n, double hc_eps, int iterations) {
  Mappings<T> at{Tensor<T>(n), Tensor<T>(n),
                 deepseek_v4_sinkhorn(square_at(logits, 2 * n, n), hc_eps, iterations)};
  for (int i = 0; i < n; ++i) {
    at.pre(i) = sigmoid(logits(i)) + hc_eps;
    at.post(i) = 2.0 * sigmoid(logits(n + i));
  }
  return at;
}

template <class T>
struct DeepSeekV4Site {
  DeepSeekV4Site(int n, int channels)
      : fn(n * (n + 2), n * channels), scale(3), base(n * (n + 2)), n_(n) {}

  Tensor<T> fn;     // (n(n+2), nC)
  Tensor<T> scale;  // (3): pre, post, comb
  Tensor<T> base;   // (n(n+2))
  double norm_eps = 1e-6;
  double hc_eps = 1e-6;
  int sinkhorn_iters = 20;

  int streams() const { return n_; }

  std::vector<Parameter<T>> tensors() {
    return {{"fn", &fn, 0.0, 1.0 / std::sqrt(fn.cols())},
            {"scale", &scale, 1.2, 0.2},
            {"base", &base, 0.0, 0.8}};
  }

  /// The norm comes after the projection: (fn x) / sqrt(mean(x^2) + norm_eps).
  Tensor<T> logits(const Tensor<T>& x) const {
    const T r = 1.0 / std::sqrt(sum_of_squares(x) / static_cast<double>(x.size()) + norm_eps);
    Tensor<T> result(base.size());
    for (int q = 0; q < base.size(); ++q) {
      const int group = q < n_ ? 0 : q < 2 * n_ ? 1 : 2;
      result(q) = row_dot(fn, q, x) * r * scale(group) + base(q);
    }
    return result;
  }

  Mappings<T> mappings(const Tensor<T>& x) const {
    return deepseek_v4_mappings(logits(x), n_, hc_eps, sinkhorn_iters);
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

/// hc_head: out = sum_i (sigmoid(.) + hc_eps) x[i]; the weights need not sum to 1.
template <class T>
struct DeepSeekV4Head {
  DeepSeekV4Head(int n, int channels) : hc_head_fn(n, n * channels), hc_head_base(n) {}

  Tensor<T> hc_head_fn;  // (n, nC)
  Tensor<T> hc_head_scale{1};
  Tensor<T> hc_head_base;  // (n)
  double norm_eps = 1e-6;
  double hc_eps = 1e-6;

  std::vector<Parameter<T>> tensors() {
    return {{"hc_head_fn", &hc_head_fn, 0.0, 1.0 / std::sqrt(hc_head_fn.cols())},
            {"hc_head_scale", &hc_head_scale, 1.2, 0.2},
            {"hc_head_base", &hc_head_base, 0.0, 0.8}};
  }

  Tensor<T> collapse(const Tensor<T>& x) const {
    const T r = 1.0 / std::sqrt(sum_of_squares(x) / static_cast<double>(x.size()) + norm_eps);
    Tensor<T> weights(x.rows());
    for (int i = 0; i < x.rows(); ++i) {
      const T mix = row_dot(hc_head_fn, i, x) * r;
      weights(i) = sigmoid(mix * hc_head_scale(0) + hc_head_base(i)) + hc_eps;
    }
    return weighted_sum(weights, x);
  }
};

}  // namespace families
