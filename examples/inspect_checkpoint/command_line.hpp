// SPDX-License-Identifier: MIT
// The options of the program, their limits and their --help. Whatever is not understood is an error
// that names it.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <mhc/checkpoint/family.hpp>

namespace inspect_checkpoint {

using mhc::checkpoint::Family;

struct Options {
  std::string file;
  bool demo = false;
  std::optional<Family> family;
  mhc::index tokens = 64;
  std::uint64_t seed = 1;
  std::string csv;  // empty: none
  std::string svg = "build/reports/inspect_checkpoint.svg";
  std::string html = "build/reports/inspect_checkpoint.html";
  bool help = false;
};

// A mistake in the command line: exit code 2.
struct UsageError : std::runtime_error {
  explicit UsageError(const std::string& what)
      : std::runtime_error(what + "; --help lists what there is") {}
};

namespace detail {

struct Option {
  std::string name;
  std::string value;  // what it takes, for --help; empty: a switch
  std::string help;
  std::function<void(const std::string&)> set;
};

inline long long parse_integer(const std::string& name, const std::string& value, long long least,
                               long long most) {
  char* end = nullptr;
  errno = 0;
  const long long number = std::strtoll(value.c_str(), &end, 10);
  if (value.empty() || *end != '\0' || errno != 0 || number < least || number > most) {
    throw UsageError(name + ": '" + value + "' is not a whole number from " +
                     std::to_string(least) + " to " + std::to_string(most));
  }
  return number;
}

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
  const auto path = [](std::string& target, const char* name) {
    return [&target, name](const std::string& value) {
      if (value.empty()) throw UsageError(std::string(name) + ": the path is empty");
      target = value;
    };
  };
  return {
      {"--demo", "", "write a file of DeepSeek-V4's shape, two layers, and inspect it",
       [&o](const std::string&) { o.demo = true; }},
      {"--family", "NAME", "what the file is, where it does not say so",
       [&o](const std::string& value) { o.family = parse_family(value); }},
      {"--tokens", "N", "random tokens that are sent through; default: 64",
       [&o](const std::string& value) {
         o.tokens = static_cast<mhc::index>(parse_integer("--tokens", value, 1, 65536));
       }},
      {"--seed", "N", "their seed; default: 1",
       [&o](const std::string& value) {
         o.seed = static_cast<std::uint64_t>(
             parse_integer("--seed", value, 0, std::numeric_limits<long long>::max()));
       }},
      {"--csv", "PATH", "a line for each site", path(o.csv, "--csv")},
      {"--svg", "PATH", "the figure; default: " + o.svg, path(o.svg, "--svg")},
      {"--html", "PATH", "the page; default: " + o.html, path(o.html, "--html")},
      {"--help", "", "this list", [&o](const std::string&) { o.help = true; }},
  };
}

}  // namespace detail

inline Options parse_command_line(const std::vector<std::string>& arguments) {
  Options options;
  const auto table = detail::option_table(options);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const auto option = std::find_if(table.begin(), table.end(), [&](const detail::Option& known) {
      return known.name == argument;
    });
    if (option == table.end() && argument.substr(0, 1) == "-") {
      throw UsageError("unknown option '" + argument + "'");
    }
    if (option == table.end()) {
      if (argument.empty()) throw UsageError("the name of the file is empty");
      if (!options.file.empty()) {
        throw UsageError("two files, '" + options.file + "' and '" + argument +
                         "', where one goes");
      }
      options.file = argument;
    } else if (option->value.empty()) {
      option->set("");
    } else if (i + 1 == arguments.size()) {
      throw UsageError(option->name + " needs a value: " + option->value);
    } else {
      option->set(arguments[++i]);
    }
  }
  if (options.help) return options;
  if (options.demo && !options.file.empty()) {
    throw UsageError("--demo makes its own file, '" + options.file + "' is one too many");
  }
  if (!options.demo && options.file.empty()) throw UsageError("which file? or --demo");
  return options;
}

inline std::string help_text() {
  Options options;
  std::string text =
      "inspect_checkpoint FILE [OPTION...]\n\n"
      "Finds the hyper-connection sites in FILE (safetensors, the *.index.json of a sharded one, "
      "or\n"
      "GGUF), says which family it is of and why, and measures the mappings on random streams: "
      "each\n"
      "token begins as N(0, 1), repeated to all streams, and the output of every sublayer, which "
      "is\n"
      "not computed, is another vector of N(0, 1), the size that a sublayer behind a norm has.\n\n";
  for (const auto& option : detail::option_table(options)) {
    std::string left = "  " + option.name + (option.value.empty() ? "" : " " + option.value);
    left.resize(std::max<std::size_t>(left.size() + 2, 20), ' ');
    text += left + option.help + "\n";
  }
  return text + "\nFamilies: " + detail::all_families() + "\n";
}

}  // namespace inspect_checkpoint
