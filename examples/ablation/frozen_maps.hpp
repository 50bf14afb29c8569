// SPDX-License-Identifier: MIT
// Which of a site's mappings are learnt. A disabled one keeps the constant of the paper's ablation
// at every site and token: its alpha is 0, and its bias and alpha are frozen. With alpha = 0 its
// columns of phi have neither gradient nor effect.
//
//            of HC         of mHC
//   H_pre    b_pre = 1/n   b_pre = -ln(n - 1)    1/n
//   H_post   b_post = 1    b_post = 0            1
//   H_res    b_res = I                           I
//
// Source: arXiv:2512.24880, table 1 (which ablates HC).
#pragma once

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "language_model.hpp"

namespace language_model::ablation {

struct LearntMaps {
  bool pre, post, res;
};

// Sets the disabled mappings of an HC or mHC model, and returns the gradients that must count as
// zero. mHC's H_res cannot be disabled: no finite logits make it the identity.
inline std::vector<mhc::Span<float>> disable(LanguageModel& model, const ModelConfig& config,
                                             const LearntMaps& learnt) {
  const bool is_hc = config.residual == Residual::hc;
  if (!is_hc && (config.residual != Residual::mhc || !learnt.res)) {
    throw std::invalid_argument("disable: only mappings of HC, and of mHC except H_res");
  }
  const Index n = config.streams;
  const double mean_logit = -std::log(static_cast<double>(n - 1));
  std::vector<mhc::Span<float>> frozen;
  const auto freeze = [&](mhc::Span<float> gradients, Index begin, Index size) {
    frozen.push_back({gradients.begin() + begin, size});
  };
  for (Index i = 0; i < model.sites(); ++i) {
    const SiteGates site = model.gates(i);
    const auto disable_map = [&](Index gate, Index begin, Index size, double bias) {
      site.alpha.data[gate] = 0;
      std::fill_n(site.b.begin() + begin, size, static_cast<float>(bias));
      freeze(site.dalpha, gate, 1);
      freeze(site.db, begin, size);
    };
    if (!learnt.pre) disable_map(0, 0, n, is_hc ? 1.0 / static_cast<double>(n) : mean_logit);
    if (!learnt.post) disable_map(1, n, n, is_hc ? 1 : 0);
    if (!learnt.res) {
      disable_map(2, 2 * n, n * n, 0);
      for (Index s = 0; s < n; ++s) site.b.data[2 * n + s * (n + 1)] = 1;
    }
  }
  return frozen;
}

}  // namespace language_model::ablation
