// SPDX-License-Identifier: MIT
// What is measured: the options of the program, their limits and their --help.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "config.hpp"
#include "options.hpp"

namespace language_model {

struct Scenario {
  std::vector<index> channels{96, 256, 512};
  index layers = 4;
  index heads = 4;
  index experts = 8;
  index top_k = 2;
  index batch = 4;
  index context = 128;
  index rounds = 15;
  std::uint64_t seed = 1;
  int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  std::filesystem::path report = "build/reports";
  bool quick = false;
  bool help = false;

  index tokens() const { return batch * context; }

  // The proportions of the language model's own sizes.
  ModelConfig model(index width, Residual residual, AttentionKind attention) const {
    ModelConfig config;
    config.residual = residual;
    config.streams = residual == Residual::plain ? 1 : 4;
    config.layers = layers;
    config.channels = width;
    config.attention = attention;
    config.heads = heads;
    config.q_rank = std::max<index>(1, width / 2);
    config.kv_rank = std::max<index>(1, width / 3);
    config.rope_channels = std::max<index>(2, width / heads / 4 * 2);
    config.experts = experts;
    config.top_k = top_k;
    config.context = context;
    config.mtp_weight = 0;
    return config;
  }
};

namespace detail {

inline std::string joined(const std::vector<index>& numbers) {
  std::string text;
  for (const index number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

// "96,256": each a width of a model.
inline std::vector<index> parse_widths(const std::string& value) {
  std::vector<index> widths;
  std::istringstream parts(value + ",");
  for (std::string part; std::getline(parts, part, ',');) {
    widths.push_back(static_cast<index>(parse_integer("--channels", part, 2, 8192)));
    if (widths.size() > 1 && widths.back() <= widths[widths.size() - 2]) {
      throw UsageError("--channels: '" + value + "' is not in rising order");
    }
  }
  return widths;
}

inline std::vector<Option> scenario_options(Scenario& s) {
  return {
      {"--channels", "LIST", "widths of the models; default: " + joined(s.channels),
       [&s](const std::string& value) { s.channels = parse_widths(value); }},
      {"--layers", "N", with_default("layers, each attention and experts", s.layers),
       set_integer(s.layers, "--layers", 1, 128)},
      {"--heads", "N", with_default("attention heads", s.heads),
       set_integer(s.heads, "--heads", 1, 256)},
      {"--experts", "N", with_default("routed experts", s.experts),
       set_integer(s.experts, "--experts", 1, 1024)},
      {"--top-k", "N", with_default("routed experts that a byte meets", s.top_k),
       set_integer(s.top_k, "--top-k", 1, 1024)},
      {"--batch", "N", with_default("sequences in a step", s.batch),
       set_integer(s.batch, "--batch", 1, 4096)},
      {"--context", "N", with_default("bytes in a sequence, and bytes to generate", s.context),
       set_integer(s.context, "--context", 2, 16384)},
      {"--rounds", "N", with_default("steps of each model that are timed", s.rounds),
       set_integer(s.rounds, "--rounds", 1, 100000)},
      {"--seed", "N", with_default("seed of weights and bytes", s.seed),
       set_integer(s.seed, "--seed", 0, std::numeric_limits<long long>::max())},
      {"--threads", "N", with_default("threads", s.threads),
       set_integer(s.threads, "--threads", 1, 1024)},
      {"--report", "FOLDER", "where page, figures and CSV go; default: build/reports",
       set_path(s.report, "--report")},
      {"--quick", "", "4 rounds, widths 96 and 256", set_switch(s.quick)},
      {"--help", "", "this list", set_switch(s.help)},
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
  for (const index width : s.channels) {
    if (width % s.heads != 0 || width / s.heads % 2 != 0) {
      throw UsageError("--channels " + std::to_string(width) + " and --heads " +
                       std::to_string(s.heads) + ": each head needs an even number of channels");
    }
  }
  if (s.top_k > s.experts) {
    throw UsageError("--top-k " + std::to_string(s.top_k) + " is more than --experts " +
                     std::to_string(s.experts));
  }
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
