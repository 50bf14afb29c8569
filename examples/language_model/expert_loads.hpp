// SPDX-License-Identifier: MIT
// The load of the routed experts: each expert's share of its layer's slots, over any number of
// forwards. A balanced share is 1 / experts.
#pragma once

#include <utility>

#include <Eigen/Core>

#include "language_model.hpp"

namespace language_model {

class ExpertLoads {
 public:
  ExpertLoads() = default;
  explicit ExpertLoads(const LanguageModel& model)
      : slots_(Eigen::MatrixXd::Zero(model.routers(), model.experts())) {}

  // (routers, experts): the tokens routed to each expert.
  explicit ExpertLoads(Eigen::MatrixXd slots) : slots_(std::move(slots)) {}

  // Adds the last forward, and the prediction module's row if it was part of that.
  void add(const LanguageModel& model, bool with_module) {
    const Index rows = model.routers() - (model.has_prediction_module() && !with_module ? 1 : 0);
    for (Index l = 0; l < rows; ++l) {
      for (Index e = 0; e < model.experts(); ++e) {
        slots_(l, e) += static_cast<double>(model.load(l, e));
      }
    }
  }

  // (routers, experts): the decoder's layers, then the prediction module's; each row sums to 1, or
  // is 0 if nothing was counted.
  Eigen::MatrixXd shares() const {
    Eigen::MatrixXd shares = slots_;
    for (Eigen::Index l = 0; l < shares.rows(); ++l) {
      const double sum = shares.row(l).sum();
      if (sum > 0) shares.row(l) /= sum;
    }
    return shares;
  }

  // The largest load over the mean load of a router's experts; 1 if balanced.
  double imbalance(Index router) const {
    return shares().row(router).maxCoeff() * static_cast<double>(slots_.cols());
  }

 private:
  Eigen::MatrixXd slots_;
};

}  // namespace language_model
