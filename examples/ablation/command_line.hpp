// SPDX-License-Identifier: MIT
// The options of the program, their limits and their --help.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "model_options.hpp"
#include "variants.hpp"

namespace language_model::ablation {

struct Options {
  std::filesystem::path text;  // empty: the CMake manual
  Index seeds = 3;
  Plan plan = default_plan();
  int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  std::filesystem::path report = "build/reports";
  bool quick = false;
  bool quiet = false;
  bool help = false;

  static Plan default_plan() {
    Plan plan;
    plan.model.residual = Residual::hc;  // as the paper's table
    plan.model.layers = 4;
    plan.model.channels = 64;
    plan.model.attention = AttentionKind::mha;
    plan.model.experts = 4;
    plan.model.top_k = 2;  // a single one has gate 1, which gives the router no gradient
    plan.model.context = 64;
    plan.model.mtp_weight = 0;
    plan.training.steps = 1000;
    plan.training.learning_rate = 6e-3;
    plan.validation_bytes = 65536;
    return plan;
  }
};

namespace detail {

// Settings for less than a minute.
inline void make_quick(Options& o) {
  o.seeds = 2;
  o.plan.training.steps = 150;
  o.plan.validation_bytes = 8192;
}

inline std::vector<Option> option_table(Options& o) {
  ModelConfig& m = o.plan.model;
  TrainingConfig& t = o.plan.training;
  return {
      text_option(o.text),
      seeds_option(o.seeds, "trainings of each variant"),
      seed_option(t.seed, "their first seed"),
      {"--residual", "hc|mhc", "whose mappings; default: hc, as in the paper's table",
       [&m](const std::string& value) {
         if (value != "hc" && value != "mhc") {
           throw UsageError("--residual: '" + value + "' is not one of hc, mhc");
         }
         m.residual = residual_named(value);
       }},
      layers_option(m.layers),
      channels_option(m.channels),
      heads_option(m.heads),
      experts_option(m.experts),
      top_k_option(m.top_k),
      batch_option(t.batch),
      context_option(m.context),
      steps_option(t.steps, "steps per training"),
      learning_rate_option(t.learning_rate, 1000),
      validation_option(o.plan.validation_bytes),
      threads_option(o.threads, "trainings in parallel; the results do not depend on it"),
      report_option(o.report, "folder for page, figure and CSV"),
      quick_option(o.quick, "less than a minute: two seeds, fewer steps"),
      quiet_option(o.quiet),
      help_option(o.help),
  };
}

inline void check(const Options& o) {
  check_heads(o.plan.model.channels, o.plan.model.heads);
  check_top_k(o.plan.model.top_k, o.plan.model.experts);
  check_validation(o.plan.validation_bytes, o.plan.model.context);
}

}  // namespace detail

inline Options parse_command_line(const std::vector<std::string>& arguments) {
  Options options;
  const auto given = parse_options(detail::option_table(options), arguments);
  if (options.help) return options;
  if (options.quick) {
    refuse_beside_quick(given, {"--seeds", "--steps", "--validation"});
    detail::make_quick(options);
  }
  detail::check(options);
  return options;
}

inline std::string help_text() {
  Options options;
  const std::string what =
      "Trains the same small decoder with none of the three mappings of hyper-connections learnt,\n"
      "with H_res, with H_res and H_pre, and with all three, and compares losses seed by seed.\n\n";
  return what + help_lines(detail::option_table(options));
}

}  // namespace language_model::ablation
