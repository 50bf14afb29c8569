// SPDX-License-Identifier: MIT
// The program, from the options to the exit code.
#pragma once

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

#include "../report/file.hpp"
#include "command_line.hpp"
#include "demo.hpp"
#include "figure.hpp"
#include "inspection.hpp"
#include "text.hpp"

namespace inspect_checkpoint {

// A report must not overwrite the checkpoint.
inline void check_outputs(const Options& options) {
  std::error_code ignored;
  for (const std::string& path : {options.csv, options.svg, options.html}) {
    if (!path.empty() && std::filesystem::equivalent(path, options.file, ignored)) {
      throw std::runtime_error(path + " is the checkpoint itself: write the report elsewhere");
    }
  }
}

inline void write_file(const std::string& path, const std::string& text) {
  report::write_file(path, text);
  std::printf("written: %s\n", path.c_str());
}

// Prints the family and the reasons; throws if it is ambiguous and not chosen.
inline Family choose_family(const Model& model, const Options& options) {
  if (options.family) {
    std::printf("family: %s, as --family says\n", name(*options.family));
    return *options.family;
  }
  const auto recognition = model.recognize();
  const bool is_certain = recognition.is_certain();
  for (const auto& candidate : recognition.candidates()) {
    std::printf("family: %s%s: %s\n", is_certain ? "" : "perhaps ", name(candidate.family),
                printable(candidate.reason, 500).c_str());
  }
  if (!is_certain) {
    throw std::runtime_error("nothing in " + options.file +
                             " distinguishes these families; choose one with --family NAME");
  }
  return recognition.family();
}

// The numbers that the file gives instead of its family's defaults.
inline void print_settings(const Model& model) {
  const auto& settings = model.evidence.settings;
  std::string line;
  if (settings.norm_eps) line += format(", eps of the norm %g", *settings.norm_eps);
  if (settings.hc_eps) line += format(", hc_eps %g", *settings.hc_eps);
  if (settings.iterations) line += format(", %d iterations", *settings.iterations);
  if (!line.empty()) std::printf("the file says: %s\n", line.substr(2).c_str());
}

inline Inspection inspect(const Model& model, Family family, const Options& options) {
  return mhc::checkpoint::with_family(family, [&](auto type) {
    return mhc::with_streams<2, 4>(model.sites.front().streams, [&](auto streams) {
      return Inspector<streams(), decltype(type)>(model, options.tokens, options.seed).run();
    });
  });
}

inline Settings settings_of(const Options& options, Family family) {
  return {{"file", options.file},
          {"family", name(family)},
          {"random tokens", std::to_string(options.tokens)},
          {"seed", std::to_string(options.seed)}};
}

inline void print_times(const Inspection& inspection, double map_ms, const Options& options) {
  const std::string first = printable(inspection.sites.front().site->name);
  const Traced& traced = inspection.first;
  std::printf("first token of %s: sum of u %.4f, |u| %.4f; sum of x' %.4f, |x'| %.4f\n\n",
              first.c_str(), traced.u_sum, traced.u_length, traced.x_sum, traced.x_length);
  std::printf("map %.2f ms, load %.2f ms, prepare %.2f ms for %td tokens, of %zu sites\n", map_ms,
              inspection.load_ms, inspection.prepare_ms, options.tokens, inspection.sites.size());
}

inline int run(Options options) {
  if (options.demo) {
    options.file = "build/reports/inspect_checkpoint_demo.safetensors";
    report::create_folder_of(options.file);
    write_demo(options.file);
    std::printf("written: %s\n", options.file.c_str());
  }
  check_outputs(options);
  const Stopwatch mapping;
  const Model model(options.file);
  const double map_ms = mapping.milliseconds();
  if (model.sites.empty()) throw std::runtime_error("no hyper-connection site in " + options.file);
  std::printf("%s\n", sites_text(model.sites).c_str());
  const Family family = choose_family(model, options);
  if (family == Family::gated_residual &&
      model.sites.front().naming == mhc::checkpoint::Naming::gated_residual) {
    std::printf("the gated residual has no H_res: no statistics, no CSV, no figure\n");
    return 0;
  }
  if (model.sites.front().role == Role::head) {
    throw std::runtime_error("there is a head, but no site, in " + options.file);
  }
  print_settings(model);
  const Inspection inspection = inspect(model, family, options);
  std::printf("\n%s\n", statistics_text(inspection.sites).c_str());
  print_times(inspection, map_ms, options);
  if (!options.csv.empty()) {
    write_csv(options.csv, inspection.sites);
    std::printf("written: %s\n", options.csv.c_str());
  }
  const std::string file = std::filesystem::path(options.file).filename().string();
  const report::Figure drawn =
      figure(file + ": " + std::string(name(family)), inspection.sites, options.tokens);
  write_file(options.svg, drawn.svg());
  write_file(options.html, page(drawn, inspection.sites, settings_of(options, family)).html());
  return 0;
}

}  // namespace inspect_checkpoint
