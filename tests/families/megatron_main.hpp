// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "transcript.hpp"

// Megatron-LM, branch main: mapping_proj.weight (n(n+2), nC), three alphas and bias (n(n+2)),
// packed [pre | post | res], H_res[out, in] applied as stored. The norm is 1 / (rms + 1e-6), pre
// has no eps, and Sinkhorn normalises rows before columns. The collapse is the mean.
namespace families {

/// exp(logit - the row's max), then `iterations` times a division of rows and columns by
/// max(sum, 1e-6).
template <class T>
Tensor<T> megatron_main_sinkhorn(const Tensor<T>& logits, int iterations) {
  const int n = logits.rows();
  Tensor<T> res(n, n);
  for (int out = 0; out < n; ++out) {
    const double max = row_max(logits, out);
    for (int in = 0; in < n; ++in) res(out, in) = std::exp(logits(out, in) - max);
  }
  const T least(1e-6);
  for (int iteration = 0; iteration < iterations; ++iteration) {
    for (int out = 0; out < n; ++out) {
      divide_row(res, out, max_by_real_part(row_sum(res, out), least));
    }
    for (int in = 0; in < n; ++in) {
      divide_column(res, in, max_by_real_part(column_sum(res, in), least));
    }
  }
  return res;
}

template <class T>
struct MegatronMainSite {
  MegatronMainSite(int n, int channels)
      : mapping_proj_weight(n * (n + 2), n * channels), bias(n * (n + 2)), n_(n) {}

  Tensor<T> mapping_proj_weight;  // (n(n+2), nC)
  Tensor<T> alpha_pre{1};
  Tensor<T> alpha_post{1};
  Tensor<T> alpha_res{1};
  Tensor<T> bias;  // (n(n+2))
  double eps = 1e-6;
  int sinkhorn_iterations = 20;

  int streams() const { return n_; }

  std::vector<Parameter<T>> tensors() {
    return {{"mapping_proj.weight", &mapping_proj_weight, 0.0,
             1.0 / std::sqrt(mapping_proj_weight.cols())},
            {"alpha_pre", &alpha_pre, 1.2, 0.2},
            {"alpha_post", &alpha_post, 1.2, 0.2},
            {"alpha_res", &alpha_res, 1.2, 0.2},
            {"bias", &bias, 0.0, 0.8}};
  }

  /// r = 1 / (|x| / sqrt(nC) + eps), after the projection.
  Tensor<T> logits(const Tensor<T>& x) const {
    const T rms = std::sqrt(sum_of_squares(x)) / std::sqrt(static_cast<double>(x.size()));
    const T r = 1.0 / (rms + eps);
    Tensor<T> h(bias.size());
    for (int q = 0; q < bias.size(); ++q) {
      const T alpha = q < n_ ? alpha_pre(0) : q < 2 * n_ ? alpha_post(0) : alpha_res(0);
      h(q) = r * row_dot(mapping_proj_weight, q, x) * alpha + bias(q);
    }
    return h;
  }

  Mappings<T> mappings(const Tensor<T>& x) const {
    const Tensor<T> h = logits(x);
    Mappings<T> at{Tensor<T>(n_), Tensor<T>(n_),
                   megatron_main_sinkhorn(square_at(h, 2 * n_, n_), sinkhorn_iterations)};
    for (int i = 0; i < n_; ++i) {
      at.pre(i) = sigmoid(h(i));
      at.post(i) = 2.0 * sigmoid(h(n_ + i));
    }
    return at;
  }

  Tensor<T> layer_input(const Mappings<T>& at, const Tensor<T>& x) const {
    return weighted_sum(at.pre, x);
  }

  Tensor<T> merge(const Mappings<T>& at, const Tensor<T>& x, const Tensor<T>& y,
                  bool transposed = false) const {
    return merge_out_in(at, x, y, transposed);
  }

  static Tensor<T> collapse(const Tensor<T>& x) { return mean_of_streams(x); }

 private:
  int n_;
};

}  // namespace families
