// SPDX-License-Identifier: MIT
// The memory of a model in training, in total and by part: the growth of the heap (mallinfo2 of
// glibc, small blocks and mapped ones) while the model, or one of each part, is built.
#pragma once

#include <malloc.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <mhc/block.hpp>

#include "adamw.hpp"
#include "models.hpp"
#include "scenario.hpp"

namespace language_model {

inline double heap_bytes() {
  const auto info = mallinfo2();
  return static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
}

// The heap memory of what make() returns.
template <class Make>
double held_by(Make&& make) {
  const double before = heap_bytes();
  const auto thing = make();
  return heap_bytes() - before;
}

// Bytes.
struct MemoryCost {
  double parameters = 0;  // with gradients and the optimiser's two moments
  double streams = 0;     // x before each site and after the last, and one gradient
  double mappings = 0;    // pre, post, res and their inputs, of each site, and one gradient
  double inputs = 0;      // u and v of each site, and one gradient of each
  double sublayers = 0;   // kept by attention and experts, and one gradient of each
  double rest = 0;        // embedded bytes, collapse, head, loss
  double kept() const { return streams + mappings + inputs + sublayers + rest; }
};

// With another allocator than glibc's (a sanitizer's) is_known is false.
struct MemoryCosts {
  Index channels;
  std::vector<MemoryCost> of;  // in the order of `compared`
  bool is_known = true;
};

inline MemoryCosts measure_memory(const Scenario& scenario, Index channels) {
  MemoryCosts costs{channels, {}};
  const Index tokens = scenario.tokens();
  for (const Residual residual : compared) {
    const ModelConfig config = scenario.model(channels, residual, AttentionKind::mla);
    const auto sites = static_cast<double>(2 * config.layers);
    const auto layers = static_cast<double>(config.layers);
    std::size_t parameters = 0;
    double optimizer = 0;
    const double model = held_by([&] {
      auto made = make_model(config, tokens);
      parameters = made->arena().values.size();
      optimizer = held_by([&] {
        return std::make_unique<AdamW>(made->arena().segments, static_cast<Index>(parameters));
      });
      return made;
    });
    const double arena = 2.0 * sizeof(float) * static_cast<double>(parameters);
    MemoryCost cost;
    cost.parameters = arena + optimizer;
    with_connection(residual, [&](auto streams, auto connection) {
      using Block = mhc::Block<streams(), float, decltype(connection)>;
      cost.streams =
          (sites + 2) * held_by([&] { return mhc::Streams<float>(tokens, streams(), channels); });
      cost.mappings = (sites + 1) * held_by([&] { return typename Block::Saved(tokens); });
    });
    cost.inputs = 2 * (sites + 1) * held_by([&] { return mhc::Tokens<float>(tokens, channels); });
    cost.sublayers =
        (layers + 1) *
        (held_by([&] { return LatentAttention<float>::Saved(config.latent(), tokens); }) +
         held_by([&] { return MixtureOfExperts<float>::Saved(config.mixture(), tokens); }));
    cost.rest = model - arena - cost.kept();
    costs.is_known = costs.is_known && model > arena;
    costs.of.push_back(cost);
  }
  return costs;
}

}  // namespace language_model
