// SPDX-License-Identifier: MIT
// What came out, as tables and as sentences: each sentence follows from the numbers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <mhc/report/page.hpp>
#include <mhc/report/text.hpp>

#include "results.hpp"

namespace language_model::stability {

namespace detail {

using mhc::report::number;

constexpr double large_gain = 10;

// "-0.0212 +- 0.0034", or without a deviation where there is one value, or "-" where there is none.
inline std::string spread_text(const Spread& spread, int decimals) {
  if (spread.count == 0) return "-";
  const std::string mean = mhc::report::fixed(spread.mean, decimals);
  if (spread.count == 1) return mean;
  return mean + " +- " + mhc::report::fixed(spread.deviation, decimals);
}

// The largest composite gain, forward or backward, over the observations of all seeds, of the last
// `sites` sites.
inline double largest_composite(const Results& results, Residual residual, std::size_t sites) {
  double most = 0;
  for (const TrainedRun* run : runs_of(results, residual)) {
    for (const Observation& seen : run->observations) {
      const mhc::Gains& gains = seen.gains.composite[seen.gains.composite.size() - sites];
      for (const double gain : {gains.forward, gains.backward}) {
        if (!(gain <= most)) most = gain;
      }
    }
  }
  return most;
}

// Three digits, or all that stand before the point; a power of ten where they are many.
inline std::string gain_text(double gain) {
  return gain >= 100 && gain < 1e6 ? mhc::report::fixed(gain, 0) : number(gain, 3);
}

inline std::string depth_text(index depth) {
  return depth > 0 ? std::to_string(depth) : "never";
}

}  // namespace detail

inline mhc::report::Table training_table(const Results& results) {
  using namespace detail;
  mhc::report::Table table{{"residual", "final loss", "gap", "validation bits/byte", "largest norm",
                            "peak forward", "peak backward", "similarity", "diverged"},
                           {}};
  for (const Residual residual : residuals) {
    const auto runs = runs_of(results, residual);
    std::vector<double> losses, bits, alike;
    double norm = 0;
    mhc::Gains peak{0, 0};
    for (const TrainedRun* run : runs) {
      for (const double here : run->curve.gradient_norm) norm = std::max(norm, here);
      const mhc::Gains gains = peak_composite(*run).gains;
      peak = largest({peak, gains});
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

// The largest composite gains of the last so many sites, next to the paper's.
inline mhc::report::Table depth_table(const Results& results) {
  using namespace detail;
  mhc::report::Table table{{"sites", "HC", "mHC", "mHC-lite"}, {}};
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

inline mhc::report::Table sweep_table(const Results& results) {
  using namespace detail;
  mhc::report::Table table{{"residual", "sublayers", "learning rate", "peak forward",
                            "peak backward", "largest norm", "final loss", "outcome"},
                           {}};
  for (const SweepPoint& point : results.sweep) {
    const std::string outcome = point.diverged_at
                                    ? "diverged at step " + std::to_string(*point.diverged_at)
                                : point.is_broken() ? "guesses"
                                                    : "learns";
    table.rows.push_back({title_of(point.residual), std::to_string(point.sublayers),
                          number(point.learning_rate) + " (x" + number(point.multiple) + ")",
                          number(point.peak.forward, 3), number(point.peak.backward, 3),
                          number(point.largest_gradient_norm, 3),
                          mhc::report::fixed(point.final_loss, 3), outcome});
  }
  return table;
}

// From which depth on the median gain of random mappings is above a level.
inline mhc::report::Table propagation_table(const Results& results) {
  using namespace detail;
  mhc::report::Table table{{"mappings", "on I: mean, dev", "others: mean, dev", "above 1.6",
                            "above 100", "above 3000", "forward at the end", "backward at the end"},
                           {}};
  for (const Spreading& spreading : results.spreadings) {
    const Magnitudes& m = spreading.magnitudes;
    const Quantiles& forward = spreading.propagation.forward;
    const Quantiles& backward = spreading.propagation.backward;
    std::vector<double> larger;
    for (std::size_t l = 0; l < forward.median.size(); ++l) {
      larger.push_back(std::max(forward.median[l], backward.median[l]));
    }
    table.rows.push_back({title_of(spreading.residual) + ", " + spreading.name,
                          number(m.identity_mean, 3) + ", " + number(m.identity_deviation, 3),
                          number(m.other_mean, 3) + ", " + number(m.other_deviation, 3),
                          depth_text(depth_above(larger, paper::mhc_gain)),
                          depth_text(depth_above(larger, 100)),
                          depth_text(depth_above(larger, paper::hc_gain)),
                          number(forward.median.back(), 4), number(backward.median.back(), 4)});
  }
  return table;
}

namespace detail {

inline std::string gains_sentence(const Results& results) {
  const std::size_t sites = results.runs.front().observations.front().gains.single.size();
  const double hc = largest_composite(results, Residual::hc, sites);
  const double mhc = largest_composite(results, Residual::mhc, sites);
  std::string text = "Over " + std::to_string(sites) + " sites the composite gain of HC came to " +
                     gain_text(hc) + " and that of mHC to " + gain_text(mhc) +
                     "; the paper's 27B model had about " + gain_text(paper::hc_gain) + " and " +
                     gain_text(paper::mhc_gain) + ". ";
  if (!(hc < paper::hc_gain)) {
    text += "HC's is above the paper's here";
  } else if (hc > large_gain * mhc) {
    text += "HC's stays below the paper's here, but is " + gain_text(hc / mhc) + " times mHC's";
  } else {
    text += "The two do not differ by a factor of ten here";
  }
  return text + (mhc <= paper::mhc_gain ? "; mHC's is within the paper's."
                                        : "; mHC's is above the paper's.");
}

inline std::string loss_sentence(const Results& results) {
  const auto runs = runs_of(results, Residual::hc);
  const std::size_t lost = diverged(runs);
  if (lost > 0) {
    return std::to_string(lost) + " of " + std::to_string(runs.size()) +
           " trainings with HC diverged.";
  }
  const auto rise_of = [&](Residual residual) {
    double rise = 0;
    for (const TrainedRun* run : runs_of(results, residual)) {
      rise = std::max(rise, largest_rise(run->curve.loss, results.smoothing));
    }
    return rise;
  };
  const double rise = rise_of(Residual::hc);
  const double ordinary = rise_of(Residual::plain);
  const Spread hc = spread_of(final_gaps(results, Residual::hc));
  const Spread mhc = spread_of(final_gaps(results, Residual::mhc));
  const std::size_t sites = results.runs.front().observations.front().gains.single.size();
  const bool surges = rise > 2 * ordinary + 0.1;
  std::string text =
      "No training with HC diverged at this learning rate; its smoothed loss rose by "
      "at most " +
      number(rise, 2) +
      " nats above its lowest, the ordinary "
      "residual's by " +
      number(ordinary, 2) + ": the paper's surge of the loss " +
      (surges ? "shows" : "does not show") +
      " here. The gap to the ordinary residual "
      "at the end is " +
      spread_text(hc, 3) + " nats with HC and " + spread_text(mhc, 3) + " with mHC";
  if (hc.mean < mhc.mean && largest_composite(results, Residual::hc, sites) > large_gain) {
    text += ": in so short a training of so small a model HC's large gains cost it nothing";
  }
  return text + ".";
}

inline std::string sweep_sentence(const Results& results) {
  if (results.sweep.empty()) return "";
  index deepest = 0;
  double most = 1;
  for (const SweepPoint& point : results.sweep) {
    deepest = std::max(deepest, point.sublayers);
    most = std::max(most, point.multiple);
  }
  const std::string depth = std::to_string(deepest) + " sublayers";
  const auto hc = breaks_at(results.sweep, Residual::hc, deepest);
  if (!hc) {
    return "In the sweep HC did not break at " + depth + " up to " + number(most) +
           " times the learning rate.";
  }
  std::string text =
      "In the sweep HC broke at " + depth + " from " + number(*hc) + " times the learning rate on";
  const auto shallow = [&](index sublayers) {
    const auto breaks = breaks_at(results.sweep, Residual::hc, sublayers);
    text += "; at " + std::to_string(sublayers) + " sublayers " +
            (breaks ? "from " + number(*breaks) + " times on" : "not at all");
  };
  std::vector<index> seen;
  for (const SweepPoint& point : results.sweep) {
    const bool is_new = std::find(seen.begin(), seen.end(), point.sublayers) == seen.end();
    if (point.sublayers == deepest || !is_new) continue;
    seen.push_back(point.sublayers);
    shallow(point.sublayers);
  }
  for (const Residual other : {Residual::mhc, Residual::plain}) {
    const auto breaks = breaks_at(results.sweep, other, deepest);
    text += std::string("; ") + (other == Residual::mhc ? "mHC" : "the ordinary residual") +
            (breaks ? " broke from " + number(*breaks) + " times on" : " learnt at all of them");
  }
  return text + ".";
}

}  // namespace detail

inline std::vector<std::string> sentences(const Results& results) {
  std::vector<std::string> all{detail::gains_sentence(results), detail::loss_sentence(results)};
  const std::string sweep = detail::sweep_sentence(results);
  if (!sweep.empty()) all.push_back(sweep);
  return all;
}

}  // namespace language_model::stability
