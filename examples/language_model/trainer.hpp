// SPDX-License-Identifier: MIT
// Training, one step at a time. A resumed training gives the same bits as one that was never
// stopped, whatever the number of threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "adamw.hpp"
#include "batches.hpp"
#include "checkpoint.hpp"
#include "config.hpp"
#include "make_model.hpp"
#include "parallel.hpp"
#include "schedule.hpp"
#include "text.hpp"

namespace language_model {

struct StepResult {
  std::uint64_t step;   // from 1
  double loss;          // nats per byte
  double further_loss;  // that of the prediction module, or 0
  double gradient_norm;
  double learning_rate;
};

// The loss or its gradient is not finite.
struct DivergenceError : std::runtime_error {
  explicit DivergenceError(std::uint64_t step_)
      : std::runtime_error("training: the gradient is not finite at step " + std::to_string(step_) +
                           ": take a smaller --learning-rate"),
        step(step_) {}
  std::uint64_t step;  // from 1
};

class Trainer {
 public:
  Trainer(const ModelConfig& model, const TrainingConfig& training, const Text& text,
          const Workers& workers)
      : training_(training),
        settings_(settings_of(model, training)),
        workers_(workers),
        model_(make_model(model, training.batch * model.context)),
        batches_(text.train, training.batch, model.context, training.seed),
        optimizer_(model_->arena().segments, static_cast<Index>(model_->arena().values.size())) {
    settings_.emplace_back("text checksum", std::to_string(text.checksum()));
    model_->initialize(training.seed);
  }

  // Freezes parameters without weight decay: from here on, these gradients, a part of the model's
  // arena, count as zero. Checkpoints do not store this.
  void freeze(mhc::Span<float> gradients) { frozen_.push_back(gradients); }

  StepResult step() {
    Arena& arena = model_->arena();
    batches_.take(step_);
    model_->forward(batches_.bytes(), batches_.targets(), training_.batch, batches_.length(),
                    workers_);
    const double loss = model_->loss();
    double further_loss = 0;
    if (model_->has_prediction_module()) {
      model_->predict_further(workers_);
      further_loss = model_->further_loss();
    }
    std::fill(arena.gradients.begin(), arena.gradients.end(), 0.0F);
    model_->backward(workers_);
    for (const auto& frozen : frozen_) std::fill(frozen.begin(), frozen.end(), 0.0F);
    const double rate = learning_rate_at(step_, steps(), training_.learning_rate);
    const double norm = optimizer_.step(arena.values, arena.gradients, step_, rate, workers_);
    if (!(norm <= largest_possible_norm)) throw DivergenceError(step_ + 1);
    if (training_.balance) model_->balance(balance_rate);
    largest_gradient_norm_ = std::max(largest_gradient_norm_, norm);
    ++step_;
    return {step_, loss, further_loss, norm, rate};
  }

  Checkpoint checkpoint() {
    Checkpoint checkpoint;
    checkpoint.settings = settings_;
    checkpoint.step = step_;
    checkpoint.largest_gradient_norm = largest_gradient_norm_;
    const auto& bias = model_->router_bias();
    checkpoint.arrays = {model_->arena().values,
                         optimizer_.first(),
                         optimizer_.second(),
                         {bias.data(), bias.data() + bias.size()}};
    return checkpoint;
  }

  void save(const std::filesystem::path& path) { save_checkpoint(path, checkpoint()); }

  void resume(const std::filesystem::path& path) {
    const Checkpoint checkpoint = load_checkpoint(path);
    auto& bias = model_->router_bias();
    const std::size_t parameters = model_->arena().values.size();
    check_same_run(path, checkpoint, settings_,
                   {parameters, parameters, parameters, static_cast<std::size_t>(bias.size())});
    if (checkpoint.step > steps()) {
      detail::refuse_checkpoint(
          path, "is at step " + std::to_string(checkpoint.step) + " of " + std::to_string(steps()));
    }
    model_->arena().values = checkpoint.arrays[0];  // same size, hence in place
    optimizer_.first() = checkpoint.arrays[1];
    optimizer_.second() = checkpoint.arrays[2];
    std::copy(checkpoint.arrays[3].begin(), checkpoint.arrays[3].end(), bias.data());
    step_ = checkpoint.step;
    largest_gradient_norm_ = checkpoint.largest_gradient_norm;
  }

  bool finished() const { return step_ >= steps(); }
  std::uint64_t steps_done() const { return step_; }
  std::uint64_t steps() const { return static_cast<std::uint64_t>(training_.steps); }
  Index bytes_per_step() const { return training_.batch * batches_.length(); }
  double largest_gradient_norm() const { return largest_gradient_norm_; }
  LanguageModel& model() { return *model_; }
  const Settings& settings() const { return settings_; }

 private:
  static constexpr float balance_rate = 0.003F;  // of the routers' biases
  static constexpr double largest_possible_norm = 1e30;

  TrainingConfig training_;
  Settings settings_;
  const Workers& workers_;
  std::unique_ptr<LanguageModel> model_;
  Batches batches_;
  AdamW optimizer_;
  std::vector<mhc::Span<float>> frozen_;
  std::uint64_t step_ = 0;  // steps done
  double largest_gradient_norm_ = 0;
};

}  // namespace language_model
