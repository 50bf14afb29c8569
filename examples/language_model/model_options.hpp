// SPDX-License-Identifier: MIT
// The options that the programs on the decoder share, with their limits, and checks across options.
#pragma once

#include <filesystem>
#include <limits>
#include <string>

#include "../support/options.hpp"
#include "model/linear.hpp"

namespace language_model {

using namespace command_line;

inline Option text_option(std::filesystem::path& text) {
  return {"--text", "FILE_OR_FOLDER", "training text; default: the CMake manual",
          set_path(text, "--text")};
}

inline Option layers_option(Index& layers) {
  return {"--layers", "N", with_default("layers, each attention and experts", layers),
          set_integer(layers, "--layers", 1, 128)};
}

inline Option channels_option(Index& channels) {
  return {"--channels", "N", with_default("channels", channels),
          set_integer(channels, "--channels", 2, 8192)};
}

inline Option heads_option(Index& heads) {
  return {"--heads", "N", with_default("attention heads", heads),
          set_integer(heads, "--heads", 1, 256)};
}

inline Option experts_option(Index& experts) {
  return {"--experts", "N", with_default("routed experts", experts),
          set_integer(experts, "--experts", 1, 1024)};
}

inline Option top_k_option(Index& top_k) {
  return {"--top-k", "N", with_default("routed experts per byte", top_k),
          set_integer(top_k, "--top-k", 1, 1024)};
}

inline Option batch_option(Index& batch) {
  return {"--batch", "N", with_default("sequences per step", batch),
          set_integer(batch, "--batch", 1, 4096)};
}

inline Option context_option(Index& context, const std::string& what = "bytes per sequence") {
  return {"--context", "N", with_default(what, context),
          set_integer(context, "--context", 2, 16384)};
}

inline Option steps_option(Index& steps, const std::string& what) {
  return {"--steps", "N", with_default(what, steps), set_integer(steps, "--steps", 1, 100000000)};
}

// The experiments go far above 1, where training breaks.
inline Option learning_rate_option(double& rate, double most) {
  return {"--learning-rate", "X", with_default("peak of the learning rate", rate),
          set_number(rate, "--learning-rate", most)};
}

inline Option validation_option(Index& bytes) {
  return {"--validation", "N", with_default("bytes of the final validation", bytes),
          set_integer(bytes, "--validation", 2, 1000000000)};
}

inline Option seeds_option(Index& seeds, const std::string& what) {
  return {"--seeds", "N", with_default(what, seeds), set_integer(seeds, "--seeds", 1, 100)};
}

template <class Seed>
Option seed_option(Seed& seed, const std::string& what) {
  constexpr long long most_seeds = 100;  // the last of them must fit, too
  return {"--seed", "N", with_default(what, seed),
          set_integer(seed, "--seed", 0, (std::numeric_limits<long long>::max)() - most_seeds)};
}

inline Option threads_option(int& threads, const std::string& what) {
  return {"--threads", "N", with_default(what, threads),
          set_integer(threads, "--threads", 1, 1024)};
}

inline Option report_option(std::filesystem::path& folder, const std::string& what) {
  return {"--report", "FOLDER", what + "; default: build/reports", set_path(folder, "--report")};
}

inline Option quick_option(bool& quick, const std::string& what) {
  return {"--quick", "", what, set_switch(quick)};
}

inline Option quiet_option(bool& quiet) {
  return {"--quiet", "", "no progress, only the result", set_switch(quiet)};
}

inline Option help_option(bool& help) {
  return {"--help", "", "this list", set_switch(help)};
}

// Rotary positions rotate pairs of a head's channels.
inline void check_heads(Index channels, Index heads) {
  if (channels % heads != 0 || channels / heads % 2 != 0) {
    throw UsageError("--channels " + std::to_string(channels) + " and --heads " +
                     std::to_string(heads) + ": each head needs an even number of channels");
  }
}

inline void check_top_k(Index top_k, Index experts) {
  if (top_k > experts) {
    throw UsageError("--top-k " + std::to_string(top_k) + " is more than --experts " +
                     std::to_string(experts));
  }
}

inline void check_validation(Index bytes, Index context) {
  if (bytes <= context) {
    throw UsageError("--validation " + std::to_string(bytes) + " must be more than --context " +
                     std::to_string(context));
  }
}

}  // namespace language_model
