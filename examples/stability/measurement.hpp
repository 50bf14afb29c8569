// SPDX-License-Identifier: MIT
// Measurements of one forward: Amax gains of each site's H_res and of their products
// (arXiv:2512.24880, section 5.4), the similarity of the streams, and the mappings themselves.
//
//   composite(l) = H_res,L ... H_res,l+1 H_res,l     from site l to the last, the latest leftmost
//
// Everything is averaged over the tokens of the forward, gains after the product of each token.
#pragma once

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <vector>
#include <Eigen/Core>

#include <mhc/diagnostics.hpp>

#include "curve_statistics.hpp"
#include "language_model.hpp"

namespace language_model::stability {

struct GainProfile {
  std::vector<mhc::Gains> single;     // of each site
  std::vector<mhc::Gains> composite;  // from each site to the last; the first is that of all
};

inline GainProfile gain_profile(const LanguageModel& model) {
  const auto sites = static_cast<std::size_t>(model.sites());
  GainProfile profile{std::vector<mhc::Gains>(sites), std::vector<mhc::Gains>(sites)};
  const auto last = model.site(model.sites() - 1).res;
  mhc::CompositeMapping composite(last.tokens, last.streams);
  for (std::size_t l = sites; l-- > 0;) {
    const auto res = model.site(static_cast<Index>(l)).res;
    profile.single[l] = mhc::gains(res);
    composite.apply_before(res);
    profile.composite[l] = composite.gains();
  }
  return profile;
}

// The largest forward and the largest backward gain; infinite if one is not finite.
inline mhc::Gains largest(const std::vector<mhc::Gains>& gains) {
  mhc::Gains most{0, 0};
  for (const mhc::Gains& here : gains) {
    most = {larger(most.forward, here.forward), larger(most.backward, here.backward)};
  }
  return most;
}

// The mean over tokens of the product of H_res of sites first .. last.
inline Eigen::MatrixXd mean_product(const LanguageModel& model, Index first, Index last) {
  const auto res = model.site(first).res;
  mhc::CompositeMapping composite(res.tokens, res.streams);
  for (Index l = first; l <= last; ++l) composite.apply(model.site(l).res);
  return composite.mean();
}

// Means and deviations to draw random mappings with, of the entries on the identity and of the
// others, pooled over sites and tokens.
//
//   HC         entries of H_res - I: the diagonal, and the rest
//   mHC        logits of H_res: the diagonal, and the rest
//   mHC-lite   logits of the n! permutations: the identity's, and the rest
struct Magnitudes {
  double identity_mean = 0, identity_deviation = 0;
  double other_mean = 0, other_deviation = 0;
};

namespace detail {

class Pool {
 public:
  void add(double value) {
    ++count_;
    sum_ += value;
    squares_ += value * value;
  }
  double mean() const { return sum_ / count_; }
  double deviation() const {
    return std::sqrt(std::fmax(0.0, squares_ / count_ - mean() * mean()));
  }

 private:
  double count_ = 0, sum_ = 0, squares_ = 0;
};

}  // namespace detail

// Throws for the ordinary residual, which has no mapping to draw.
inline Magnitudes magnitudes(const LanguageModel& model, Residual residual) {
  if (residual == Residual::plain) {
    throw std::invalid_argument("magnitudes: the ordinary residual has no random mapping");
  }
  detail::Pool identity, other;
  for (Index i = 0; i < model.sites(); ++i) {
    const SiteView site = model.site(i);
    const Index n = site.res.streams;
    for (Index t = 0; t < site.res.tokens; ++t) {
      const auto logits = site.logits.token(t);
      for (Index k = 2 * n; k < logits.size(); ++k) {
        const Index l = k - 2 * n;
        const bool is_identity = residual == Residual::mhc_lite ? l == 0 : l % (n + 1) == 0;
        const double shift = residual == Residual::hc && is_identity ? 1 : 0;
        (is_identity ? identity : other).add(static_cast<double>(logits(k)) - shift);
      }
    }
  }
  return {identity.mean(), identity.deviation(), other.mean(), other.deviation()};
}

}  // namespace language_model::stability
