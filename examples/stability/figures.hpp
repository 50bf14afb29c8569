// SPDX-License-Identifier: MIT
// The figures of arXiv:2512.24880 on stability (2, 3, 5, 7 and 8), for these trainings.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "../report/figure.hpp"
#include "results.hpp"

namespace language_model::stability {

namespace detail {

using report::LineChart;
using report::Scale;
using report::Series;

inline int colour_of(Residual residual) {
  return static_cast<int>(std::find(std::begin(residuals), std::end(residuals), residual) -
                          std::begin(residuals));
}

inline std::vector<double> counted(std::size_t size) {
  std::vector<double> numbers(size);
  for (std::size_t i = 0; i < size; ++i) numbers[i] = static_cast<double>(i + 1);
  return numbers;
}

inline Series series(const std::string& name, Residual residual, std::vector<double> x,
                     std::vector<double> y, bool is_dashed = false) {
  Series s;
  s.name = name;
  s.x = std::move(x);
  s.y = std::move(y);
  s.is_dashed = is_dashed;
  s.colour = colour_of(residual);
  return s;
}

inline Series banded(Residual residual, const Band& band) {
  Series s = series(title_of(residual), residual, counted(band.mean.size()), band.mean);
  s.low = band.low;
  s.high = band.high;
  return s;
}

// Forward solid, backward dashed.
template <class Gains>
void add_gains(LineChart& chart, Residual residual, const std::vector<double>& x,
               const Gains& gains) {
  std::vector<double> forward, backward;
  for (const mhc::Gains& here : gains) {
    forward.push_back(here.forward);
    backward.push_back(here.backward);
  }
  const std::string name = title_of(residual);
  chart.series.push_back(series(name + ", forward", residual, x, forward));
  chart.series.push_back(series(name + ", backward", residual, x, backward, true));
}

}  // namespace detail

inline constexpr Residual with_mappings[] = {Residual::hc, Residual::mhc, Residual::mhc_lite};

// The training that figures of one seed show, and where it diverged.
inline std::string first_seed_text(const Results& results) {
  std::string text = "first seed";
  for (const Residual residual : with_mappings) {
    const auto& diverged_at = first_run(results, residual).curve.diverged_at;
    if (!diverged_at) continue;
    text +=
        ", " + title_of(residual) + " before it diverged at step " + std::to_string(*diverged_at);
  }
  return text;
}

// Loss gaps to the baseline, and gradient norms: figures 2 and 5.
inline report::Figure training_figure(const Results& results) {
  using namespace detail;
  LineChart gaps{
      "Training loss, minus the ordinary residual's", {"step"}, {"nats per byte"}, {}, {}};
  for (const Residual residual : with_mappings) {
    gaps.series.push_back(banded(residual, band_of(smoothed_gaps(results, residual))));
  }
  gaps.levels = {{0, "ordinary"}};
  LineChart norms{"Gradient norm before clipping", {"step"}, {"norm", Scale::log}, {}, {}};
  for (const Residual residual : residuals) {
    norms.series.push_back(banded(residual, band_of(smoothed_norms(results, residual))));
  }
  report::Figure figure("Training " + results.what);
  figure.subtitle("means over " + seeds_text(results) + ", trailing means of " +
                  std::to_string(results.smoothing) + " steps; bands: one deviation between seeds");
  figure.row({gaps, norms}, 320);
  return figure;
}

// Gains over depth at the end of training, of the first seed: figures 3 and 7.
inline report::Figure gains_figure(const Results& results) {
  using namespace detail;
  LineChart single{"Each site alone", {"site"}, {"Amax gain", Scale::log}, {}, {}};
  LineChart composite{
      "The product from a site to the last", {"site"}, {"Amax gain", Scale::log}, {}, {}};
  for (const Residual residual : with_mappings) {
    const Observation& seen = first_run(results, residual).observations.back();
    const auto sites = counted(seen.gains.single.size());
    add_gains(single, residual, sites, seen.gains.single);
    add_gains(composite, residual, sites, seen.gains.composite);
  }
  composite.levels = {{paper::hc_gain, "paper: HC"}, {paper::mhc_gain, "paper: mHC"}};
  report::Figure figure("Gains over depth at the end of training " + results.what);
  figure.subtitle(first_seed_text(results) +
                  "; mean over the tokens of one validation sequence; forward: largest row sum, "
                  "backward: largest column sum");
  figure.row({single, composite}, 360);
  return figure;
}

// The composite of all sites, and the similarity of the streams, over training steps.
inline report::Figure steps_figure(const Results& results) {
  using namespace detail;
  LineChart composite{"The product of all sites", {"step"}, {"Amax gain", Scale::log}, {}, {}};
  LineChart similarity{"Streams before the last site", {"step"}, {"mean cosine"}, {}, {}};
  for (const Residual residual : with_mappings) {
    std::vector<double> steps, alike;
    std::vector<mhc::Gains> whole;
    for (const Observation& seen : first_run(results, residual).observations) {
      steps.push_back(static_cast<double>(seen.step));
      whole.push_back(seen.gains.composite.front());
      alike.push_back(seen.similarity);
    }
    add_gains(composite, residual, steps, whole);
    similarity.series.push_back(series(title_of(residual), residual, steps, alike));
  }
  composite.levels = {{paper::hc_gain, "paper: HC"}, {paper::mhc_gain, "paper: mHC"}};
  similarity.y.high = 1;
  report::Figure figure("Over the steps of training " + results.what);
  figure.subtitle(first_seed_text(results));
  figure.row({composite, similarity}, 360);
  return figure;
}

// Random mappings over depth, and how much stronger or weaker ones change it.
inline report::Figure propagation_figure(const Results& results) {
  using namespace detail;
  report::Figure figure("Random mappings at the magnitudes of the trained ones");
  std::vector<report::Chart> charts;
  for (const bool is_forward : {true, false}) {
    LineChart chart{is_forward ? "Forward: median, 10-90 %" : "Backward: median, 10-90 %",
                    {"layers"},
                    {"composite gain", Scale::log},
                    {},
                    {}};
    for (const Spreading& spreading : results.spreadings) {
      if (spreading.scale != 1) continue;
      const Propagation& of = spreading.propagation;
      const Quantiles& gains = is_forward ? of.forward : of.backward;
      Series s = series(title_of(spreading.residual), spreading.residual,
                        counted(gains.median.size()), gains.median);
      s.low = gains.low;
      s.high = gains.high;
      chart.series.push_back(std::move(s));
    }
    chart.levels = {{paper::hc_gain, "paper: HC"}, {paper::mhc_gain, "paper: mHC"}};
    charts.emplace_back(std::move(chart));
  }
  figure.row(std::move(charts), 320);
  std::vector<report::Chart> scales;
  for (const Residual residual : {Residual::hc, Residual::mhc}) {
    // Without a constraint forward and backward look alike; with it the forward gain is 1.
    const bool is_forward = residual == Residual::hc;
    LineChart chart{title_of(residual) + (is_forward ? ", forward, by scale" : ", backward"),
                    {"layers"},
                    {"median composite gain", Scale::log},
                    {},
                    {}};
    int colour = 0;
    for (const Spreading& spreading : results.spreadings) {
      if (spreading.residual != residual) continue;
      const Propagation& of = spreading.propagation;
      const std::vector<double>& median = is_forward ? of.forward.median : of.backward.median;
      chart.series.push_back(series(spreading.name, residual, counted(median.size()), median));
      chart.series.back().colour = colour++;
    }
    scales.emplace_back(std::move(chart));
  }
  figure.row(std::move(scales), 320);
  return figure;
}

// H_res of single sites and of products, averaged over tokens: figure 8.
inline report::Figure mappings_figure(const Results& results) {
  using report::HeatMaps;
  report::Figure figure("H_res at the end of training " + results.what);
  std::string left_out;
  for (const Residual residual : with_mappings) {
    if (first_ended(results, residual) == nullptr) {
      left_out += "; every training with " + title_of(residual) + " diverged";
    }
  }
  figure.subtitle(
      "first seed that did not diverge; mean over the tokens of one validation sequence; rows: "
      "streams written, columns: streams read" +
      left_out);
  for (const Residual residual : with_mappings) {
    const TrainedRun* ended = first_ended(results, residual);
    if (ended == nullptr) continue;
    const std::vector<NamedMapping>& mappings = ended->mappings;
    HeatMaps single{title_of(residual) + ": single sites", "out", "in", {}, {}, 3};
    HeatMaps products{title_of(residual) + ": products", "out", "in", {}, {}, 3};
    for (std::size_t i = 0; i < mappings.size(); ++i) {
      const NamedMapping& mapping = mappings[i];
      (i < mappings.size() / 2 ? single : products).maps.push_back({mapping.name, mapping.values});
    }
    figure.row({single, products}, 150);
  }
  return figure;
}

// Peak gains and final losses over learning rates and depths.
inline report::Figure sweep_figure(const Results& results) {
  using namespace detail;
  LineChart gains{
      "Largest composite gain", {"learning rate", Scale::log}, {"Amax gain", Scale::log}, {}, {}};
  LineChart losses{"Loss at the end", {"learning rate", Scale::log}, {"nats per byte"}, {}, {}};
  int colour = 0;
  for (const Residual residual : {Residual::plain, Residual::hc, Residual::mhc}) {
    std::vector<Index> depths;
    for (const SweepPoint& point : results.sweep) {
      const bool is_new = depths.empty() || depths.back() != point.sublayers;
      if (point.residual == residual && is_new) depths.push_back(point.sublayers);
    }
    for (const Index depth : depths) {
      std::vector<double> rates, peaks, ends;
      for (const SweepPoint& point : results.sweep) {
        if (point.residual != residual || point.sublayers != depth) continue;
        rates.push_back(point.learning_rate);
        peaks.push_back(std::max(point.peak.forward, point.peak.backward));
        ends.push_back(point.final_loss);
      }
      const std::string name = title_of(residual) + ", " + std::to_string(depth);
      Series peak = series(name, residual, rates, peaks, residual == Residual::mhc);
      Series end = series(name, residual, rates, ends, residual == Residual::mhc);
      peak.colour = end.colour = colour++;
      const bool is_deepest = depth == depths.back();
      if (residual == Residual::hc || (residual == Residual::mhc && is_deepest)) {
        gains.series.push_back(std::move(peak));
      }
      losses.series.push_back(std::move(end));
    }
  }
  gains.levels = {{paper::hc_gain, "paper: HC"}, {paper::mhc_gain, "paper: mHC"}};
  losses.levels = {{std::log(256.0), "a guess"}};
  report::Figure figure("Learning rate and depth, " + std::to_string(results.sweep_steps) +
                        " steps");
  figure.subtitle("the number behind a name counts the sublayers");
  figure.row({gains, losses}, 360);
  return figure;
}

}  // namespace language_model::stability
