// SPDX-License-Identifier: MIT
// The stability experiments: statistics, parallel trainings, gains.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>
#include <Eigen/Core>

#include "command_line.hpp"
#include "propagation.hpp"
#include "random_text.hpp"
#include "results.hpp"
#include "sweep.hpp"
#include "training.hpp"

namespace language_model::stability {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pointwise;

TrainingPlan small_plan(Residual residual) {
  Options options;
  options.blocks = 3;
  options.channels = 16;
  options.heads = 2;
  options.batch = 2;
  options.context = 16;
  options.steps = 6;
  options.observe_every = 4;
  options.validation_bytes = 100;
  for (const TrainingPlan& plan : options.plans()) {
    if (plan.model.residual == residual) return plan;
  }
  throw std::logic_error("no such plan");
}

const auto no_progress = [] {};

TEST(Spreads, MatchHandComputedValues) {
  const Spread spread = spread_of({1, 2, 6});
  EXPECT_EQ(spread.count, 3U);
  EXPECT_DOUBLE_EQ(spread.mean, 3);
  EXPECT_DOUBLE_EQ(spread.deviation, std::sqrt(7.0));  // (4 + 1 + 9) / 2
  EXPECT_DOUBLE_EQ(spread.standard_error, std::sqrt(7.0 / 3));
  EXPECT_TRUE(std::isnan(spread_of({5}).deviation));
  EXPECT_TRUE(std::isnan(spread_of({}).mean));
}

TEST(Curves, AreSmoothedSubtractedAndSpread) {
  EXPECT_THAT(trailing_mean({1, 3, 5, 7}, 2), ElementsAre(1, 2, 4, 6));
  EXPECT_THAT(gap({5, 4, 3}, {1, 1}), ElementsAre(4, 3));
  const Band band = band_of({{1, 2, 3}, {3, 6}});
  EXPECT_THAT(band.mean, ElementsAre(2, 4));
  EXPECT_THAT(band.low, ElementsAre(DoubleEq(2 - std::sqrt(2.0)), DoubleEq(4 - std::sqrt(8.0))));
  EXPECT_THAT(band.high, ElementsAre(DoubleEq(2 + std::sqrt(2.0)), DoubleEq(4 + std::sqrt(8.0))));
  EXPECT_THAT(band_of({{1, 2}}).low, IsEmpty());
  EXPECT_DOUBLE_EQ(last_tenth({9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 4, 2}), 3);
  EXPECT_DOUBLE_EQ(largest_rise({9, 5, 4, 7, 3, 8}, 1), 5);
  EXPECT_DOUBLE_EQ(largest_rise({9, 5, 4, 3}, 1), 0);
}

TEST(Trainings, AreBitwiseEqualForAnyNumberInParallel) {
  const Text text = random_text(3);
  std::vector<TrainingPlan> plans;
  for (const Residual residual : residuals) plans.push_back(small_plan(residual));
  const auto alone = train_all(plans, text, 1, no_progress);
  const auto together = train_all(plans, text, 3, no_progress);
  for (std::size_t i = 0; i < plans.size(); ++i) {
    EXPECT_EQ(alone[i].residual, residuals[i]);
    EXPECT_EQ(alone[i].curve.loss.size(), 6U);
    EXPECT_EQ(alone[i].curve.loss, together[i].curve.loss);
    EXPECT_EQ(alone[i].curve.gradient_norm, together[i].curve.gradient_norm);
    EXPECT_EQ(alone[i].validation, together[i].validation);
    ASSERT_EQ(alone[i].observations.size(), 3U);  // steps 0, 4 and 6
    EXPECT_EQ(alone[i].observations[2].step, 6U);
    EXPECT_EQ(alone[i].observations[2].gains.composite[0].forward,
              together[i].observations[2].gains.composite[0].forward);
  }
  EXPECT_NE(alone[0].curve.loss, alone[1].curve.loss);
}

TEST(Trainings, DivergenceIsRecordedAndOthersContinue) {
  const Text text = random_text(3);
  std::vector<TrainingPlan> plans{small_plan(Residual::hc), small_plan(Residual::hc)};
  plans[0].training.learning_rate = 1e30;
  const auto runs = train_all(plans, text, 1, no_progress);
  ASSERT_TRUE(runs[0].curve.diverged_at.has_value());
  EXPECT_EQ(runs[0].curve.loss.size() + 1, *runs[0].curve.diverged_at);
  EXPECT_TRUE(std::isnan(runs[0].validation));
  EXPECT_FALSE(runs[1].curve.diverged_at.has_value());
  EXPECT_EQ(runs[1].curve.loss.size(), 6U);
  EXPECT_TRUE(std::isfinite(runs[1].validation));
}

TEST(Gains, MatchPlainProductsOfTheMappings) {
  const Text text = random_text(3);
  const TrainingPlan plan = small_plan(Residual::hc);
  const Workers workers(1);
  Trainer trainer(plan.model, plan.training, text, workers);
  while (!trainer.finished()) trainer.step();
  LanguageModel& model = trainer.model();
  model.forward(text.validation.data(), text.validation.data() + 1, 1, 16, workers);
  const GainProfile profile = gain_profile(model);
  ASSERT_EQ(profile.composite.size(), 6U);
  for (Index from = 0; from < 6; ++from) {
    double forward = 0, backward = 0, single = 0;
    Eigen::Matrix4d mean = Eigen::Matrix4d::Zero();
    for (Index t = 0; t < 16; ++t) {
      Eigen::Matrix4d product = Eigen::Matrix4d::Identity();
      for (Index l = from; l < 6; ++l) {
        const Eigen::Matrix4d res = model.site(l).res.token(t).cast<double>();
        product = (res * product).eval();
      }
      const Eigen::Matrix4d res = model.site(from).res.token(t).cast<double>();
      forward += product.rowwise().sum().cwiseAbs().maxCoeff() / 16;
      backward += product.colwise().sum().cwiseAbs().maxCoeff() / 16;
      single += res.rowwise().sum().cwiseAbs().maxCoeff() / 16;
      mean += product / 16;
    }
    const auto l = static_cast<std::size_t>(from);
    EXPECT_NEAR(profile.composite[l].forward, forward, 1e-12 * forward);
    EXPECT_NEAR(profile.composite[l].backward, backward, 1e-12 * backward);
    EXPECT_NEAR(profile.single[l].forward, single, 1e-12 * single);
    EXPECT_TRUE(mean_product(model, from, 5).isApprox(mean, 1e-12));
  }
}

TEST(Magnitudes, MatchTheMappings) {
  const Text text = random_text(3);
  for (const Residual residual : {Residual::hc, Residual::mhc, Residual::mhc_lite}) {
    const TrainingPlan plan = small_plan(residual);
    const Workers workers(1);
    Trainer trainer(plan.model, plan.training, text, workers);
    LanguageModel& model = trainer.model();
    model.forward(text.validation.data(), text.validation.data() + 1, 1, 16, workers);
    const Magnitudes before = magnitudes(model, residual);
    // As initialised: HC's is the identity, the logits of the others are 0 and -8.
    EXPECT_NEAR(before.identity_mean, 0, 0.05);
    EXPECT_NEAR(before.other_mean, residual == Residual::hc ? 0 : -8, 0.05);
    EXPECT_LT(before.other_deviation, 0.05);
    while (!trainer.finished()) trainer.step();
    model.forward(text.validation.data(), text.validation.data() + 1, 1, 16, workers);
    EXPECT_NE(magnitudes(model, residual).other_deviation, before.other_deviation);
    if (residual != Residual::hc) continue;
    double sum = 0, squares = 0;
    for (Index i = 0; i < 6; ++i) {
      for (Index t = 0; t < 16; ++t) {
        const Eigen::Array4d diagonal =
            model.site(i).res.token(t).cast<double>().diagonal().array() - 1;
        sum += diagonal.sum() / (6 * 16 * 4);
        squares += diagonal.square().sum() / (6 * 16 * 4);
      }
    }
    const Magnitudes now = magnitudes(model, residual);
    EXPECT_NEAR(now.identity_mean, sum, 1e-6);
    EXPECT_NEAR(now.identity_deviation, std::sqrt(squares - sum * sum), 1e-4);
  }
  const TrainingPlan plain = small_plan(Residual::plain);
  EXPECT_THROW(magnitudes(*make_model(plain.model, 16), Residual::plain), std::invalid_argument);
}

TEST(Propagation, MatchesPlainProducts) {
  const Magnitudes m{0.1, 0.2, 0.05, 0.1};
  const Propagation of = propagate(Residual::hc, m, 12, 2, 5);
  Random random(5);
  std::vector<std::vector<double>> forward(12), backward(12);
  for (int s = 0; s < 2; ++s) {
    Eigen::Matrix4d product = Eigen::Matrix4d::Identity();
    for (std::size_t l = 0; l < 12; ++l) {
      Eigen::Matrix4d res;
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < 4; ++j) {
          res(i, j) = i == j ? 1 + 0.1 + 0.2 * random.normal() : 0.05 + 0.1 * random.normal();
        }
      }
      product = (res * product).eval();
      forward[l].push_back(product.rowwise().sum().cwiseAbs().maxCoeff());
      backward[l].push_back(product.colwise().sum().cwiseAbs().maxCoeff());
    }
  }
  for (std::size_t l = 0; l < 12; ++l) {
    EXPECT_NEAR(of.forward.median[l], (forward[l][0] + forward[l][1]) / 2, 1e-9);
    EXPECT_NEAR(of.backward.median[l], (backward[l][0] + backward[l][1]) / 2, 1e-9);
  }
}

