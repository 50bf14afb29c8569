// SPDX-License-Identifier: MIT
// All results of the program, and what its tables and figures derive from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "propagation.hpp"
#include "sweep.hpp"
#include "training.hpp"

namespace language_model::stability {

// Source: arXiv:2512.24880, section 5.4: the 27B model, 60 sublayers.
namespace paper {
constexpr double hc_gain = 3000;
constexpr double mhc_gain = 1.6;
constexpr int sites = 60;
}  // namespace paper

inline std::string title_of(Residual residual) {
  switch (residual) {
    case Residual::plain:
      return "ordinary";
    case Residual::hc:
      return "HC";
    case Residual::mhc:
      return "mHC";
    case Residual::mhc_lite:
      break;
  }
  return "mHC-lite";
}

// Random mappings of one kind and strength.
struct Spreading {
  Residual residual;
  std::string name;  // "x2"
  double scale;      // of the trained magnitudes; 0: other magnitudes
  Magnitudes magnitudes;
  Propagation propagation;
};

struct Results {
  std::string what;  // the model in a few words
  std::uint64_t steps = 0, sweep_steps = 0;
  std::size_t smoothing = 1;     // steps of a trailing mean
  std::vector<TrainedRun> runs;  // by residual, then by seed
  std::vector<SweepPoint> sweep;
  std::vector<Spreading> spreadings;
};

inline std::vector<const TrainedRun*> runs_of(const Results& results, Residual residual) {
  std::vector<const TrainedRun*> runs;
  for (const TrainedRun& run : results.runs) {
    if (run.residual == residual) runs.push_back(&run);
  }
  return runs;
}

inline const TrainedRun& first_run(const Results& results, Residual residual) {
  const auto runs = runs_of(results, residual);
  if (runs.empty()) {
    throw std::logic_error("first_run: there is no training with " + title_of(residual));
  }
  return *runs.front();
}

// The first seed's training that did not diverge; null if all did.
inline const TrainedRun* first_ended(const Results& results, Residual residual) {
  for (const TrainedRun* run : runs_of(results, residual)) {
    if (!run->curve.diverged_at) return run;
  }
  return nullptr;
}

inline std::string seeds_text(const Results& results) {
  const std::size_t seeds = runs_of(results, Residual::plain).size();
  return std::to_string(seeds) + (seeds == 1 ? " seed" : " seeds");
}

// Each seed's smoothed loss minus the ordinary residual's of the same seed, hence the same batches.
inline std::vector<std::vector<double>> smoothed_gaps(const Results& results, Residual residual) {
  const auto runs = runs_of(results, residual);
  const auto baselines = runs_of(results, Residual::plain);
  std::vector<std::vector<double>> gaps;
  for (std::size_t s = 0; s < runs.size(); ++s) {
    gaps.push_back(
        trailing_mean(gap(runs[s]->curve.loss, baselines[s]->curve.loss), results.smoothing));
  }
  return gaps;
}

// Trailing means of the gradient norms, a curve for each seed.
inline std::vector<std::vector<double>> smoothed_norms(const Results& results, Residual residual) {
  std::vector<std::vector<double>> norms;
  for (const TrainedRun* run : runs_of(results, residual)) {
    norms.push_back(trailing_mean(run->curve.gradient_norm, results.smoothing));
  }
  return norms;
}

// The final loss with one residual minus that with another, for each seed whose two trainings did
// not diverge.
inline std::vector<double> final_differences(const Results& results, Residual residual,
                                             Residual other) {
  const auto runs = runs_of(results, residual);
  const auto others = runs_of(results, other);
  std::vector<double> differences;
  for (std::size_t s = 0; s < runs.size(); ++s) {
    if (runs[s]->curve.diverged_at || others[s]->curve.diverged_at) continue;
    differences.push_back(last_tenth(gap(runs[s]->curve.loss, others[s]->curve.loss)));
  }
  return differences;
}

// The final gap to the ordinary residual.
inline std::vector<double> final_gaps(const Results& results, Residual residual) {
  return final_differences(results, residual, Residual::plain);
}

inline std::size_t diverged(const std::vector<const TrainedRun*>& runs) {
  std::size_t count = 0;
  for (const TrainedRun* run : runs) count += run->curve.diverged_at ? 1U : 0U;
  return count;
}

}  // namespace language_model::stability
