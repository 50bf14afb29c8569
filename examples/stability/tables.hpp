// SPDX-License-Identifier: MIT
// The results as tables.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "../report/page.hpp"
#include "../report/text.hpp"
#include "results.hpp"

namespace language_model::stability {

namespace detail {

using report::number;

constexpr double large_gain = 10;
constexpr const char* forward_head = "largest composite gain of any observed step, forward";
constexpr const char* backward_head = "the same, backward";

// "-0.0212 +- 0.0034", or without a deviation for a single value, or "-" for none.
inline std::string spread_text(const Spread& spread, int decimals) {
  if (spread.count == 0) return "-";
  const std::string mean = report::fixed(spread.mean, decimals);
  if (spread.count == 1) return mean;
  return mean + " +- " + report::fixed(spread.deviation, decimals);
}

// The largest composite gain, forward or backward, over the observations of all seeds, of the last
// `sites` sites.
inline double largest_composite(const Results& results, Residual residual, std::size_t sites) {
  double most = 0;
  for (const TrainedRun* run : runs_of(results, residual)) {
    for (const Observation& seen : run->observations) {
      const mhc::Gains& gains = seen.gains.composite[seen.gains.composite.size() - sites];
      most = larger(larger(most, gains.forward), gains.backward);
    }
  }
  return most;
}

// Three digits, or all before the decimal point; a power of ten for large gains.
inline std::string gain_text(double gain) {
  return gain >= 100 && gain < 1e6 ? report::fixed(gain, 0) : number(gain, 3);
}

inline std::string depth_text(Index depth) {
  return depth > 0 ? std::to_string(depth) : "never";
}

inline std::string outcome_text(const SweepPoint& point) {
  switch (point.outcome()) {
    case SweepOutcome::learns:
      return "learns";
    case SweepOutcome::has_not_learnt:
      return "has not learnt";
    case SweepOutcome::lost:
      return "lost what it had learnt";
    case SweepOutcome::diverged:
      break;
  }
  return "diverged at step " + std::to_string(*point.diverged_at);
}

}  // namespace detail

inline report::Table training_table(const Results& results) {
  using namespace detail;
  report::Table table{{"residual", "final loss", "gap", "validation bits/byte", "largest norm",
                       forward_head, backward_head, "similarity", "diverged"},
                      {}};
  for (const Residual residual : residuals) {
    const auto runs = runs_of(results, residual);
    std::vector<double> losses, bits, alike;
    double norm = 0;
    mhc::Gains peak{0, 0};
    for (const TrainedRun* run : runs) {
      for (const double here : run->curve.gradient_norm) norm = larger(norm, here);
      peak = largest({peak, peak_composite(*run)});
      if (run->curve.diverged_at) continue;
      losses.push_back(last_tenth(run->curve.loss));
      bits.push_back(run->validation);
      alike.push_back(run->observations.back().similarity);
    }
    const bool is_plain = residual == Residual::plain;
    table.rows.push_back({title_of(residual), spread_text(spread_of(losses), 4),
                          is_plain ? "" : spread_text(spread_of(final_gaps(results, residual)), 4),
                          spread_text(spread_of(bits), 4), number(norm, 3), number(peak.forward, 4),
                          number(peak.backward, 4),
                          is_plain ? "" : spread_text(spread_of(alike), 3),
                          std::to_string(diverged(runs)) + " of " + std::to_string(runs.size())});
  }
  return table;
}

// The largest composite gains of the last sites, by their number, next to the paper's.
inline report::Table depth_table(const Results& results) {
  using namespace detail;
  report::Table table{{"sites", "HC", "mHC", "mHC-lite"}, {}};
  const std::size_t sites = results.runs.front().observations.front().gains.single.size();
  std::vector<std::size_t> depths;
  for (const std::size_t depth :
       {std::size_t{1}, sites / 6, sites / 3, sites / 2, 2 * sites / 3, 5 * sites / 6, sites}) {
    if (depth > 0 && (depths.empty() || depths.back() != depth)) depths.push_back(depth);
  }
  for (const std::size_t depth : depths) {
    std::vector<std::string> row{"last " + std::to_string(depth)};
    for (const Residual residual : {Residual::hc, Residual::mhc, Residual::mhc_lite}) {
      row.push_back(gain_text(largest_composite(results, residual, depth)));
    }
    table.rows.push_back(row);
  }
  table.rows.push_back({"paper: 27B, 60", "about " + number(paper::hc_gain),
                        "about " + number(paper::mhc_gain), ""});
  return table;
}

inline report::Table sweep_table(const Results& results) {
  using namespace detail;
  report::Table table{{"residual", "sublayers", "learning rate", forward_head, backward_head,
                       "largest norm", "final loss", "outcome"},
                      {}};
  for (const SweepPoint& point : results.sweep) {
    table.rows.push_back({title_of(point.residual), std::to_string(point.sublayers),
                          number(point.learning_rate) + " (x" + number(point.multiple) + ")",
                          number(point.peak.forward, 3), number(point.peak.backward, 3),
                          number(point.largest_gradient_norm, 3),
                          report::fixed(point.final_loss, 3), outcome_text(point)});
  }
  return table;
}

// The depths at which the median gain of random mappings exceeds a level.
inline report::Table propagation_table(const Results& results) {
  using namespace detail;
  report::Table table{{"mappings", "on I: mean, dev", "others: mean, dev", "above 1.6", "above 100",
                       "above 3000", "forward at the end", "backward at the end"},
                      {}};
  for (const Spreading& spreading : results.spreadings) {
    const Magnitudes& m = spreading.magnitudes;
    const Quantiles& forward = spreading.propagation.forward;
    const Quantiles& backward = spreading.propagation.backward;
    std::vector<double> either;
    for (std::size_t l = 0; l < forward.median.size(); ++l) {
      either.push_back(larger(larger(0, forward.median[l]), backward.median[l]));
    }
    table.rows.push_back({title_of(spreading.residual) + ", " + spreading.name,
                          number(m.identity_mean, 3) + ", " + number(m.identity_deviation, 3),
                          number(m.other_mean, 3) + ", " + number(m.other_deviation, 3),
                          depth_text(depth_above(either, paper::mhc_gain)),
                          depth_text(depth_above(either, 100)),
                          depth_text(depth_above(either, paper::hc_gain)),
                          number(forward.median.back(), 4), number(backward.median.back(), 4)});
  }
  return table;
}

}  // namespace language_model::stability
