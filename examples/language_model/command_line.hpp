// SPDX-License-Identifier: MIT
// The options of the program, their limits and their --help. An option without effect is an error.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "config.hpp"
#include "model_options.hpp"

namespace language_model {

struct Options {
  std::filesystem::path text;  // empty: the CMake manual
  ModelConfig model;
  TrainingConfig training;
  int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  std::filesystem::path checkpoint;  // empty: none
  bool resume = false;
  std::ptrdiff_t save_every = 0;       // 0: at the end only
  std::ptrdiff_t evaluate_every = 50;  // steps; 0: never
  std::filesystem::path report = "build/reports";
  std::ptrdiff_t sample = 400;
  std::string prompt = "The ";
  double temperature = 0.7;
  bool quiet = false;
  bool help = false;
};

namespace detail {

inline std::vector<Option> option_table(Options& o) {
  ModelConfig& m = o.model;
  TrainingConfig& t = o.training;
  return {
      text_option(o.text),
      {"--residual", "plain|hc|mhc|mhc-lite", "how sublayers are connected; default: mhc",
       set_named(m.residual, residual_named)},
      {"--streams", "N", "streams of hc, mhc and mhc-lite: 2 or 4; default: 4",
       set_integer(m.streams, "--streams", 1, 64)},
      steps_option(t.steps, "training steps"),
      batch_option(t.batch),
      context_option(m.context),
      layers_option(m.layers),
      channels_option(m.channels),
      {"--attention", "mla|mha", "latent or ordinary multi-head attention; default: mla",
       set_named(m.attention, attention_named)},
      heads_option(m.heads),
      {"--q-rank", "N", with_default("channels of the queries' latent in mla", m.q_rank),
       set_integer(m.q_rank, "--q-rank", 1, 8192)},
      {"--kv-rank", "N", with_default("channels of the keys' and values' latent in mla", m.kv_rank),
       set_integer(m.kv_rank, "--kv-rank", 1, 8192)},
      {"--rope-channels", "N", with_default("rotary channels of a head in mla", m.rope_channels),
       set_integer(m.rope_channels, "--rope-channels", 2, 8192)},
      experts_option(m.experts),
      top_k_option(m.top_k),
      {"--shared-experts", "N",
       with_default("shared experts, which see every byte", m.shared_experts),
       set_integer(m.shared_experts, "--shared-experts", 0, 64)},
      {"--balance", "on|off", "balance the experts' load by the routers' biases; default: on",
       set_on_off(t.balance, "--balance")},
      {"--mtp-weight", "X",
       with_default("weight of the prediction module's loss, 0: no module", m.mtp_weight),
       set_weight(m.mtp_weight, "--mtp-weight", 10)},
      learning_rate_option(t.learning_rate, 1),
      seed_option(t.seed, "random seed"),
      threads_option(o.threads, "threads; the results do not depend on it"),
      {"--checkpoint", "FILE", "save the run there at the end and when interrupted",
       set_path(o.checkpoint, "--checkpoint")},
      {"--save-every", "N", "also save every N steps",
       set_integer(o.save_every, "--save-every", 1, 100000000)},
      {"--resume", "", "resume from --checkpoint", set_switch(o.resume)},
      report_option(o.report, "folder for CSV, page and figures"),
      {"--evaluate-every", "N",
       with_default("steps between evaluations on the validation text, 0: none", o.evaluate_every),
       set_integer(o.evaluate_every, "--evaluate-every", 0, 100000000)},
      {"--sample", "N", with_default("bytes of text to generate at the end", o.sample),
       set_integer(o.sample, "--sample", 0, 1000000)},
      {"--prompt", "TEXT", "beginning of that text; default: 'The '",
       [&o](const std::string& value) { o.prompt = value; }},
      {"--temperature", "X", with_default("sampling temperature", o.temperature),
       set_number(o.temperature, "--temperature", 100)},
      quiet_option(o.quiet),
      help_option(o.help),
  };
}

// Checks across options.
inline void check(const Options& o, const std::vector<std::string>& given) {
  const ModelConfig& m = o.model;
  if (m.channels % m.heads != 0) {
    throw UsageError("--heads " + std::to_string(m.heads) + " does not divide --channels " +
                     std::to_string(m.channels));
  }
  if (m.attention == AttentionKind::mha) check_heads(m.channels, m.heads);
  if (m.rope_channels % 2 != 0) {
    throw UsageError("--rope-channels " + std::to_string(m.rope_channels) + " is odd");
  }
  for (const char* name : {"--q-rank", "--kv-rank", "--rope-channels"}) {
    if (is_given(given, name) && m.attention == AttentionKind::mha) {
      throw UsageError(std::string(name) + " has no effect with --attention mha");
    }
  }
  check_top_k(m.top_k, m.experts);
  if (m.residual == Residual::plain && is_given(given, "--streams")) {
    throw UsageError("--streams: --residual plain has one stream");
  }
  if (m.streams != 2 && m.streams != 4) {
    throw UsageError("--streams " + std::to_string(m.streams) + " was not compiled, 2 and 4 were");
  }
  for (const char* name : {"--resume", "--save-every"}) {
    if (is_given(given, name) && o.checkpoint.empty()) {
      throw UsageError(std::string(name) + " needs --checkpoint FILE");
    }
  }
  for (const char* name : {"--prompt", "--temperature"}) {
    if (is_given(given, name) && o.sample == 0) {
      throw UsageError(std::string(name) + " has no effect with --sample 0");
    }
  }
  if (o.sample > 0 && o.prompt.empty()) throw UsageError("--prompt: the text is empty");
}

}  // namespace detail

inline Options parse_command_line(const std::vector<std::string>& arguments) {
  Options options;
  const auto given = parse_options(detail::option_table(options), arguments);
  if (!options.help) detail::check(options, given);
  if (options.model.residual == Residual::plain) options.model.streams = 1;
  return options;
}

inline std::string help_text() {
  Options options;
  const std::string what =
      "Trains a byte-level decoder whose attention and mixture-of-experts sublayers are connected\n"
      "by manifold-constrained hyper-connections (mhc; mhc-lite: H_res as a mean of\n"
      "permutations), hyper-connections (hc) or ordinary residuals (plain), then evaluates it and\n"
      "generates text.\n\n";
  return what + help_lines(detail::option_table(options));
}

}  // namespace language_model
