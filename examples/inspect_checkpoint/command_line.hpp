// SPDX-License-Identifier: MIT
// The options of the program, their limits and their --help.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <mhc/checkpoint/family.hpp>

#include "../support/options.hpp"

namespace inspect_checkpoint {

using mhc::checkpoint::Family;
using namespace command_line;

struct Options {
  std::string file;
  bool demo = false;
  std::optional<Family> family;
  mhc::Index tokens = 64;
  std::uint64_t seed = 1;
  std::string csv;  // empty: none
  std::string svg = "build/reports/inspect_checkpoint.svg";
  std::string html = "build/reports/inspect_checkpoint.html";
  bool help = false;
};

namespace detail {

inline std::string all_families() {
  std::string names;
  for (const char* name : mhc::checkpoint::family_names) {
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return names;
}

inline Family parse_family(const std::string& value) {
  const auto family = mhc::checkpoint::family_named(value);
  if (!family) throw UsageError("--family: '" + value + "' is not one of " + all_families());
  return *family;
}

inline std::vector<Option> option_table(Options& o) {
  return {
      {"--demo", "", "write a file of DeepSeek-V4's shape, two layers, and inspect it",
       set_switch(o.demo)},
      {"--family", "NAME", "the file's family, if the file does not tell",
       [&o](const std::string& value) { o.family = parse_family(value); }},
      {"--tokens", "N", with_default("random tokens to run", o.tokens),
       set_integer(o.tokens, "--tokens", 1, 65536)},
      {"--seed", "N", with_default("their seed", o.seed),
       set_integer(o.seed, "--seed", 0, (std::numeric_limits<long long>::max)())},
      {"--csv", "PATH", "a line for each site", set_path(o.csv, "--csv")},
      {"--svg", "PATH", "the figure; default: " + o.svg, set_path(o.svg, "--svg")},
      {"--html", "PATH", "the page; default: " + o.html, set_path(o.html, "--html")},
      {"--help", "", "this list", set_switch(o.help)},
  };
}

}  // namespace detail

inline Options parse_command_line(const std::vector<std::string>& arguments) {
  Options options;
  parse_options(detail::option_table(options), arguments, [&](const std::string& word) {
    if (word.empty()) throw UsageError("the name of the file is empty");
    if (!options.file.empty()) {
      throw UsageError("two files, '" + options.file + "' and '" + word + "', expected one");
    }
    options.file = word;
  });
  if (options.help) return options;
  if (options.demo && !options.file.empty()) {
    throw UsageError("--demo makes its own file, '" + options.file + "' is not expected");
  }
  if (!options.demo && options.file.empty()) throw UsageError("expected a FILE or --demo");
  return options;
}

inline std::string help_text() {
  Options options;
  std::string text =
      "inspect_checkpoint FILE [OPTION...]\n\n"
      "Finds the hyper-connection sites in FILE (safetensors, the *.index.json of a sharded one,\n"
      "or GGUF), names its family and why, and measures the mappings on random streams: each\n"
      "token starts as N(0, 1), repeated to all streams, and the output of every sublayer, which\n"
      "is not computed, is another vector of N(0, 1), the scale of a sublayer behind a norm.\n\n";
  text += help_lines(detail::option_table(options), 20);
  return text + "\nFamilies: " + detail::all_families() + "\n";
}

}  // namespace inspect_checkpoint
