// SPDX-License-Identifier: MIT
// A run of the program: train, sweep, draw random mappings, write.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "../report/file.hpp"
#include "command_line.hpp"
#include "output.hpp"
#include "results.hpp"
#include "shared_progress.hpp"
#include "summary.hpp"
#include "table_text.hpp"
#include "tables.hpp"
#include "text.hpp"

namespace language_model::stability {

namespace detail {

inline std::vector<TrainedRun> train_with_progress(const Options& options, const Text& text) {
  const auto plans = options.plans();
  SharedProgress progress("training", plans.size() * static_cast<std::uint64_t>(options.steps),
                          options.quiet);
  auto runs = train_all(plans, text, options.threads, std::ref(progress));
  progress.end();
  return runs;
}

inline std::vector<SweepPoint> sweep_with_progress(const Options& options, const Text& text) {
  const SweepPlan sweep = options.sweep();
  SharedProgress progress(
      "sweep", sweep_plans(sweep).size() * static_cast<std::uint64_t>(options.sweep_steps),
      options.quiet);
  auto points = run_sweep(sweep, text, options.threads, std::ref(progress));
  progress.end();
  return points;
}

// Random mappings with the magnitudes of the first training that did not diverge, HC's also at
// other scales, and mHC's also from logits of other sizes.
inline std::vector<Spreading> spreadings(const Options& options, const Results& results) {
  std::vector<Spreading> all;
  const auto add = [&](Residual residual, const std::string& name, double scale,
                       const Magnitudes& magnitudes) {
    all.push_back({residual, name, scale, magnitudes,
                   propagate(residual, magnitudes, options.depth, options.samples, options.seed)});
  };
  for (const Residual residual : {Residual::hc, Residual::mhc, Residual::mhc_lite}) {
    const TrainedRun* ended = first_ended(results, residual);
    if (ended == nullptr) continue;  // reported by the sentences
    const Magnitudes& trained = ended->magnitudes;
    if (residual == Residual::hc) add(residual, "x0.5", 0.5, scaled(trained, 0.5));
    add(residual, "as trained", 1, trained);
    if (residual == Residual::hc) {
      add(residual, "x2", 2, scaled(trained, 2));
      add(residual, "x4", 4, scaled(trained, 4));
    }
    if (residual == Residual::mhc) {
      for (const double s : {1.0, 4.0, 16.0}) {
        add(residual, "logits N(0, " + report::number(s) + "^2)", 0, {0, s, 0, s});
      }
    }
  }
  return all;
}

inline void print(const std::string& title, const report::Table& table) {
  std::printf("\n%s\n%s", title.c_str(), table_text(table).c_str());
}

}  // namespace detail

inline int run(const Options& options) {
  const Text text = read_text(options.text.empty() ? cmake_manual() : options.text);
  check_length(text, options.context);
  report::create_folder_of((options.report / "stability.html").string());
  Results results;
  results.what = std::to_string(2 * options.blocks) + " sublayers of " +
                 std::to_string(options.channels) + " channels";
  results.steps = static_cast<std::uint64_t>(options.steps);
  results.sweep_steps = static_cast<std::uint64_t>(options.sweep_steps);
  results.smoothing = smoothing(results.steps);
  results.runs = detail::train_with_progress(options, text);
  results.sweep = detail::sweep_with_progress(options, text);
  results.spreadings = detail::spreadings(options, results);

  detail::print("trainings: " + results.what, training_table(results));
  detail::print("largest composite gain of any observed step, forward or backward",
                depth_table(results));
  detail::print("learning rate and depth", sweep_table(results));
  detail::print("random mappings: layers until the median gain is above a level",
                propagation_table(results));
  std::printf("\n");
  for (const std::string& sentence : sentences(results)) std::printf("%s\n", sentence.c_str());
  std::printf("\n");
  for (const std::string& path : write_all(options, text, results)) {
    std::printf("written: %s\n", path.c_str());
  }
  return 0;
}

}  // namespace language_model::stability
