// SPDX-License-Identifier: MIT
// The files: build/reports/ablation.html, ablation.svg, and the numbers as ablation_*.csv.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "../report/csv.hpp"
#include "../report/figure.hpp"
#include "../report/page.hpp"
#include "command_line.hpp"
#include "summary.hpp"
#include "variants.hpp"

namespace language_model::ablation {

namespace detail {

inline std::string name_of_kind(const Plan& plan) {
  return plan.model.residual == Residual::hc ? "HC" : "mHC";
}

inline void write_curves(const std::string& path, const std::vector<Run>& runs) {
  report::Csv curves(path, {"learnt", "seed", "step", "loss_nats", "gradient_norm"});
  for (const Run& run : runs) {
    for (std::size_t i = 0; i < run.curve.loss.size(); ++i) {
      curves.row({variants[run.variant].name, run.seed, i + 1, run.curve.loss[i],
                  run.curve.gradient_norm[i]});
    }
  }
  curves.close();
}

// The fields that a diverged training lacks stay empty.
inline void write_ends(const std::string& path, const std::vector<Run>& runs) {
  using Cell = report::Csv::Cell;
  report::Csv ends(
      path, {"learnt", "seed", "final_loss_nats", "gap_nats", "validation_bits", "diverged_at"});
  for (const Run& run : runs) {
    const Run& baseline = with_same_seed(runs, run, 0);
    const bool ended = !run.curve.diverged_at;
    const bool has_gap = ended && !baseline.curve.diverged_at;
    ends.row(
        {variants[run.variant].name, run.seed, ended ? Cell(last_tenth(run.curve.loss)) : Cell(""),
         has_gap ? Cell(last_tenth(gap(run.curve.loss, baseline.curve.loss))) : Cell(""),
         ended ? Cell(run.validation) : Cell(""), ended ? Cell("") : Cell(*run.curve.diverged_at)});
  }
  ends.close();
}

}  // namespace detail

inline report::Figure figure_of(const Plan& plan, const std::vector<Run>& runs,
                                const std::vector<Outcome>& outcomes) {
  using report::LineChart;
  using report::Marks;
  using report::Series;
  const std::size_t window = smoothing(static_cast<std::uint64_t>(plan.training.steps));
  const std::size_t seeds = runs.size() / variants.size();

  LineChart over_steps{"Training loss, minus the baseline's", {"step"}, {"nats per byte"}, {}, {}};
  LineChart final{"At the end", {}, {"nats per byte"}, {}, {}};
  over_steps.levels = {{0, "none"}};
  final.levels = {{0, "none"}};
  final.x.low = 0.5;
  final.x.high = static_cast<double>(variants.size()) - 0.5;
  Series papers;
  papers.name = "paper: HC, 27B";
  papers.is_dashed = true;
  papers.colour = static_cast<int>(variants.size()) + 1;
  for (std::size_t v = 1; v < variants.size(); ++v) {
    std::vector<std::vector<double>> gaps;
    for (const Run& run : runs) {
      if (run.variant != v) continue;
      const Run& baseline = with_same_seed(runs, run, 0);
      gaps.push_back(trailing_mean(gap(run.curve.loss, baseline.curve.loss), window));
    }
    const Band band = band_of(gaps);
    Series curve;
    curve.name = variants[v].name;
    for (std::size_t i = 0; i < band.mean.size(); ++i) {
      curve.x.push_back(static_cast<double>(i + 1));
    }
    curve.y = band.mean;
    curve.low = band.low;
    curve.high = band.high;
    curve.colour = static_cast<int>(v);
    over_steps.series.push_back(curve);

    // The mean is a short line with a band of one standard error, each seed a dot.
    const auto x = static_cast<double>(v);
    const Outcome& outcome = outcomes[v];
    Series mean;
    mean.name = variants[v].name;
    mean.colour = static_cast<int>(v);
    mean.marks = Marks::line;
    mean.x = {x - 0.2, x + 0.2};
    mean.y = {outcome.gap.mean, outcome.gap.mean};
    if (outcome.gap.count > 1) {
      mean.low.assign(2, outcome.gap.mean - outcome.gap.standard_error);
      mean.high.assign(2, outcome.gap.mean + outcome.gap.standard_error);
    }
    final.series.push_back(mean);
    Series each;
    each.colour = mean.colour;
    each.marks = Marks::dots;
    each.x.assign(outcome.gaps.size(), x);
    each.y = outcome.gaps;
    final.series.push_back(each);
    final.x.ticks.push_back({x, variants[v].added});
    papers.x.push_back(x);
    papers.y.push_back(variants[v].paper_gap);
  }
  final.series.push_back(papers);
  report::Figure figure("Which of the mappings of " + detail::name_of_kind(plan) + " are learnt");
  figure.subtitle(std::to_string(seeds) + (seeds == 1 ? " seed" : " seeds") +
                  "; left: mean and deviation, trailing means of " + std::to_string(window) +
                  " steps; right: each seed, mean and standard error");
  figure.row({over_steps, final}, 340);
  return figure;
}

// Returns the paths of all files.
inline std::vector<std::string> write_all(const Options& options, const Text& text,
                                          const std::vector<Run>& runs,
                                          const std::vector<Outcome>& outcomes) {
  const auto file = [&](const char* name) { return (options.report / name).string(); };
  detail::write_curves(file("ablation_training.csv"), runs);
  detail::write_ends(file("ablation.csv"), runs);
  const std::string of = detail::name_of_kind(options.plan);
  const report::Figure figure = figure_of(options.plan, runs, outcomes);
  report::write_svg(file("ablation.svg"), figure);
  report::Page page("Ablation: which of the mappings of " + of + " are learnt");
  for (const std::string& sentence : sentences(outcomes)) page.paragraph(sentence);
  page.table(table_of(outcomes),
             "Final loss in nats per byte, the mean of the last tenth of the steps, with the "
             "deviation over seeds; gaps to the same seed's baseline with their standard error");
  page.figure(figure,
              "Disabled mappings are replaced by 1/n, 1 and the identity. Curves of one seed see "
              "the same batches.");
  page.heading("Settings");
  Settings settings = settings_of(options.plan.model, options.plan.training);
  settings.emplace_back("seeds", std::to_string(options.seeds));
  settings.emplace_back("text", text.source + ", held out: " + text.split);
  page.settings(settings);
  page.write(file("ablation.html"));
  return {file("ablation.html"), file("ablation.svg"), file("ablation.csv"),
          file("ablation_training.csv")};
}

}  // namespace language_model::ablation
