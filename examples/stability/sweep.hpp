// SPDX-License-Identifier: MIT
// Where does it break? Shorter trainings over depths and learning rates.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "training.hpp"

namespace language_model::stability {

struct SweepPoint {
  Residual residual;
  index sublayers;
  double multiple;  // of the learning rate of the trainings
  double learning_rate;
  mhc::Gains peak;  // largest composite gains seen
  double largest_gradient_norm;
  double final_loss;  // nats, mean of the last tenth of the steps done; not a number if none was
  std::optional<std::uint64_t> diverged_at;

  // It lost what it learnt: not finite, or no better than guessing among 256 bytes.
  bool is_broken() const {
    constexpr double nearly = 0.99;
    return diverged_at.has_value() || !(final_loss < nearly * std::log(256.0));
  }
};

struct SweepPlan {
  TrainingPlan shortened;
  std::vector<index> blocks;      // depths, of two sublayers each
  std::vector<double> multiples;  // of the learning rate
};

// HC and mHC at each depth; the ordinary residual at the largest alone, to tell a learning rate
// that is too large for every model.
inline std::vector<TrainingPlan> sweep_plans(const SweepPlan& sweep) {
  std::vector<TrainingPlan> plans;
  const index deepest = *std::max_element(sweep.blocks.begin(), sweep.blocks.end());
  for (const index blocks : sweep.blocks) {
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
    const auto& norms = curve.gradient_norm;
    points.push_back({runs[i].residual, 2 * plans[i].model.layers,
                      plans[i].training.learning_rate / sweep.shortened.training.learning_rate,
                      plans[i].training.learning_rate, peak_composite(runs[i]).gains,
                      norms.empty() ? 0 : *std::max_element(norms.begin(), norms.end()),
                      last_tenth(curve.loss), curve.diverged_at});
  }
  return points;
}

// The least multiple of the learning rate that breaks a residual at a depth, if one does.
inline std::optional<double> breaks_at(const std::vector<SweepPoint>& points, Residual residual,
                                       index sublayers) {
  std::optional<double> least;
  for (const SweepPoint& point : points) {
    if (point.residual != residual || point.sublayers != sublayers || !point.is_broken()) continue;
    if (!least || point.multiple < *least) least = point.multiple;
  }
  return least;
}

}  // namespace language_model::stability
