// SPDX-License-Identifier: MIT
// The four models of the paper's table 1, and their trainings.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "experiment.hpp"
#include "frozen_maps.hpp"

namespace language_model::ablation {

struct Variant {
  const char* name;
  const char* added;  // to the variant before
  LearntMaps learnt;
  double paper_gap;  // of the 27B model's loss with HC; arXiv:2512.24880, table 1
};

// The first is the baseline: with 1/n, 1 and I, n equal streams are one ordinary residual.
inline constexpr std::array<Variant, 4> variants{{
    {"none", "none", {false, false, false}, 0},
    {"H_res", "H_res", {false, false, true}, -0.022},
    {"H_res, H_pre", "+ H_pre", {true, false, true}, -0.025},
    {"H_res, H_pre, H_post", "+ H_post", {true, true, true}, -0.027},
}};

struct Plan {
  ModelConfig model;  // its residual is that of the variants: hc or mhc
  TrainingConfig training;
  Index validation_bytes;
};

struct Run {
  std::size_t variant = 0;
  std::uint64_t seed = 0;
  Curve curve;
  double validation = std::numeric_limits<double>::quiet_NaN();  // bits per byte; none if diverged
};

inline Run train(std::size_t variant, const Plan& plan, const Text& text,
                 const std::function<void()>& progress) {
  const Variant& of = variants[variant];
  ModelConfig config = plan.model;
  if (!of.learnt.res) {
    config.residual = Residual::plain;
    config.streams = 1;
  }
  const Workers workers(1);
  Trainer trainer(config, plan.training, text, workers);
  if (of.learnt.res) {
    for (const auto& gradients : disable(trainer.model(), config, of.learnt)) {
      trainer.freeze(gradients);
    }
  }
  Run run;
  run.variant = variant;
  run.seed = plan.training.seed;
  run.curve = train_to_the_end(trainer, [&](std::uint64_t) { progress(); });
  if (run.curve.diverged_at) return run;
  const Bytes held_out =
      beginning(text.validation, static_cast<std::size_t>(plan.validation_bytes));
  run.validation =
      bits_per_byte(trainer.model(), held_out, plan.training.batch, plan.model.context, workers);
  return run;
}

// Every variant with each of `seeds` seeds from plan.training.seed on, `threads` at a time; by
// seed, then by variant.
inline std::vector<Run> train_all(const Plan& plan, Index seeds, const Text& text, int threads,
                                  const std::function<void()>& progress) {
  std::vector<Run> runs(static_cast<std::size_t>(seeds) * variants.size());
  run_side_by_side(runs.size(), threads, [&](std::size_t i) {
    Plan seeded = plan;
    seeded.training.seed += i / variants.size();
    runs[i] = train(i % variants.size(), seeded, text, progress);
  });
  return runs;
}

}  // namespace language_model::ablation
