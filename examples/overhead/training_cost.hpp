// SPDX-License-Identifier: MIT
// The time of a training step, in total and by part. The models train in turns, a step each, so
// that a slow phase of the machine affects all of them.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "adamw.hpp"
#include "models.hpp"
#include "scenario.hpp"

namespace language_model {

// Seconds.
struct StepCost {
  SiteTimes sites;       // of attention and experts together
  double optimizer = 0;  // AdamW, and setting the gradients to zero before
  double total = 0;
  double sum_of_sites() const {
    return sites.prepare + sites.sublayer + sites.finish + sites.finish_backward +
           sites.sublayer_backward + sites.prepare_backward;
  }
};

// The rows of the table.
struct StepPart {
  const char* name;
  bool is_of_block;  // of mhc's block
  double (*seconds)(const StepCost&);
};

inline const std::vector<StepPart>& step_parts() {
  static const std::vector<StepPart> parts{
      {"prepare", true, [](const StepCost& c) { return c.sites.prepare; }},
      {"sublayers, forward", false, [](const StepCost& c) { return c.sites.sublayer; }},
      {"finish", true, [](const StepCost& c) { return c.sites.finish; }},
      {"finish_backward", true, [](const StepCost& c) { return c.sites.finish_backward; }},
      {"sublayers, backward", false, [](const StepCost& c) { return c.sites.sublayer_backward; }},
      {"prepare_backward", true, [](const StepCost& c) { return c.sites.prepare_backward; }},
      {"optimiser", false, [](const StepCost& c) { return c.optimizer; }},
      {"embedding, expand, collapse, loss", false,
       [](const StepCost& c) { return c.total - c.sum_of_sites() - c.optimizer; }},
      {"step", false, [](const StepCost& c) { return c.total; }},
  };
  return parts;
}

class MeasuredModel {
 public:
  MeasuredModel(const ModelConfig& config, const Scenario& scenario)
      : sequences_(scenario.batch),
        length_(scenario.context),
        bytes_(random_bytes(scenario.tokens() + 1, scenario.seed)),
        model_(make_model(config, scenario.tokens())),
        optimizer_(model_->arena().segments, static_cast<Index>(model_->arena().values.size())) {
    model_->initialize(scenario.seed);
  }

  StepCost step(const Workers& workers) {
    using Clock = std::chrono::steady_clock;
    const auto since = [](Clock::time_point begin) {
      return std::chrono::duration<double>(Clock::now() - begin).count();
    };
    StepCost cost;
    model_->measure(&cost.sites, &cost.sites);
    Arena& arena = model_->arena();
    const auto begin = Clock::now();
    model_->forward(bytes_.data(), bytes_.data() + 1, sequences_, length_, workers);
    const auto zeroing = Clock::now();
    std::fill(arena.gradients.begin(), arena.gradients.end(), 0.0F);
    cost.optimizer = since(zeroing);
    model_->backward(workers);
    const auto updating = Clock::now();
    optimizer_.step(arena.values, arena.gradients, step_++, 1e-4, workers);
    cost.optimizer += since(updating);
    model_->balance(0.003F);
    cost.total = since(begin);
    model_->measure(nullptr, nullptr);
    return cost;
  }

 private:
  Index sequences_, length_;
  Bytes bytes_;
  std::unique_ptr<LanguageModel> model_;
  AdamW optimizer_;
  std::uint64_t step_ = 0;
};

// Medians over the rounds: [residual][part], in the order of `compared` and step_parts().
struct TrainingCost {
  Index channels;
  std::vector<std::vector<double>> seconds;
  double step(std::size_t residual) const { return seconds[residual].back(); }
};

inline TrainingCost measure_training(const Scenario& scenario, Index channels,
                                     const Workers& workers) {
  std::vector<std::unique_ptr<MeasuredModel>> models;
  for (const Residual residual : compared) {
    models.push_back(std::make_unique<MeasuredModel>(
        scenario.model(channels, residual, AttentionKind::mla), scenario));
    models.back()->step(workers);  // touches all memory; not counted
  }
  std::vector<std::vector<StepCost>> costs(models.size());
  for (Index round = 0; round < scenario.rounds; ++round) {
    for (std::size_t i = 0; i < models.size(); ++i) {
      const std::size_t turn = (i + static_cast<std::size_t>(round)) % models.size();
      costs[turn].push_back(models[turn]->step(workers));
    }
  }
  TrainingCost result{channels, {}};
  for (const auto& of_model : costs) {
    std::vector<double> medians;
    for (const StepPart& part : step_parts()) {
      std::vector<double> seconds;
      for (const StepCost& cost : of_model) seconds.push_back(part.seconds(cost));
      medians.push_back(median(seconds));
    }
    result.seconds.push_back(medians);
  }
  return result;
}

// Multiply-adds of one token in all sites' forward, counted from the formulas.
struct Arithmetic {
  double sublayers = 0, block = 0;  // block: mHC's, with n streams
};

//   mHC, a site:  n C (n^2 + 2n) the mappings' logits + n C pre x + n^2 C res x + n C post^T v
//   attention:    its six matrices, and (d_n + d_r + d_v) for each head and visible key
//   experts:      3 C H for each expert of the token, and the router
inline Arithmetic count_arithmetic(const ModelConfig& config) {
  const auto real = [](Index i) { return static_cast<double>(i); };
  const LatentAttentionShape a = config.latent();
  const MixtureShape m = config.mixture();
  const double n = real(config.streams), C = real(config.channels);
  const double matrices =
      real(LatentAttentionParameters<float>::size(a) - LatentAttentionParameters<float>::norms(a));
  const double keys = real(config.context + 1) / 2;
  const double attention = matrices + real(a.heads * (a.head_channels() + a.value)) * keys;
  const double experts = C * real(3 * m.hidden * m.meetings() + m.experts);
  const double layers = real(config.layers);
  return {layers * (attention + experts), layers * 2 * C * (n * (n * n + 2 * n) + 2 * n + n * n)};
}

}  // namespace language_model
