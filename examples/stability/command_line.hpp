// SPDX-License-Identifier: MIT
// The options of the program, their limits and their --help.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "config.hpp"
#include "model_options.hpp"
#include "sweep.hpp"

namespace language_model::stability {

struct Options {
  std::filesystem::path text;  // empty: the CMake manual
  Index seeds = 3;
  std::uint64_t seed = 1;
  Index blocks = 30;
  Index channels = 32;
  Index heads = 4;
  Index batch = 4;
  Index context = 64;
  Index steps = 600;
  double learning_rate = 0.012;
  Index observe_every = 20;
  Index validation_bytes = 16384;
  Index sweep_steps = 120;
  Index sweep_doublings = 4;  // learning rates x1, x2, ... x2^doublings
  Index depth = 256;
  Index samples = 256;
  int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  std::filesystem::path report = "build/reports";
  bool quick = false;
  bool quiet = false;
  bool help = false;

  ModelConfig model() const {
    ModelConfig config;
    config.layers = blocks;
    config.channels = channels;
    config.heads = heads;
    config.attention = AttentionKind::mha;
    config.experts = 0;  // the shared expert alone: an ordinary feed-forward
    config.top_k = 0;
    config.mtp_weight = 0;
    config.context = context;
    return config;
  }

  // Each residual with each seed.
  std::vector<TrainingPlan> plans() const {
    std::vector<TrainingPlan> all;
    for (const Residual residual : residuals) {
      for (Index s = 0; s < seeds; ++s) {
        TrainingPlan plan{
            model(), {steps, batch, learning_rate, true, 0}, observe_every, validation_bytes};
        plan.model.residual = residual;
        if (residual == Residual::plain) plan.model.streams = 1;
        plan.training.seed = seed + static_cast<std::uint64_t>(s);
        all.push_back(plan);
      }
    }
    return all;
  }

  SweepPlan sweep() const {
    const Index looks = std::max<Index>(1, sweep_steps / 10);
    SweepPlan plan{{model(),
                    {sweep_steps, batch, learning_rate, true, seed},
                    std::min(observe_every, looks),
                    0},
                   {},
                   {}};
    for (const Index depth_in_blocks : {4 * blocks / 30, 10 * blocks / 30, blocks}) {
      const Index at_least_one = std::max<Index>(1, depth_in_blocks);
      if (plan.blocks.empty() || plan.blocks.back() != at_least_one) {
        plan.blocks.push_back(at_least_one);
      }
    }
    double multiple = 1;
    for (Index d = 0; d <= sweep_doublings; ++d, multiple *= 2) plan.multiples.push_back(multiple);
    return plan;
  }
};

namespace detail {

// Settings for less than a minute.
inline void make_quick(Options& o) {
  o.seeds = 1;
  o.steps = 120;
  o.validation_bytes = 4096;
  o.sweep_steps = 40;
  o.sweep_doublings = 3;
  o.samples = 64;
}

inline std::vector<Option> option_table(Options& o) {
  return {
      text_option(o.text),
      seeds_option(o.seeds, "trainings of each residual"),
      seed_option(o.seed, "their first seed"),
      {"--blocks", "N", with_default("blocks of two sublayers", o.blocks),
       set_integer(o.blocks, "--blocks", 3, 128)},
      channels_option(o.channels),
      heads_option(o.heads),
      batch_option(o.batch),
      context_option(o.context),
      steps_option(o.steps, "steps per training"),
      learning_rate_option(o.learning_rate, 1000),
      {"--observe-every", "N",
       with_default("steps between observations of the gains", o.observe_every),
       set_integer(o.observe_every, "--observe-every", 1, 10000000)},
      validation_option(o.validation_bytes),
      {"--sweep-steps", "N", with_default("steps per training of the sweep", o.sweep_steps),
       set_integer(o.sweep_steps, "--sweep-steps", 1, 10000000)},
      {"--sweep-doublings", "N",
       with_default("doublings of the learning rate in the sweep", o.sweep_doublings),
       set_integer(o.sweep_doublings, "--sweep-doublings", 0, 30)},
      {"--depth", "N", with_default("layers of random mappings", o.depth),
       set_integer(o.depth, "--depth", 1, 100000)},
      {"--samples", "N", with_default("samples of random mappings", o.samples),
       set_integer(o.samples, "--samples", 2, 100000)},
      threads_option(o.threads, "trainings in parallel; the results do not depend on it"),
      report_option(o.report, "folder for page, figures and CSV"),
      quick_option(o.quick, "less than a minute: one seed, fewer steps and samples"),
      quiet_option(o.quiet),
      help_option(o.help),
  };
}

inline void check(const Options& o) {
  check_heads(o.channels, o.heads);
  check_validation(o.validation_bytes, o.context);
}

}  // namespace detail

inline Options parse_command_line(const std::vector<std::string>& arguments) {
  Options options;
  const auto given = parse_options(detail::option_table(options), arguments);
  if (options.help) return options;
  if (options.quick) {
    refuse_beside_quick(given, {"--seeds", "--steps", "--validation", "--sweep-steps",
                                "--sweep-doublings", "--samples"});
    detail::make_quick(options);
  }
  detail::check(options);
  return options;
}

inline std::string help_text() {
  Options options;
  const std::string what =
      "Trains a deep stack of sublayers with ordinary residuals, hyper-connections (hc) and\n"
      "manifold-constrained ones (mhc, mhc-lite) from the same seeds and data, and shows how\n"
      "signals and gradients grow through it: during training, over learning rates and depths,\n"
      "and through random mappings.\n\n";
  return what + help_lines(detail::option_table(options));
}

}  // namespace language_model::stability
