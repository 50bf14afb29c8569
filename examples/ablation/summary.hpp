// SPDX-License-Identifier: MIT
// Gaps to the baseline of the same seed, as a table and as sentences derived from it.
#pragma once

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "../report/page.hpp"
#include "../report/text.hpp"
#include "curve_statistics.hpp"
#include "variants.hpp"

namespace language_model::ablation {

// The run of a variant with the seed of another run.
inline const Run& with_same_seed(const std::vector<Run>& runs, const Run& other,
                                 std::size_t variant) {
  for (const Run& run : runs) {
    if (run.variant == variant && run.seed == other.seed) return run;
  }
  throw std::logic_error("ablation: variant " + std::to_string(variant) + " was not trained");
}

struct Outcome {
  std::size_t variant = 0;
  std::size_t diverged = 0;
  std::vector<double>
      gaps;  // of the final loss, one for each seed whose two trainings did not diverge
  Spread loss, gap, validation;
  Spread next;  // the final loss minus that of the variant before, likewise
};

inline std::vector<Outcome> outcomes(const std::vector<Run>& runs) {
  std::vector<Outcome> all;
  for (std::size_t v = 0; v < variants.size(); ++v) {
    Outcome outcome;
    outcome.variant = v;
    std::vector<double> losses, validations, next;
    for (const Run& run : runs) {
      if (run.variant != v) continue;
      if (run.curve.diverged_at) {
        ++outcome.diverged;
        continue;
      }
      losses.push_back(last_tenth(run.curve.loss));
      validations.push_back(run.validation);
      const auto gap_to = [&](std::size_t other, std::vector<double>& gaps) {
        const Run& baseline = with_same_seed(runs, run, other);
        if (!baseline.curve.diverged_at) {
          gaps.push_back(last_tenth(gap(run.curve.loss, baseline.curve.loss)));
        }
      };
      gap_to(0, outcome.gaps);
      if (v > 0) gap_to(v - 1, next);
    }
    outcome.loss = spread_of(losses);
    outcome.gap = spread_of(outcome.gaps);
    outcome.validation = spread_of(validations);
    outcome.next = spread_of(next);
    all.push_back(outcome);
  }
  return all;
}

namespace detail {

inline std::string text_of(const Spread& spread, double error) {
  if (spread.count == 0) return "-";
  const std::string mean = report::fixed(spread.mean, 4);
  return spread.count == 1 ? mean : mean + " +- " + report::fixed(error, 4);
}

}  // namespace detail

inline report::Table table_of(const std::vector<Outcome>& outcomes) {
  report::Table table{{"learnt", "final loss", "gap", "to the one before", "validation bits/byte",
                       "paper's gap (HC, 27B)", "diverged"},
                      {}};
  for (const Outcome& outcome : outcomes) {
    const Variant& variant = variants[outcome.variant];
    const bool is_baseline = outcome.variant == 0;
    table.rows.push_back(
        {variant.name, detail::text_of(outcome.loss, outcome.loss.deviation),
         is_baseline ? "" : detail::text_of(outcome.gap, outcome.gap.standard_error),
         is_baseline ? "" : detail::text_of(outcome.next, outcome.next.standard_error),
         detail::text_of(outcome.validation, outcome.validation.deviation),
         is_baseline ? "" : report::fixed(variant.paper_gap, 3), std::to_string(outcome.diverged)});
  }
  return table;
}

namespace detail {

inline std::string seeds_text(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " seed" : " seeds");
}

// Differences, sorted by their 95 % confidence intervals.
struct Judged {
  std::string excludes_zero, includes_zero, unknown;
};

// A difference over fewer than `seeds` seeds states their number.
inline void judge(Judged& judged, const std::string& name, const Spread& difference,
                  std::size_t seeds) {
  const auto add = [&](std::string& list) {
    std::string item = name + " (" + text_of(difference, difference.standard_error);
    if (difference.count != seeds) item += ", " + seeds_text(difference.count);
    list += (list.empty() ? "" : "; ") + item + ")";
  };
  if (difference.count < 2 || !std::isfinite(difference.mean)) {
    add(judged.unknown);
  } else {
    add(excludes_zero(difference) ? judged.excludes_zero : judged.includes_zero);
  }
}

// The paper's order: every further mapping lowers the loss.
inline std::string order_sentence(const std::vector<Outcome>& outcomes) {
  std::size_t first_unknown = 0;
  for (const Outcome& outcome : outcomes) {
    if (outcome.variant == 0) continue;
    if (!excludes_zero(outcome.next)) {
      if (first_unknown == 0) first_unknown = outcome.variant;
    } else if (outcome.next.mean > 0) {
      return std::string("The order is not the paper's: ") + variants[outcome.variant].name +
             " ends higher than " + variants[outcome.variant - 1].name + ".";
    }
  }
  if (first_unknown == 0) return "The order is the paper's: every further mapping lowers the loss.";
  return std::string("The order of the ") + (first_unknown > 1 ? "last " : "") +
         "variants cannot be told from these seeds.";
}

}  // namespace detail

inline std::vector<std::string> sentences(const std::vector<Outcome>& outcomes) {
  std::vector<std::string> all;
  const std::size_t seeds = outcomes.front().loss.count + outcomes.front().diverged;
  for (const Outcome& outcome : outcomes) {
    if (outcome.diverged == 0) continue;
    all.push_back(std::to_string(outcome.diverged) + " of " + detail::seeds_text(seeds) +
                  " diverged with " + variants[outcome.variant].name + " learnt" +
                  (outcome.variant == 0 ? ", the baseline: they have no gap." : "."));
  }
  if (seeds < 2) {
    all.push_back("One seed has no standard error, so the differences cannot be judged.");
    return all;
  }
  detail::Judged judged;
  for (const Outcome& outcome : outcomes) {
    if (outcome.variant == 0) continue;
    const std::string name = variants[outcome.variant].name;
    detail::judge(judged, name + " against none", outcome.gap, seeds);
    if (outcome.variant > 1) {
      detail::judge(judged, name + " against " + variants[outcome.variant - 1].name, outcome.next,
                    seeds);
    }
  }
  const std::string of =
      "Differences whose 95 % interval (Student's t, " + detail::seeds_text(seeds) + ") ";
  if (!judged.excludes_zero.empty()) {
    all.push_back(of + "excludes zero: " + judged.excludes_zero + ".");
  }
  if (!judged.includes_zero.empty()) {
    all.push_back(of + "includes zero: " + judged.includes_zero + ".");
  }
  if (!judged.unknown.empty()) {
    all.push_back("Differences without an interval: " + judged.unknown + ".");
  }
  all.push_back(detail::order_sentence(outcomes));
  return all;
}

}  // namespace language_model::ablation
