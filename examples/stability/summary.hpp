// SPDX-License-Identifier: MIT
// The results as sentences, each derived from the numbers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "../report/text.hpp"
#include "results.hpp"
#include "tables.hpp"

namespace language_model::stability {

namespace detail {

inline std::string of_text(Residual residual) {
  return residual == Residual::plain ? "the ordinary residual" : title_of(residual);
}

inline std::string gains_sentence(const Results& results) {
  const std::size_t sites = results.runs.front().observations.front().gains.single.size();
  const double hc = largest_composite(results, Residual::hc, sites);
  const double mhc = largest_composite(results, Residual::mhc, sites);
  const std::string over = " over " + std::to_string(paper::sites);
  std::string text = "Over " + std::to_string(sites) + " sites the composite gain of HC came to " +
                     gain_text(hc) + " and that of mHC to " + gain_text(mhc) +
                     "; the paper's 27B model had about " + gain_text(paper::hc_gain) + " and " +
                     gain_text(paper::mhc_gain) + over + ". ";
  if (hc > paper::hc_gain) {
    text += "HC's is above the paper's" + over + " here";
  } else if (hc > large_gain * mhc) {
    text += "HC's is not above the paper's" + over + " here, but is " + gain_text(hc / mhc) +
            " times mHC's";
  } else {
    text += "HC's is not more than ten times mHC's here";
  }
  return text + "; mHC's is " + (mhc <= paper::mhc_gain ? "not " : "") + "above the paper's.";
}

// For each residual with a training that diverged.
inline std::vector<std::string> diverged_sentences(const Results& results) {
  std::vector<std::string> all;
  for (const Residual residual : residuals) {
    const auto runs = runs_of(results, residual);
    const std::size_t lost = diverged(runs);
    if (lost == 0) continue;
    std::string text = std::to_string(lost) + " of " + std::to_string(runs.size()) +
                       " trainings with " + of_text(residual) + " diverged.";
    if (lost == runs.size() && residual != Residual::plain) {
      text += " Its H_res at the end and random mappings at their magnitudes are left out.";
    }
    all.push_back(text);
  }
  return all;
}

// Empty if a training with HC diverged.
inline std::string loss_sentence(const Results& results) {
  if (diverged(runs_of(results, Residual::hc)) > 0) return "";
  const auto rise_of = [&](Residual residual) {
    double rise = 0;
    for (const TrainedRun* run : runs_of(results, residual)) {
      rise = std::max(rise, largest_rise(run->curve.loss, results.smoothing));
    }
    return rise;
  };
  const double rise = rise_of(Residual::hc);
  const double ordinary = rise_of(Residual::plain);
  const bool surges = rise > 2 * ordinary + 0.1;
  std::string text =
      "No training with HC diverged at this learning rate; its smoothed loss rose by at most " +
      number(rise, 2) + " nats above its lowest, the ordinary residual's by " +
      number(ordinary, 2) + ": the paper's surge of the loss " +
      (surges ? "shows" : "does not show") +
      " here. The gap to the ordinary residual at the end is " +
      spread_text(spread_of(final_gaps(results, Residual::hc)), 3) + " nats with HC and " +
      spread_text(spread_of(final_gaps(results, Residual::mhc)), 3) + " with mHC";
  const std::size_t sites = results.runs.front().observations.front().gains.single.size();
  const Spread difference = spread_of(final_differences(results, Residual::hc, Residual::mhc));
  const bool is_told = difference.count == 1 || excludes_zero(difference);
  const bool is_large = largest_composite(results, Residual::hc, sites) > large_gain;
  if (!surges && is_large && is_told && difference.mean < 0) {
    text += ": HC ends lower than mHC in spite of its gains";
    if (difference.count == 1) text += " (one seed)";
  }
  return text + ".";
}

// "x4, x16"
inline std::string list_of(const std::vector<double>& multiples) {
  std::string text;
  for (const double multiple : multiples) text += (text.empty() ? "x" : ", x") + number(multiple);
  return text;
}

// The outcome of a residual at a depth, from the least to the largest learning rate.
inline std::string sweep_clause(const std::vector<SweepPoint>& points, Residual residual,
                                Index sublayers) {
  double most = 0;
  for (const SweepPoint& point : points) {
    if (point.residual == residual && point.sublayers == sublayers) {
      most = std::max(most, point.multiple);
    }
  }
  const auto broken = broken_multiples(points, residual, sublayers);
  const auto slow = multiples_with(points, residual, sublayers, {SweepOutcome::has_not_learnt});
  std::string text = of_text(residual) + " at " + std::to_string(sublayers) + " sublayers ";
  if (broken.empty()) {
    text += "did not break up to " + number(most) + " times the learning rate";
  } else {
    text += "broke first at " + number(broken.front()) +
            " times the learning rate (broken: " + list_of(broken) + ")";
  }
  return text + (slow.empty() ? "" : ", and had not learnt at " + list_of(slow));
}

// HC from the deepest stack on, then mHC and the ordinary residual at the deepest.
inline std::string sweep_sentence(const Results& results) {
  std::vector<Index> depths;
  for (const SweepPoint& point : results.sweep) {
    if (point.residual == Residual::hc) depths.push_back(point.sublayers);
  }
  if (depths.empty()) return "";
  std::sort(depths.rbegin(), depths.rend());
  depths.erase(std::unique(depths.begin(), depths.end()), depths.end());
  std::string text = "In the sweep ";
  for (const Index depth : depths) text += sweep_clause(results.sweep, Residual::hc, depth) + "; ";
  return text + sweep_clause(results.sweep, Residual::mhc, depths.front()) + "; " +
         sweep_clause(results.sweep, Residual::plain, depths.front()) + ".";
}

}  // namespace detail

inline std::vector<std::string> sentences(const Results& results) {
  std::vector<std::string> all{detail::gains_sentence(results)};
  for (const std::string& text : detail::diverged_sentences(results)) all.push_back(text);
  for (const std::string& text :
       {detail::loss_sentence(results), detail::sweep_sentence(results)}) {
    if (!text.empty()) all.push_back(text);
  }
  return all;
}

}  // namespace language_model::stability
