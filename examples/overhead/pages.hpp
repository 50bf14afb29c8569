// SPDX-License-Identifier: MIT
// The files of a run: overhead.html, its figures as SVG, and all numbers as CSV.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <mhc/instruction_set.hpp>

#include "../report/csv.hpp"
#include "../report/figure.hpp"
#include "../report/page.hpp"
#include "tables.hpp"

namespace language_model {

struct Findings {
  std::vector<TrainingCost> training;
  std::vector<MemoryCosts> memory;
  std::vector<GenerationCosts> generation;
};

inline const char* kernels() {
#if defined(MHC_GENERIC_ONLY)
  return "those of the compiler's flags";
#else
  return mhc::name(mhc::instruction_set());
#endif
}

inline report::Figure training_figure(const Scenario& scenario, const Findings& findings) {
  using namespace report;
  Axis channels{"channels C", Scale::log, {}, {}, {}};
  Series hc{"HC, step"}, constrained{"mHC, step"}, block{"mHC, block alone"};
  Series counted{"mHC, multiply-adds"};
  counted.is_dashed = true;
  counted.colour = 2;
  std::vector<Series> parts;
  for (const StepPart& part : step_parts()) {
    if (part.name != std::string("step")) parts.push_back({part.name});
  }
  for (const TrainingCost& cost : findings.training) {
    const auto width = static_cast<double>(cost.channels);
    channels.ticks.push_back({width, std::to_string(cost.channels)});
    const Arithmetic arithmetic =
        count_arithmetic(scenario.model(cost.channels, Residual::mhc, AttentionKind::mla));
    const auto add = [&](Series& series, double share) {
      series.x.push_back(width);
      series.y.push_back(100 * share);
    };
    add(hc, cost.step(1) / cost.step(0) - 1);
    add(constrained, cost.step(2) / cost.step(0) - 1);
    add(block, share_of_block(cost));
    add(counted, arithmetic.block / arithmetic.sublayers);
    for (std::size_t p = 0; p < parts.size(); ++p) add(parts[p], share_of_step(cost, 2, p));
  }
  Figure figure("Training: time beyond the ordinary residual's");
  figure.row({LineChart{"Whole step",
                        channels,
                        {"% of the ordinary step", Scale::linear, 0, {}, {}},
                        {hc, constrained, block, counted},
                        {{100 * papers_overhead, "paper, 27B: 6.7"}}}},
             300);
  figure.row({LineChart{"What mHC adds, by part",
                        channels,
                        {"% of the ordinary step", Scale::linear, {}, {}, {}},
                        parts,
                        {}}},
             320);
  return figure;
}

inline report::Figure generation_figure(const GenerationCosts& costs) {
  using namespace report;
  std::vector<Series> cached, whole;
  for (const GenerationCost& cost : costs.of) {
    const std::string name = std::string(name_of(cost.attention)) + ", " + title_of(cost.residual);
    // Medians over neighbouring positions: single bytes are noisy.
    Series with{name}, without{name};
    constexpr std::size_t neighbours = 8;
    for (std::size_t t = 0; t < cost.cached.size(); t += neighbours) {
      const auto begin = cost.cached.begin() + static_cast<std::ptrdiff_t>(t);
      const std::size_t count = std::min(neighbours, cost.cached.size() - t);
      with.x.push_back(static_cast<double>(t) + static_cast<double>(count - 1) / 2);
      with.y.push_back(1e6 * median({begin, begin + static_cast<std::ptrdiff_t>(count)}));
    }
    for (std::size_t i = 0; i < cost.positions.size(); ++i) {
      without.x.push_back(static_cast<double>(cost.positions[i]));
      without.y.push_back(1e6 * cost.whole[i]);
    }
    cached.push_back(with);
    whole.push_back(without);
  }
  Figure figure("Generation: time of a byte, " + std::to_string(costs.channels) + " channels");
  const Axis position{"bytes before it", Scale::linear, {}, {}, {}};
  figure.row(
      {LineChart{"With caches", position, {"us", Scale::linear, 0, {}, {}}, cached, {}},
       LineChart{
           "Whole context recomputed", position, {"us", Scale::linear, 0, {}, {}}, whole, {}}},
      300);
  return figure;
}

// Returns the paths.
inline std::vector<std::string> write_csv(const std::filesystem::path& folder,
                                          const Findings& findings) {
  using report::Csv;
  std::vector<std::string> paths;
  for (const char* name :
       {"overhead_training.csv", "overhead_memory.csv", "overhead_generation.csv"}) {
    paths.push_back((folder / name).string());
  }
  Csv training(paths[0], {"channels", "residual", "part", "median_seconds"});
  for (const TrainingCost& cost : findings.training) {
    for (std::size_t r = 0; r < cost.seconds.size(); ++r) {
      for (std::size_t p = 0; p < step_parts().size(); ++p) {
        training.row(
            {cost.channels, name_of(compared[r]), step_parts()[p].name, cost.seconds[r][p]});
      }
    }
  }
  Csv memory(paths[1], {"channels", "residual", "parameters", "streams", "mappings", "inputs",
                        "sublayers", "rest"});
  for (const MemoryCosts& costs : findings.memory) {
    for (std::size_t r = 0; r < costs.of.size() && costs.is_known; ++r) {
      const MemoryCost& c = costs.of[r];
      memory.row({costs.channels, name_of(compared[r]), c.parameters, c.streams, c.mappings,
                  c.inputs, c.sublayers, c.rest});
    }
  }
  Csv generation(paths[2], {"channels", "attention", "residual", "position", "way", "seconds"});
  for (const GenerationCosts& costs : findings.generation) {
    for (const GenerationCost& c : costs.of) {
      for (std::size_t t = 0; t < c.cached.size(); ++t) {
        generation.row(
            {costs.channels, name_of(c.attention), name_of(c.residual), t, "cache", c.cached[t]});
      }
      for (std::size_t i = 0; i < c.positions.size(); ++i) {
        generation.row({costs.channels, name_of(c.attention), name_of(c.residual), c.positions[i],
                        "whole", c.whole[i]});
      }
    }
  }
  training.close();
  memory.close();
  generation.close();
  return paths;
}

inline void write_pages(const Scenario& scenario, const Findings& findings) {
  const std::filesystem::path folder = scenario.report;
  const std::vector<std::string> csvs = write_csv(folder, findings);
  const auto file = [&](const char* name) { return (folder / name).string(); };
  report::Page page("What mHC costs");
  page.paragraph(
      "Models with the ordinary residual, hyper-connections and mHC, otherwise the same, train in "
      "turns, a step each, in one process. Times are medians over the rounds, so parts need not "
      "add up to the step exactly. Attention is multi-head latent attention, the feed-forward a "
      "mixture of experts; n = 4 streams.");
  page.settings({{"channels", detail::joined(scenario.channels)},
                 {"layers", std::to_string(scenario.layers)},
                 {"heads", std::to_string(scenario.heads)},
                 {"routed experts, of them used",
                  std::to_string(scenario.experts) + ", " + std::to_string(scenario.top_k)},
                 {"tokens per step",
                  std::to_string(scenario.batch) + " x " + std::to_string(scenario.context)},
                 {"rounds", std::to_string(scenario.rounds)},
                 {"threads", std::to_string(scenario.threads)},
                 {"kernels", kernels()},
                 {"seed", std::to_string(scenario.seed)}});
  page.heading("Training: time");
  page.table(summary_table(scenario, findings.training), "Time beyond the ordinary residual's");
  page.paragraph(
      "For each token a site's block costs n C (n^2 + 2n) multiply-adds for the mappings and C "
      "(n^2 + 2n) for the streams, the sublayers a multiple of C^2: what mHC adds falls as 1 / C. "
      "The last column counts the multiply-adds of the forward; the others are time, in which the "
      "block moves memory and runs Sinkhorn-Knopp while the sublayers multiply matrices.");
  page.paragraph(
      "The sublayers do the same arithmetic with every residual; what they add here is noise or "
      "the cost of colder caches, which this run cannot tell apart.");
  page.paragraph(
      "The paper's 6.7 % is for another setting, 27B parameters on GPUs with fused kernels and "
      "recomputation; no number here confirms or refutes it.");
  for (const TrainingCost& cost : findings.training) {
    page.table(training_table(cost), "A step with " + std::to_string(cost.channels) +
                                         " channels; adds: share of the ordinary step");
  }
  const auto training = training_figure(scenario, findings);
  report::write_svg(file("overhead_training.svg"), training);
  page.figure(training, "What hyper-connections and mHC add to a training step.");
  page.heading("Training: memory");
  page.paragraph(
      "Growth of the heap while a model, and one of each of its parts, is built. Streams are n C "
      "numbers for each token and site, all kept for the backward, without recomputation.");
  for (const MemoryCosts& costs : findings.memory) {
    if (costs.is_known) {
      page.table(memory_table(costs), std::to_string(costs.channels) + " channels");
    } else {
      page.paragraph("Not measured: this program uses another allocator than the C library's.");
    }
  }
  page.heading("Generation");
  page.paragraph(
      "One sequence, byte by byte; the models take turns at every byte. With caches the median "
      "over all positions; without, at the last one, where the whole context is recomputed.");
  page.table(generation_table(findings.generation), "Time of a generated byte");
  const auto generation = generation_figure(findings.generation.front());
  report::write_svg(file("overhead_generation.svg"), generation);
  page.figure(generation, "Time of a byte over its position.");
  page.table(cache_table(scenario, findings.generation), "Cache per token and layer");
  page.write(file("overhead.html"));
  std::vector<std::string> paths{file("overhead.html"), file("overhead_training.svg"),
                                 file("overhead_generation.svg")};
  paths.insert(paths.end(), csvs.begin(), csvs.end());
  std::printf("\n");
  for (const std::string& path : paths) std::printf("written: %s\n", path.c_str());
}

}  // namespace language_model
