// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "deepseek_v4.hpp"

// DeepSeek-V4.1, single-pass: V4's site with rms_norm_eps = 1e-20, but the layer input is weighted
// by the pre of the previous site. The first site reads stream 0 alone. The pre of the last site
// collapses the streams, and there is no head.
namespace families {

template <class T>
struct DeepSeekV41Site : DeepSeekV4Site<T> {
  DeepSeekV41Site(int n, int channels) : DeepSeekV4Site<T>(n, channels) { this->norm_eps = 1e-20; }

  /// `pre` is the previous site's.
  Tensor<T> layer_input(const Tensor<T>& pre, const Tensor<T>& x) const {
    return weighted_sum(pre, x);
  }
};

/// Exactly stream 0, without an eps.
template <class T>
Tensor<T> deepseek_v41_entry_pre(int n) {
  Tensor<T> pre(n);
  pre(0) = 1.0;
  return pre;
}

/// X' = B_l X + C_l F_l(A_(l-1) X)
template <class T, class Layer>
Tensor<T> deepseek_v41_forward(const std::vector<DeepSeekV41Site<T>>& sites,
                               const Tensor<T>& embedding, const Layer& layer) {
  const int n = sites.front().streams();
  Tensor<T> x = repeat(embedding, n);
  Tensor<T> pre = deepseek_v41_entry_pre<T>(n);
  for (std::size_t l = 0; l < sites.size(); ++l) {
    const Mappings<T> at = sites[l].mappings(x);
    x = sites[l].merge(at, x, layer(l, sites[l].layer_input(pre, x)));
    pre = at.pre;
  }
  return weighted_sum(pre, x);
}

}  // namespace families
