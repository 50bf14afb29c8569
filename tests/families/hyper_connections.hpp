// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "transcript.hpp"

// The original hyper-connections, in their two published forms. The collapse is the sum.
namespace families {

/// The norm of each stream before its projections.
enum class StreamNorm { layer_norm, rms_norm };

/// The original paper (arXiv 2409.19606). static_alpha = [A_m | A_r] and dynamic_alpha_fn =
/// [W_m | W_r]; A_r[src, dst]:
///   A = static_alpha + scale tanh(norm(x) dynamic_alpha_fn),  u = A_m^T x
///   B = static_beta + scale tanh(norm(x) dynamic_beta_fn),    x' = A_r^T x + B^T y
template <class T>
struct HyperConnectionsSite {
  HyperConnectionsSite(int n, int channels, StreamNorm norm)
      : static_alpha(n, 1 + n),
        dynamic_alpha_fn(channels, 1 + n),
        static_beta(n),
        dynamic_beta_fn(channels),
        norm_weight(channels),
        norm_bias(norm == StreamNorm::layer_norm ? channels : 0),
        norm_(norm),
        n_(n) {}

  Tensor<T> static_alpha;      // (n, 1 + n)
  Tensor<T> dynamic_alpha_fn;  // (C, 1 + n)
  Tensor<T> dynamic_alpha_scale{1};
  Tensor<T> static_beta;      // (n)
  Tensor<T> dynamic_beta_fn;  // (C)
  Tensor<T> dynamic_beta_scale{1};
  Tensor<T> norm_weight;  // (C)
  Tensor<T> norm_bias;    // (C), only for the layer norm
  double norm_eps = 1e-5;

  int streams() const { return n_; }

  std::vector<Parameter<T>> tensors() {
    const double spread = 1.5 / std::sqrt(dynamic_alpha_fn.rows());
    return {{"static_alpha", &static_alpha, 0.2, 0.8},
            {"dynamic_alpha_fn", &dynamic_alpha_fn, 0.0, spread},
            {"dynamic_alpha_scale", &dynamic_alpha_scale, 0.7, 0.1},
            {"static_beta", &static_beta, 1.0, 0.5},
            {"dynamic_beta_fn", &dynamic_beta_fn, 0.0, spread},
            {"dynamic_beta_scale", &dynamic_beta_scale, 0.7, 0.1},
            {"layer_norm.weight", &norm_weight, 1.0, 0.3},
            {"layer_norm.bias", &norm_bias, 0.0, 0.3}};
  }

  /// Each stream separately:  (x - mean) / sqrt(var + eps) * weight + bias, or
  /// x / sqrt(mean(x^2) + eps) * weight.
  Tensor<T> normalized(const Tensor<T>& x) const {
    const auto channels = static_cast<double>(x.cols());
    const bool centred = norm_ == StreamNorm::layer_norm;
    Tensor<T> result(x.rows(), x.cols());
    for (int s = 0; s < x.rows(); ++s) {
      const T mean = centred ? row_sum(x, s) / channels : T{};
      T variance{};
      for (int h = 0; h < x.cols(); ++h) variance += (x(s, h) - mean) * (x(s, h) - mean) / channels;
      const T deviation = std::sqrt(variance + norm_eps);
      for (int h = 0; h < x.cols(); ++h) {
        result(s, h) = (x(s, h) - mean) / deviation * norm_weight(h);
        if (centred) result(s, h) += norm_bias(h);
      }
    }
    return result;
  }

  Mappings<T> mappings(const Tensor<T>& x) const {
    const Tensor<T> norm_h = normalized(x);
    Mappings<T> at{Tensor<T>(n_), Tensor<T>(n_), Tensor<T>(n_, n_)};
    for (int s = 0; s < n_; ++s) {
      T beta{};
      for (int h = 0; h < x.cols(); ++h) beta += norm_h(s, h) * dynamic_beta_fn(h);
      at.post(s) = std::tanh(beta) * dynamic_beta_scale(0) + static_beta(s);
      for (int t = 0; t < 1 + n_; ++t) {
        T alpha{};
        for (int h = 0; h < x.cols(); ++h) alpha += norm_h(s, h) * dynamic_alpha_fn(h, t);
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
  StreamNorm norm_;
  int n_;
};

/// HC as the mHC paper writes it (its Eq. 5), H_res[out, in]:
///   x~ = RMSNorm(x) by streams,  H = alpha tanh(theta x~^T) + b
template <class T>
struct HyperConnectionsEq5Site {
  HyperConnectionsEq5Site(int n, int channels)
      : theta_pre(1, channels),
        theta_post(1, channels),
        theta_res(n, channels),
        b_pre(1, n),
        b_post(1, n),
        b_res(n, n),
        n_(n) {}

  Tensor<T> theta_pre;   // (1, C)
  Tensor<T> theta_post;  // (1, C)
  Tensor<T> theta_res;   // (n, C)
  Tensor<T> alpha_pre{1};
  Tensor<T> alpha_post{1};
  Tensor<T> alpha_res{1};
  Tensor<T> b_pre;   // (1, n)
  Tensor<T> b_post;  // (1, n)
  Tensor<T> b_res;   // (n, n)
  double norm_eps = 1e-20;

  int streams() const { return n_; }

  std::vector<Parameter<T>> tensors() {
    const double spread = 1.5 / std::sqrt(theta_pre.cols());
    return {{"theta_pre", &theta_pre, 0.0, spread},
            {"theta_post", &theta_post, 0.0, spread},
            {"theta_res", &theta_res, 0.0, spread},
            {"alpha_pre", &alpha_pre, 0.7, 0.1},
            {"alpha_post", &alpha_post, 0.7, 0.1},
            {"alpha_res", &alpha_res, 0.7, 0.1},
            {"b_pre", &b_pre, 0.2, 0.8},
            {"b_post", &b_post, 1.0, 0.5},
            {"b_res", &b_res, 0.2, 0.8}};
  }

  Mappings<T> mappings(const Tensor<T>& x) const {
    Mappings<T> at{Tensor<T>(n_), Tensor<T>(n_), Tensor<T>(n_, n_)};
    for (int in = 0; in < n_; ++in) {
      T square{};
      for (int h = 0; h < x.cols(); ++h) square += x(in, h) * x(in, h);
      const T rms = std::sqrt(square / static_cast<double>(x.cols()) + norm_eps);
      const auto mix = [&](const Tensor<T>& theta, int row) {
        T sum{};
        for (int h = 0; h < x.cols(); ++h) sum += theta(row, h) * x(in, h) / rms;
        return std::tanh(sum);
      };
      at.pre(in) = alpha_pre(0) * mix(theta_pre, 0) + b_pre(in);
      at.post(in) = alpha_post(0) * mix(theta_post, 0) + b_post(in);
      for (int out = 0; out < n_; ++out) {
        at.comb(out, in) = alpha_res(0) * mix(theta_res, out) + b_res(out, in);
      }
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

  static Tensor<T> collapse(const Tensor<T>& x) { return sum_of_streams(x); }

 private:
  int n_;
};

}  // namespace families
