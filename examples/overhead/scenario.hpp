// SPDX-License-Identifier: MIT
// The measured scenario: the options of the program, their limits and their --help.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "config.hpp"
#include "model_options.hpp"

namespace language_model {

struct Scenario {
  std::vector<Index> channels{96, 256, 512};
  Index layers = 4;
  Index heads = 4;
  Index experts = 8;
  Index top_k = 2;
  Index batch = 4;
  Index context = 128;
  Index rounds = 15;
  std::uint64_t seed = 1;
  int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  std::filesystem::path report = "build/reports";
  bool quick = false;
  bool help = false;

  Index tokens() const { return batch * context; }

  // In the proportions of the language model's sizes.
  ModelConfig model(Index width, Residual residual, AttentionKind attention) const {
    ModelConfig config;
    config.residual = residual;
    config.streams = residual == Residual::plain ? 1 : 4;
    config.layers = layers;
    config.channels = width;
    config.attention = attention;
    config.heads = heads;
    config.q_rank = std::max<Index>(1, width / 2);
    config.kv_rank = std::max<Index>(1, width / 3);
    config.rope_channels = std::max<Index>(2, width / heads / 4 * 2);
    config.experts = experts;
    config.top_k = top_k;
    config.context = context;
    config.mtp_weight = 0;
    return config;
  }
};

namespace detail {

inline std::string joined(const std::vector<Index>& numbers) {
  std::string text;
  for (const Index number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

// "96,256": the widths of the models.
inline std::vector<Index> parse_widths(const std::string& value) {
  std::vector<Index> widths;
  std::istringstream parts(value + ",");
  for (std::string part; std::getline(parts, part, ',');) {
    widths.push_back(static_cast<Index>(parse_integer("--channels", part, 2, 8192)));
    if (widths.size() > 1 && widths.back() <= widths[widths.size() - 2]) {
      throw UsageError("--channels: '" + value + "' is not in ascending order");
    }
  }
  return widths;
}

inline std::vector<Option> scenario_options(Scenario& s) {
  return {
      {"--channels", "LIST", "widths of the models; default: " + joined(s.channels),
       [&s](const std::string& value) { s.channels = parse_widths(value); }},
      layers_option(s.layers),
      heads_option(s.heads),
      experts_option(s.experts),
      top_k_option(s.top_k),
      batch_option(s.batch),
      context_option(s.context, "bytes per sequence, and bytes to generate"),
      {"--rounds", "N", with_default("timed steps of each model", s.rounds),
       set_integer(s.rounds, "--rounds", 1, 100000)},
      seed_option(s.seed, "seed of weights and bytes"),
      threads_option(s.threads, "threads"),
      report_option(s.report, "folder for page, figures and CSV"),
      quick_option(s.quick, "4 rounds, widths 96 and 256"),
      help_option(s.help),
  };
}

}  // namespace detail

inline Scenario parse_scenario(const std::vector<std::string>& arguments) {
  Scenario s;
  const auto given = parse_options(detail::scenario_options(s), arguments);
  if (s.help) return s;
  if (s.quick) {
    refuse_beside_quick(given, {"--rounds", "--channels"});
    s.rounds = 4;
    s.channels = {96, 256};
  }
  for (const Index width : s.channels) check_heads(width, s.heads);
  check_top_k(s.top_k, s.experts);
  return s;
}

inline std::string scenario_help() {
  Scenario s;
  return "Measures what mHC costs: models with the ordinary residual, hyper-connections and mHC\n"
         "train in turns, a step each, and generate text with and without caches; time and "
         "memory,\n"
         "and what they are made of.\n\n" +
         help_lines(detail::scenario_options(s));
}

}  // namespace language_model
