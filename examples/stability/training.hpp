// SPDX-License-Identifier: MIT
// The trainings: a deep stack with each residual and seed, observed on one fixed sequence of the
// validation text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>
#include <Eigen/Core>

#include "experiment.hpp"
#include "measurement.hpp"

namespace language_model::stability {

// An observation after a step.
struct Observation {
  std::uint64_t step;
  GainProfile gains;
  double similarity;  // of the streams after the last site but one; NaN for one stream
};

struct NamedMapping {
  std::string name;
  Eigen::MatrixXd values;
};

struct TrainedRun {
  Residual residual;
  std::uint64_t seed;
  Curve curve;
  std::vector<Observation> observations;
  double validation = std::numeric_limits<double>::quiet_NaN();  // bits per byte; none if diverged
  Magnitudes magnitudes;               // at the end, of residuals with mappings
  std::vector<NamedMapping> mappings;  // at the end: H_res of single sites, then of products
};

struct TrainingPlan {
  ModelConfig model;
  TrainingConfig training;
  Index observe_every;
  Index validation_bytes;  // at the end; 0: none
};

namespace detail {

// Runs the forward on one sequence of the validation text, the same for all.
inline void see(LanguageModel& model, const Text& text, Index context, const Workers& workers) {
  model.forward(text.validation.data(), text.validation.data() + 1, 1, context, workers);
}

inline Observation observe(const LanguageModel& model, std::uint64_t step) {
  const auto x = model.site(model.sites() - 1).x;
  const double similarity = x.streams > 1 ? mhc::mean_off_diagonal(mhc::stream_similarity(x))
                                          : std::numeric_limits<double>::quiet_NaN();
  return {step, gain_profile(model), similarity};
}

inline std::vector<NamedMapping> mappings(const LanguageModel& model) {
  const Index sites = model.sites();
  std::vector<NamedMapping> all;
  for (const Index site : {Index{0}, sites / 2 - 1, sites - 1}) {
    all.push_back({"site " + std::to_string(site + 1), mean_product(model, site, site)});
  }
  for (const Index depth : {sites / 6, sites / 2, sites}) {
    const Index first = sites - std::max<Index>(1, depth);
    all.push_back({"sites " + std::to_string(first + 1) + "-" + std::to_string(sites),
                   mean_product(model, first, sites - 1)});
  }
  return all;
}

}  // namespace detail

// Trains one model. Calls `progress` after each step, from several threads if several trainings
// run.
inline TrainedRun train(const TrainingPlan& plan, const Text& text,
                        const std::function<void()>& progress) {
  const Workers workers(1);
  Trainer trainer(plan.model, plan.training, text, workers);
  LanguageModel& model = trainer.model();
  TrainedRun run{};
  run.residual = plan.model.residual;
  run.seed = plan.training.seed;
  const auto see_and_observe = [&](std::uint64_t step) {
    detail::see(model, text, plan.model.context, workers);
    run.observations.push_back(detail::observe(model, step));
  };
  see_and_observe(0);
  const auto every = static_cast<std::uint64_t>(plan.observe_every);
  run.curve = train_to_the_end(trainer, [&](std::uint64_t step) {
    if (step % every == 0 || step == trainer.steps()) see_and_observe(step);
    progress();
  });
  if (run.curve.diverged_at) return run;
  if (run.residual != Residual::plain) run.magnitudes = magnitudes(model, run.residual);
  run.mappings = detail::mappings(model);
  if (plan.validation_bytes == 0) return run;
  const Bytes held_out =
      beginning(text.validation, static_cast<std::size_t>(plan.validation_bytes));
  run.validation = bits_per_byte(model, held_out, plan.training.batch, plan.model.context, workers);
  return run;
}

// Runs all trainings, `threads` at a time; the results are in the order of the plans.
inline std::vector<TrainedRun> train_all(const std::vector<TrainingPlan>& plans, const Text& text,
                                         int threads, const std::function<void()>& progress) {
  std::vector<TrainedRun> runs(plans.size());
  run_side_by_side(plans.size(), threads,
                   [&](std::size_t i) { runs[i] = train(plans[i], text, progress); });
  return runs;
}

// The largest composite gains of any observed step, forward and backward.
inline mhc::Gains peak_composite(const TrainedRun& run) {
  std::vector<mhc::Gains> whole;
  for (const Observation& seen : run.observations) whole.push_back(seen.gains.composite.front());
  return largest(whole);
}

}  // namespace language_model::stability
