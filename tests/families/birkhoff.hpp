// SPDX-License-Identifier: MIT
#pragma once

#include "paper.hpp"

// The exact projection: the paper's site with t_max so large that H_res = diag(a) exp(H~) diag(b)
// is doubly stochastic to rounding.
namespace families {

/// Sinkhorn-Knopp until the columns sum to 1 within 1e-14, and then three times as many iterations
/// again, since the derivative converges like t rho^t and the value like rho^t.
template <class T>
Tensor<T> birkhoff_projection(const Tensor<T>& logits) {
  const int n = logits.rows();
  Tensor<T> res(n, n);
  for (int out = 0; out < n; ++out) {
    const double max = row_max(logits, out);
    for (int in = 0; in < n; ++in) res(out, in) = std::exp(logits(out, in) - max);
  }
  int needed = 0;
  for (int iteration = 0; iteration < 4 * needed + 10 && iteration < 1000000; ++iteration) {
    double error = 0.0;
    for (int in = 0; in < n; ++in) {
      const T sum = column_sum(res, in);
      error = std::fmax(error, std::fabs(std::real(sum) - 1.0));
      divide_column(res, in, sum);
    }
    for (int out = 0; out < n; ++out) divide_row(res, out, row_sum(res, out));
    if (error > 1e-14) needed = iteration + 1;
  }
  return res;
}

template <class T>
struct BirkhoffSite : PaperSite<T> {
  using PaperSite<T>::PaperSite;

  Mappings<T> mappings(const Tensor<T>& x) const {
    const int n = this->streams();
    Mappings<T> at = PaperSite<T>::mappings(x);
    at.comb = birkhoff_projection(square_at(this->logits(x), 2 * n, n));
    return at;
  }
};

}  // namespace families
