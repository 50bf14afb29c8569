// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "transcript.hpp"

// The mHC paper (arXiv 2512.24880): phi (nC, n^2 + 2n), alpha (3), b (n^2 + 2n) and H_res[out, in],
// without an eps except 1e-20 in the norm:
//   H~ = (1/r) [alpha_pre x phi_pre, alpha_post x phi_post, alpha_res x phi_res] + b
namespace families {

/// M_0 = exp(H~), M_t = T_r(T_c(M_(t-1))).
template <class T>
Tensor<T> paper_sinkhorn(const Tensor<T>& logits, int iterations) {
  const int n = logits.rows();
  Tensor<T> res(n, n);
  for (int e = 0; e < n * n; ++e) res(e) = std::exp(logits(e));
  for (int iteration = 0; iteration < iterations; ++iteration) {
    for (int in = 0; in < n; ++in) divide_column(res, in, column_sum(res, in));
    for (int out = 0; out < n; ++out) divide_row(res, out, row_sum(res, out));
  }
  return res;
}

template <class T>
struct PaperSite {
  PaperSite(int n, int channels)
      : phi(n * channels, n * (n + 2)), alpha(3), b(n * (n + 2)), n_(n) {}

  Tensor<T> phi;    // (nC, n(n+2)): [phi_pre | phi_post | phi_res]
  Tensor<T> alpha;  // (3)
  Tensor<T> b;      // (n(n+2))
  double norm_eps = 1e-20;
  int t_max = 20;

  int streams() const { return n_; }

  std::vector<Parameter<T>> tensors() {
    return {{"phi", &phi, 0.0, 1.0 / std::sqrt(phi.rows())},
            {"alpha", &alpha, 1.2, 0.2},
            {"b", &b, 0.0, 0.8}};
  }

  Tensor<T> logits(const Tensor<T>& x) const {
    const T r = std::sqrt(sum_of_squares(x) / static_cast<double>(x.size()) + norm_eps);
    Tensor<T> h(b.size());
    for (int q = 0; q < b.size(); ++q) {
      const int group = q < n_ ? 0 : q < 2 * n_ ? 1 : 2;
      h(q) = alpha(group) * column_dot(x, phi, q) / r + b(q);
    }
    return h;
  }

  Mappings<T> mappings(const Tensor<T>& x) const {
    const Tensor<T> h = logits(x);
    Mappings<T> at{Tensor<T>(n_), Tensor<T>(n_), paper_sinkhorn(square_at(h, 2 * n_, n_), t_max)};
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

 private:
  int n_;
};

}  // namespace families
