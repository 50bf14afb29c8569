// SPDX-License-Identifier: MIT
// The time to generate a byte, with caches and by recomputing the whole context, and the cache's
// bytes per token.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "models.hpp"
#include "scenario.hpp"

namespace language_model {

struct GenerationCost {
  AttentionKind attention;
  Residual residual;
  std::size_t cache_bytes_per_token = 0;  // of all layers
  std::vector<double> cached;             // seconds of a byte, at every position
  std::vector<Index> positions;           // a few of them
  std::vector<double> whole;              // seconds there without caches
  double cached_median() const { return median(cached); }
};

struct GenerationCosts {
  Index channels;
  std::vector<GenerationCost> of;
};

// The last positions of the eighths of a length, without duplicates.
inline std::vector<Index> ends_of_eighths(Index length) {
  std::vector<Index> positions;
  for (Index i = 1; i <= 8; ++i) {
    const Index position = i * length / 8 - 1;
    const bool is_new = positions.empty() || positions.back() != position;
    if (position >= 0 && is_new) positions.push_back(position);
  }
  return positions;
}

// The models take turns byte by byte. The whole context is recomputed at the ends of its eighths,
// three times each, of which the median counts.
inline GenerationCosts measure_generation(const Scenario& scenario, Index channels,
                                          const Workers& workers) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_of = [](auto&& f) {
    const auto begin = Clock::now();
    f();
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  const Index length = scenario.context;
  const Bytes bytes = random_bytes(length + 1, scenario.seed);
  GenerationCosts costs{channels, {}};
  std::vector<std::unique_ptr<LanguageModel>> models;
  std::vector<std::unique_ptr<Generation>> generations;
  for (const AttentionKind attention : {AttentionKind::mha, AttentionKind::mla}) {
    for (const Residual residual : {Residual::plain, Residual::mhc}) {
      models.push_back(make_model(scenario.model(channels, residual, attention), length));
      models.back()->initialize(scenario.seed);
      generations.push_back(models.back()->generation(length));
      generations.back()->extend(bytes.data(), length, workers);  // touches all memory
      generations.back()->clear();
      GenerationCost cost{attention, residual, {}, {}, {}, {}};
      cost.cache_bytes_per_token = generations.back()->cache_bytes_per_token();
      costs.of.push_back(cost);
    }
  }
  const std::vector<Index> whole_at = ends_of_eighths(length);
  for (Index t = 0; t < length; ++t) {
    const bool measures_whole = std::find(whole_at.begin(), whole_at.end(), t) != whole_at.end();
    for (std::size_t i = 0; i < models.size(); ++i) {
      GenerationCost& cost = costs.of[i];
      cost.cached.push_back(
          seconds_of([&] { generations[i]->extend(bytes.data() + t, 1, workers); }));
    }
    for (std::size_t i = 0; i < models.size() && measures_whole; ++i) {
      costs.of[i].positions.push_back(t);
      const auto whole = [&] {
        return seconds_of(
            [&] { models[i]->forward(bytes.data(), bytes.data() + 1, 1, t + 1, workers); });
      };
      costs.of[i].whole.push_back(median({whole(), whole(), whole()}));
    }
  }
  return costs;
}

}  // namespace language_model
