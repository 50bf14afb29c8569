// SPDX-License-Identifier: MIT
// Gaps to the baseline of the same seed, as a table and as sentences that follow from it.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <mhc/report/page.hpp>
#include <mhc/report/text.hpp>

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
  std::vector<double> gaps;  // of the final loss, one for each seed whose two trainings ended
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
  const std::string mean = mhc::report::fixed(spread.mean, 4);
  return spread.count == 1 ? mean : mean + " +- " + mhc::report::fixed(error, 4);
}

}  // namespace detail

inline mhc::report::Table table_of(const std::vector<Outcome>& outcomes) {
  mhc::report::Table table{{"learnt", "final loss", "gap", "to the one before",
                            "validation bits/byte", "paper's gap (27B)", "diverged"},
                           {}};
  for (const Outcome& outcome : outcomes) {
    const Variant& variant = variants[outcome.variant];
    const bool is_baseline = outcome.variant == 0;
    table.rows.push_back(
        {variant.name, detail::text_of(outcome.loss, outcome.loss.deviation),
         is_baseline ? "" : detail::text_of(outcome.gap, outcome.gap.standard_error),
         is_baseline ? "" : detail::text_of(outcome.next, outcome.next.standard_error),
         detail::text_of(outcome.validation, outcome.validation.deviation),
         is_baseline ? "" : mhc::report::fixed(variant.paper_gap, 3),
         std::to_string(outcome.diverged)});
  }
  return table;
}

// Two standard errors are what three seeds can tell apart, roughly.
inline std::vector<std::string> sentences(const std::vector<Outcome>& outcomes) {
  const std::size_t seeds = outcomes.front().loss.count;
  if (seeds < 2) return {"One seed has no standard error: nothing can be said of the differences."};
  std::string larger, smaller;
  const auto judge = [&](const std::string& name, const Spread& difference) {
    if (difference.count < 2) return;
    std::string& list =
        std::abs(difference.mean) > 2 * difference.standard_error ? larger : smaller;
    list += (list.empty() ? "" : "; ") + name + " (" +
            detail::text_of(difference, difference.standard_error) + ")";
  };
  for (const Outcome& outcome : outcomes) {
    if (outcome.variant == 0) continue;
    const std::string name = variants[outcome.variant].name;
    judge(name + " against none", outcome.gap);
    if (outcome.variant > 1) {
      judge(name + " against " + variants[outcome.variant - 1].name, outcome.next);
    }
  }
  std::vector<std::string> all;
  const std::string of =
      " than twice their standard error over " + std::to_string(seeds) + " seeds: ";
  if (!larger.empty()) all.push_back("Differences larger" + of + larger + ".");
  if (!smaller.empty()) all.push_back("Differences smaller" + of + smaller + ".");
  bool falls = true;
  for (const Outcome& outcome : outcomes) {
    if (outcome.variant > 0) falls = falls && outcome.next.mean < 0;
  }
  all.push_back(falls
                    ? "The order is the paper's: every mapping more lowers the loss."
                    : "The order is not the paper's: not every mapping more lowers the loss here.");
  return all;
}

}  // namespace language_model::ablation
