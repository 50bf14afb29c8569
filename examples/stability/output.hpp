// SPDX-License-Identifier: MIT
// The files: build/reports/stability.html, its figures as stability_*.svg and its numbers as
// stability_*.csv.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "../report/csv.hpp"
#include "../report/figure.hpp"
#include "../report/page.hpp"
#include "command_line.hpp"
#include "figures.hpp"
#include "results.hpp"
#include "summary.hpp"
#include "tables.hpp"

namespace language_model::stability {

namespace detail {

inline std::string file(const Options& options, const std::string& name) {
  return (options.report / ("stability_" + name)).string();
}

inline std::string write_curves(const Options& options, const Results& results) {
  const std::string path = file(options, "training.csv");
  report::Csv curves(path, {"residual", "seed", "step", "loss_nats", "gradient_norm"});
  for (const TrainedRun& run : results.runs) {
    for (std::size_t i = 0; i < run.curve.loss.size(); ++i) {
      curves.row(
          {name_of(run.residual), run.seed, i + 1, run.curve.loss[i], run.curve.gradient_norm[i]});
    }
  }
  curves.close();
  return path;
}

inline std::string write_gains(const Options& options, const Results& results) {
  const std::string path = file(options, "gains.csv");
  report::Csv gains(path, {"residual", "seed", "step", "site", "forward", "backward",
                           "composite_forward", "composite_backward", "stream_similarity"});
  for (const TrainedRun& run : results.runs) {
    for (const Observation& seen : run.observations) {
      for (std::size_t l = 0; l < seen.gains.single.size(); ++l) {
        gains.row({name_of(run.residual), run.seed, seen.step, l + 1, seen.gains.single[l].forward,
                   seen.gains.single[l].backward, seen.gains.composite[l].forward,
                   seen.gains.composite[l].backward, seen.similarity});
      }
    }
  }
  gains.close();
  return path;
}

inline std::string write_sweep(const Options& options, const Results& results) {
  const std::string path = file(options, "sweep.csv");
  report::Csv sweep(path,
                    {"residual", "sublayers", "learning_rate", "peak_forward", "peak_backward",
                     "largest_gradient_norm", "final_loss_nats", "diverged_at"});
  for (const SweepPoint& point : results.sweep) {
    sweep.row({name_of(point.residual), point.sublayers, point.learning_rate, point.peak.forward,
               point.peak.backward, point.largest_gradient_norm, point.final_loss,
               point.diverged_at ? std::to_string(*point.diverged_at) : std::string()});
  }
  sweep.close();
  return path;
}

inline std::string write_propagation(const Options& options, const Results& results) {
  const std::string path = file(options, "propagation.csv");
  report::Csv gains(path, {"residual", "mappings", "layers", "forward_10", "forward_50",
                           "forward_90", "backward_10", "backward_50", "backward_90"});
  for (const Spreading& spreading : results.spreadings) {
    const Quantiles& f = spreading.propagation.forward;
    const Quantiles& b = spreading.propagation.backward;
    for (std::size_t l = 0; l < f.median.size(); ++l) {
      gains.row({name_of(spreading.residual), spreading.name, l + 1, f.low[l], f.median[l],
                 f.high[l], b.low[l], b.median[l], b.high[l]});
    }
  }
  gains.close();
  return path;
}

inline std::string write_mappings(const Options& options, const Results& results) {
  const std::string path = file(options, "mappings.csv");
  report::Csv mappings(path, {"residual", "seed", "mapping", "out", "in", "mean"});
  for (const TrainedRun& run : results.runs) {
    for (const NamedMapping& mapping : run.mappings) {
      for (Index i = 0; i < mapping.values.rows(); ++i) {
        for (Index j = 0; j < mapping.values.cols(); ++j) {
          mappings.row({name_of(run.residual), run.seed, mapping.name, i, j, mapping.values(i, j)});
        }
      }
    }
  }
  mappings.close();
  return path;
}

inline Settings settings_of(const Options& o, const Text& text) {
  const auto number = [](auto value) { return std::to_string(value); };
  return {
      {"text", text.source + ", held out: " + text.split},
      {"sublayers", number(2 * o.blocks)},
      {"channels", number(o.channels)},
      {"heads", number(o.heads)},
      {"streams", number(o.model().streams)},
      {"sequences per step", number(o.batch)},
      {"bytes per sequence", number(o.context)},
      {"steps", number(o.steps)},
      {"peak of the learning rate", report::number(o.learning_rate)},
      {"seeds", number(o.seed) + " to " + number(o.seed + static_cast<std::uint64_t>(o.seeds) - 1)},
      {"steps of the sweep", number(o.sweep_steps)},
      {"samples of random mappings", number(o.samples)}};
}

}  // namespace detail

struct NamedFigure {
  std::string name, caption;
  report::Figure figure;
};

inline std::vector<NamedFigure> figures_of(const Results& results) {
  std::vector<NamedFigure> figures;
  figures.push_back({"training",
                     "Left: training loss minus that of the ordinary residual with the same seed, "
                     "hence on the same batches. Right: norms of the gradient before clipping.",
                     training_figure(results)});
  figures.push_back({"gains",
                     "Amax gains of H_res over depth. In a composite the first site's value is the "
                     "gain through the whole stack.",
                     gains_figure(results)});
  figures.push_back({"steps",
                     "The gain through the whole stack, and the similarity of the streams, during "
                     "training.",
                     steps_figure(results)});
  figures.push_back({"sweep",
                     "Left: the largest composite gain of a training. Right: its loss at the end; "
                     "ln 256 is the loss of guessing among 256 bytes.",
                     sweep_figure(results)});
  if (!results.spreadings.empty()) {
    figures.push_back({"propagation",
                       "No model: products of random mappings, drawn with the means and deviations "
                       "of the trained ones at the end, and with multiples of them; mHC also with "
                       "logits N(0, s^2).",
                       propagation_figure(results)});
  }
  const bool has_mappings =
      std::any_of(std::begin(with_mappings), std::end(with_mappings),
                  [&](Residual residual) { return first_ended(results, residual) != nullptr; });
  if (!has_mappings) return figures;
  figures.push_back({"mappings",
                     "H_res[out, in] of the first, middle and last site, and of products of the "
                     "last sites, the latest leftmost.",
                     mappings_figure(results)});
  return figures;
}

// Returns the paths of all files.
inline std::vector<std::string> write_all(const Options& options, const Text& text,
                                          const Results& results) {
  using namespace detail;
  const std::vector<std::string> tables{
      write_curves(options, results), write_gains(options, results), write_sweep(options, results),
      write_propagation(options, results), write_mappings(options, results)};

  report::Page page("Stability of deep stacks with hyper-connections");
  for (const std::string& sentence : sentences(results)) page.paragraph(sentence);
  page.table(training_table(results),
             "Trainings, mean and deviation over seeds; gains and norms: the largest of all seeds");
  page.table(depth_table(results),
             "Largest composite gain of any observed step, forward or backward, of any seed");
  std::vector<std::string> paths{(options.report / "stability.html").string()};
  for (const NamedFigure& named : figures_of(results)) {
    page.figure(named.figure, named.caption);
    paths.push_back(file(options, named.name + ".svg"));
    report::write_svg(paths.back(), named.figure);
  }
  page.table(sweep_table(results), "Learning rate and depth");
  page.table(propagation_table(results),
             "Random mappings: layers until the median gain is above a level");
  page.heading("Settings");
  page.settings(settings_of(options, text));
  page.write(paths.front());
  paths.insert(paths.end(), tables.begin(), tables.end());
  return paths;
}

}  // namespace language_model::stability
