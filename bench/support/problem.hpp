// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>

#include <mhc/block.hpp>

#include "fill.hpp"

namespace mhc_bench {

/// Two consecutive sites of a model with n = 4, with the inputs and outputs of their calls. Logits
/// have a standard deviation of about 1.
template <class Element>
struct Problem {
  static constexpr int n = 4;
  using Block = mhc::Block<n, Element>;

  Problem(mhc::Index tokens_, mhc::Index channels_)
      : tokens(tokens_),
        channels(channels_),
        parameters(channels),
        next_parameters(channels),
        grads(channels),
        x(tokens, n, channels),
        x_next(tokens, n, channels),
        dx_next(tokens, n, channels),
        dx(tokens, n, channels),
        u(tokens, channels),
        v(tokens, channels),
        du(tokens, channels),
        dv(tokens, channels),
        saved(tokens),
        next_saved(tokens),
        dsaved(tokens) {
    fill_parameters(parameters, 1);
    fill_parameters(next_parameters, 2);
    fill(x.data(), x.size(), 3);
    fill(dx_next.data(), dx_next.size(), 4);
    fill(v.data(), v.size(), 5);
    fill(du.data(), du.size(), 6);
  }

  static void fill_parameters(mhc::Parameters<n>& parameters, std::uint64_t seed) {
    const auto all = parameters.span();
    const mhc::Index of_phi = parameters.phi().size();
    fill(all.data, of_phi, seed, 1 / std::sqrt(static_cast<double>(parameters.phi().rows())));
    fill(all.data + of_phi, all.size - of_phi, seed + 100);
  }

  mhc::Index tokens;
  mhc::Index channels;
  mhc::Parameters<n> parameters;
  mhc::Parameters<n> next_parameters;
  mhc::Parameters<n> grads;
  mhc::Streams<Element> x;
  mhc::Streams<Element> x_next;
  mhc::Streams<Element> dx_next;
  mhc::Streams<Element> dx;
  mhc::Tokens<Element> u;  ///< of this site's prepare, or of the next one's in the fused call
  mhc::Tokens<Element> v;
  mhc::Tokens<Element> du;
  mhc::Tokens<Element> dv;
  mhc::Saved<n> saved;
  mhc::Saved<n> next_saved;
  mhc::Saved<n> dsaved;
};

}  // namespace mhc_bench
