// SPDX-License-Identifier: MIT
// Shorter trainings over depths and learning rates, to find where training breaks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "training.hpp"

namespace language_model::stability {

enum class SweepOutcome { learns, has_not_learnt, lost, diverged };

struct SweepPoint {
  Residual residual;
  Index sublayers;
  double multiple;  // of the learning rate of the trainings
  double learning_rate;
  mhc::Gains peak;  // largest composite gains seen
  double largest_gradient_norm;
  double final_loss;   // nats, mean of the last tenth of the steps done; NaN if there were none
  double lowest_loss;  // the lowest such mean so far
  std::optional<std::uint64_t> diverged_at;

  // A model has learnt if it is better than guessing among 256 bytes. It is broken if it diverged,
  // or is no better than guessing although it was once; not if it has not learnt yet.
  SweepOutcome outcome() const {
    constexpr double nearly = 0.99;
    const double guess = nearly * std::log(256.0);
    if (diverged_at) return SweepOutcome::diverged;
    if (final_loss < guess) return SweepOutcome::learns;
    return lowest_loss < guess ? SweepOutcome::lost : SweepOutcome::has_not_learnt;
  }
  bool is_broken() const {
    return outcome() == SweepOutcome::diverged || outcome() == SweepOutcome::lost;
  }
};

struct SweepPlan {
  TrainingPlan shortened;
  std::vector<Index> blocks;      // depths, of two sublayers each
  std::vector<double> multiples;  // of the learning rate
};

// HC and mHC at each depth; the ordinary residual at the largest alone, to recognise a learning
// rate that is too large for every model.
inline std::vector<TrainingPlan> sweep_plans(const SweepPlan& sweep) {
  std::vector<TrainingPlan> plans;
  const Index deepest = *std::max_element(sweep.blocks.begin(), sweep.blocks.end());
  for (const Index blocks : sweep.blocks) {
    for (const Residual residual : {Residual::plain, Residual::hc, Residual::mhc}) {
      if (residual == Residual::plain && blocks != deepest) continue;
      for (const double multiple : sweep.multiples) {
        TrainingPlan plan = sweep.shortened;
        plan.model.residual = residual;
        plan.model.streams = residual == Residual::plain ? 1 : plan.model.streams;
        plan.model.layers = blocks;
        plan.training.learning_rate *= multiple;
        plan.validation_bytes = 0;
        plans.push_back(plan);
      }
    }
  }
  return plans;
}

inline std::vector<SweepPoint> run_sweep(const SweepPlan& sweep, const Text& text, int threads,
                                         const std::function<void()>& progress) {
  const std::vector<TrainingPlan> plans = sweep_plans(sweep);
  const std::vector<TrainedRun> runs = train_all(plans, text, threads, progress);
  std::vector<SweepPoint> points;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Curve& curve = runs[i].curve;
    double largest_norm = 0;
    for (const double norm : curve.gradient_norm) largest_norm = larger(largest_norm, norm);
    points.push_back({runs[i].residual, 2 * plans[i].model.layers,
                      plans[i].training.learning_rate / sweep.shortened.training.learning_rate,
                      plans[i].training.learning_rate, peak_composite(runs[i]), largest_norm,
                      last_tenth(curve.loss), lowest_tenth(curve.loss), curve.diverged_at});
  }
  return points;
}

// The multiples of the learning rate, ascending, at which a residual at a depth had one of the
// outcomes.
inline std::vector<double> multiples_with(const std::vector<SweepPoint>& points, Residual residual,
                                          Index sublayers,
                                          const std::vector<SweepOutcome>& outcomes) {
  std::vector<double> multiples;
  for (const SweepPoint& point : points) {
    if (point.residual != residual || point.sublayers != sublayers) continue;
    const auto found = std::find(outcomes.begin(), outcomes.end(), point.outcome());
    if (found != outcomes.end()) multiples.push_back(point.multiple);
  }
  std::sort(multiples.begin(), multiples.end());
  return multiples;
}

inline std::vector<double> broken_multiples(const std::vector<SweepPoint>& points,
                                            Residual residual, Index sublayers) {
  return multiples_with(points, residual, sublayers, {SweepOutcome::diverged, SweepOutcome::lost});
}

}  // namespace language_model::stability
