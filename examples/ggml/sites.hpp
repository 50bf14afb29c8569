// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/adapters/ggml.hpp>

#include <cmath>

#include <mhc/families.hpp>

#include "graph.hpp"

// A site of DeepSeek-V4 in a graph of ggml: in ggml's own operators, and in ours.
namespace ggml_example {

using Family = mhc::families::DeepSeekV4;
constexpr int n = 4;  // the only number that ggml_dsv4_hc_comb supports
using Site = mhc::GgmlBlock<n>;

/// A site's tensors in a file: fn (n C, R), scale (3), base (R) with R = n (n + 2).
struct Weights {
  Weights(Memory& memory, std::int64_t channels)
      : fn(memory.tensor(n * channels, n * (n + 2))),
        scale(memory.tensor(3)),
        base(memory.tensor(n * (n + 2))) {}

  void randomize(std::mt19937& random) const {
    fill(fn, 1.0F / std::sqrt(static_cast<float>(fn->ne[0])), random);
    fill(scale, 1.0F, random);
    fill(base, 1.0F, random);
  }

  /// Read by mhc once, at load time.
  std::unique_ptr<Site> site() const {
    return std::make_unique<Site>(Family::layout(), fn, scale, base, Family::options());
  }

  ggml_tensor* fn;
  ggml_tensor* scale;
  ggml_tensor* base;
};

/// ggml's: pre, post (n, tokens), comb (n, n, tokens) [src][dst], and `mixes`, comb's input.
struct Mappings {
  ggml_tensor* mixes;
  ggml_tensor* pre;
  ggml_tensor* post;
  ggml_tensor* comb;
};

inline ggml_tensor* comb(ggml_context* c, ggml_tensor* mixes, const Weights& w) {
  return ggml_dsv4_hc_comb(c, mixes, w.scale, w.base, 1e-6F, 20);
}

inline Mappings mappings(ggml_context* c, ggml_tensor* x, const Weights& w) {
  const std::int64_t tokens = x->ne[2];
  ggml_tensor* const flat = ggml_reshape_2d(c, x, n * x->ne[0], tokens);
  ggml_tensor* const mixes = ggml_mul_mat(c, w.fn, ggml_rms_norm(c, flat, 1e-6F));
  const auto gate = [&](std::size_t g) {  // sigmoid(scale_g m + base)
    const std::size_t offset = g * n * sizeof(float);
    ggml_tensor* const part = ggml_view_2d(c, mixes, n, tokens, mixes->nb[1], offset);
    ggml_tensor* const scale = ggml_view_1d(c, w.scale, 1, g * sizeof(float));
    ggml_tensor* const base = ggml_view_1d(c, w.base, n, offset);
    return ggml_sigmoid(c, ggml_add(c, ggml_mul(c, part, scale), base));
  };
  return {mixes, ggml_scale_bias(c, gate(0), 1.0F, 1e-6F), ggml_scale(c, gate(1), 2.0F),
          comb(c, mixes, w)};
}

/// A stack of sites around identity sublayers, v = u.
inline ggml_tensor* chain(ggml_context* c, ggml_tensor* x, const std::vector<Weights>& sites) {
  for (const Weights& weights : sites) {
    const Mappings m = mappings(c, x, weights);
    ggml_tensor* const v = ggml_dsv4_hc_pre(c, x, m.pre);
    x = ggml_dsv4_hc_post(c, v, x, m.post, m.comb);
  }
  return x;
}

inline ggml_tensor* chain(ggml_context* c, ggml_tensor* x,
                          const std::vector<std::unique_ptr<Site>>& sites) {
  for (const auto& site : sites) {
    const auto [v, saved] = site->prepare(c, x);
    x = site->finish(c, x, v, saved);
  }
  return x;
}

}  // namespace ggml_example
