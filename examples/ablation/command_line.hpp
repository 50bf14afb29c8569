// SPDX-License-Identifier: MIT
// The options of the program, their limits and their --help.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "options.hpp"
#include "variants.hpp"

namespace language_model::ablation {

struct Options {
  std::filesystem::path text;  // empty: the CMake manual
  index seeds = 3;
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
    plan.model.top_k = 2;  // a single one has gate 1, which teaches the router nothing
    plan.model.context = 64;
    plan.model.mtp_weight = 0;
    plan.training.steps = 1000;
    plan.training.learning_rate = 6e-3;
    plan.validation_bytes = 65536;
    return plan;
  }
};

namespace detail {

// What takes less than a minute.
inline void make_quick(Options& o) {
  o.seeds = 2;
  o.plan.training.steps = 150;
  o.plan.validation_bytes = 8192;
}

inline std::vector<Option> option_table(Options& o) {
  ModelConfig& m = o.plan.model;
  TrainingConfig& t = o.plan.training;
  return {
      {"--text", "FILE_OR_FOLDER", "what to learn; default: the CMake manual",
       set_path(o.text, "--text")},
      {"--seeds", "N", with_default("trainings of each variant", o.seeds),
       set_integer(o.seeds, "--seeds", 1, 100)},
      {"--seed", "N", with_default("the first of their seeds", t.seed),
       set_integer(t.seed, "--seed", 0, std::numeric_limits<long long>::max() - 100)},
      {"--residual", "hc|mhc", "whose mappings; default: hc, as in the paper's table",
       [&m](const std::string& value) {
         if (value != "hc" && value != "mhc") {
           throw UsageError("--residual: '" + value + "' is none of hc, mhc");
         }
         m.residual = residual_named(value);
       }},
      {"--layers", "N", with_default("layers, each attention and experts", m.layers),
       set_integer(m.layers, "--layers", 1, 128)},
      {"--channels", "N", with_default("channels", m.channels),
       set_integer(m.channels, "--channels", 2, 4096)},
      {"--heads", "N", with_default("attention heads", m.heads),
       set_integer(m.heads, "--heads", 1, 256)},
      {"--experts", "N", with_default("routed experts", m.experts),
       set_integer(m.experts, "--experts", 1, 1024)},
      {"--top-k", "N", with_default("routed experts that a byte meets", m.top_k),
       set_integer(m.top_k, "--top-k", 1, 1024)},
      {"--batch", "N", with_default("sequences in a step", t.batch),
       set_integer(t.batch, "--batch", 1, 4096)},
      {"--context", "N", with_default("bytes in a sequence", m.context),
       set_integer(m.context, "--context", 2, 16384)},
      {"--steps", "N", with_default("steps of a training", t.steps),
       set_integer(t.steps, "--steps", 1, 10000000)},
      {"--learning-rate", "X", with_default("peak of the learning rate", t.learning_rate),
       set_number(t.learning_rate, "--learning-rate", 1000)},
      {"--validation", "N", with_default("bytes of the final validation", o.plan.validation_bytes),
       set_integer(o.plan.validation_bytes, "--validation", 2, 1000000000)},
      {"--threads", "N",
       with_default("trainings at a time; the results do not depend on it", o.threads),
       set_integer(o.threads, "--threads", 1, 1024)},
      {"--report", "FOLDER", "where page, figure and CSVs go; default: build/reports",
       set_path(o.report, "--report")},
      {"--quick", "", "less than a minute: two seeds, fewer steps", set_switch(o.quick)},
      {"--quiet", "", "no progress, only the result", set_switch(o.quiet)},
      {"--help", "", "this list", set_switch(o.help)},
  };
}

inline void check(const Options& o) {
  const ModelConfig& m = o.plan.model;
  if (m.channels % m.heads != 0 || m.channels / m.heads % 2 != 0) {
    throw UsageError("--channels " + std::to_string(m.channels) + " and --heads " +
                     std::to_string(m.heads) + ": each head needs an even number of channels");
  }
  if (m.top_k > m.experts) {
    throw UsageError("--top-k " + std::to_string(m.top_k) + " is more than --experts " +
                     std::to_string(m.experts));
  }
  if (o.plan.validation_bytes <= m.context) {
    throw UsageError("--validation " + std::to_string(o.plan.validation_bytes) +
                     " must be more than --context " + std::to_string(m.context));
  }
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