TEST(Propagation, ConstrainedMappingsKeepTheForwardSignal) {
  const Magnitudes large{0, 8, 0, 8};
  for (const Residual residual : {Residual::mhc, Residual::mhc_lite}) {
    const Propagation of = propagate(residual, large, 100, 16, 1);
    EXPECT_NEAR(of.forward.high.back(), 1, 1e-12);
    EXPECT_LT(of.backward.high.back(), 2);
    EXPECT_GT(of.backward.low.back(), 1 - 1e-12);
  }
  const Propagation of = propagate(Residual::hc, {0, 0.3, 0, 0.3}, 100, 16, 1);
  EXPECT_GT(of.forward.median.back(), 100);
}

TEST(Propagation, FindsQuantilesAndDepths) {
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2, 5}, 0.5), 3);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2, 5}, 0.1), 1.4);
  EXPECT_EQ(depth_above({1, 2, 3, 2}, 2.5), 3);
  EXPECT_EQ(depth_above({1, 2}, 2.5), 0);
}

TEST(CommandLine, RejectsInvalidOptions) {
  EXPECT_EQ(parse_command_line({"--quick"}).seeds, 1);
  EXPECT_EQ(parse_command_line({"--quick", "--channels", "64"}).channels, 64);
  const std::vector<std::vector<std::string>> wrong{{"--seeds", "0"},
                                                    {"--seeds"},
                                                    {"--steps", "1e3"},
                                                    {"--blocks", "2"},
                                                    {"--report", ""},
                                                    {"--learning-rate", "-1"},
                                                    {"--channels", "30"},
                                                    {"--validation", "64"},
                                                    {"--samples", "1"},
                                                    {"stability"},
                                                    {"--seeds", "2", "--quick"},
                                                    {"--quick", "--sweep-steps", "9"}};
  for (const auto& arguments : wrong) {
    EXPECT_THROW(parse_command_line(arguments), UsageError) << arguments.front();
  }
}

}  // namespace
}  // namespace language_model::stability
