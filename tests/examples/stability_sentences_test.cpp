// SPDX-License-Identifier: MIT
// The stability experiment's sentences and tables, for hand-made results.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "figures.hpp"
#include "results.hpp"
#include "summary.hpp"
#include "sweep.hpp"
#include "tables.hpp"

namespace language_model::stability {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

Observation observation(std::uint64_t step, double gain, std::size_t sites) {
  const std::vector<mhc::Gains> gains(sites, {gain, 1});
  return {step, {gains, gains}, 0.5};
}

// A loss that falls to `end`, and composite gains of 1 before training and `gain` after it.
TrainedRun run_of(Residual residual, std::uint64_t seed, double end, double gain,
                  std::size_t sites = 60) {
  TrainedRun run{};
  run.residual = residual;
  run.seed = seed;
  run.curve.loss = {5, 4, end};
  run.curve.gradient_norm = {1, 2, 1};
  run.observations = {observation(0, 1, sites), observation(3, gain, sites)};
  run.validation = 3;
  run.mappings = {{"site 1", Eigen::MatrixXd::Identity(4, 4)},
                  {"sites 1-60", Eigen::MatrixXd::Identity(4, 4)}};
  return run;
}

// HC ends below mHC by 0.10, 0.11 and so on.
Results results_of(std::size_t seeds, double hc_gain = 100, double mhc_gain = 1.1,
                   std::size_t sites = 60) {
  Results results;
  results.what = "hand-made";
  results.steps = 3;
  for (const Residual residual : residuals) {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      const bool is_hc = residual == Residual::hc;
      const double end = is_hc ? 2.91 - 0.01 * static_cast<double>(seed) : 3;
      const double gain = is_hc ? hc_gain : residual == Residual::mhc ? mhc_gain : 1;
      results.runs.push_back(run_of(residual, seed, end, gain, sites));
    }
  }
  return results;
}

TrainedRun& run_in(Results& results, Residual residual, std::uint64_t seed) {
  for (TrainedRun& run : results.runs) {
    if (run.residual == residual && run.seed == seed) return run;
  }
  throw std::logic_error("no such run");
}

SweepPoint point(Residual residual, Index sublayers, double multiple, double loss, double lowest) {
  return {residual, sublayers, multiple, 0.1 * multiple, {1, 1}, 1, loss, lowest, {}};
}

std::string joined_sentences(const Results& results) {
  std::string text;
  for (const std::string& sentence : sentences(results)) text += sentence + "\n";
  return text;
}

// All cells, with " | " after each.
std::string cells(const report::Table& table) {
  std::string text;
  for (const auto& row : table.rows) {
    for (const std::string& cell : row) text += cell + " | ";
  }
  return text;
}

TEST(Intervals, UseStudentsT) {
  EXPECT_TRUE(std::isnan(t95(0)));
  EXPECT_TRUE(std::isnan(t95(1)));
  EXPECT_DOUBLE_EQ(t95(2), 12.706);
  EXPECT_DOUBLE_EQ(t95(3), 4.303);
  EXPECT_DOUBLE_EQ(t95(11), 2.228);
  EXPECT_DOUBLE_EQ(t95(100), 2.228);
  // 1, 2, 3: mean 2, standard error 1 / sqrt(3) = 0.577, half width 2.484.
  EXPECT_FALSE(excludes_zero(spread_of({1, 2, 3})));
  EXPECT_TRUE(excludes_zero(spread_of({1.5, 2.5, 3.5})));
  EXPECT_TRUE(excludes_zero(spread_of({-1.5, -2.5, -3.5})));
  EXPECT_FALSE(excludes_zero(spread_of({1, 1.2})));  // 12.706 standard errors of 0.1
  EXPECT_TRUE(excludes_zero(spread_of({1.3, 1.5})));
  EXPECT_FALSE(excludes_zero(spread_of({})));
  EXPECT_FALSE(excludes_zero(spread_of({5})));
  EXPECT_FALSE(excludes_zero(spread_of({1, nan, 1})));
}

TEST(Maxima, KeepNonFiniteValues) {
  EXPECT_EQ(larger(1, 2), 2);
  EXPECT_EQ(larger(2, nan), infinity);
  EXPECT_EQ(larger(infinity, 1), infinity);
  const mhc::Gains most = largest({{2, 1}, {nan, 3}, {5, 2}});
  EXPECT_EQ(most.forward, infinity);
  EXPECT_EQ(most.backward, 3);
  EXPECT_EQ(largest_rise({3, 2, nan, 1, 1}, 1), infinity);
}

TEST(Sentences, CompareGainsWithThePaper) {
  EXPECT_THAT(joined_sentences(results_of(1, 4000)),
              HasSubstr("HC's is above the paper's over 60 here; mHC's is not above the paper's."));
  EXPECT_THAT(joined_sentences(results_of(1, 300, 2)),
              HasSubstr("but is 150 times mHC's; mHC's is above the paper's."));
  EXPECT_THAT(joined_sentences(results_of(1, 3, 1)),
              HasSubstr("HC's is not more than ten times mHC's here"));
  EXPECT_THAT(joined_sentences(results_of(1, 300, 1, 6)),
              AllOf(HasSubstr("Over 6 sites the composite gain of HC came to 300"),
                    HasSubstr("about 3000 and 1.6 over 60.")));
}

TEST(Sentences, TreatNonFiniteGainsAsInfinite) {
  Results results = results_of(2, 100);
  run_in(results, Residual::hc, 1).observations[0] = observation(0, nan, 60);
  EXPECT_THAT(joined_sentences(results),
              AllOf(HasSubstr("HC came to infinite"), HasSubstr("is above")));
  EXPECT_THAT(cells(training_table(results)), HasSubstr("infinite"));
  EXPECT_THAT(cells(depth_table(results)), HasSubstr("last 60 | infinite | 1.1 | 1 | "));
}

TEST(Sentences, StateThatHcEndsLowerOnlyIfSignificant) {
  const char* const lower = "HC ends lower than mHC in spite of its gains";
  EXPECT_THAT(joined_sentences(results_of(3)),
              AllOf(HasSubstr(lower), Not(HasSubstr("(one seed)"))));
  EXPECT_THAT(joined_sentences(results_of(1)), HasSubstr(std::string(lower) + " (one seed)."));
  EXPECT_THAT(joined_sentences(results_of(3, 5)), Not(HasSubstr(lower)));  // no large gains

  Results scattered = results_of(3);
  run_in(scattered, Residual::mhc, 1).curve.loss.back() = 2.5;
  EXPECT_THAT(joined_sentences(scattered), Not(HasSubstr(lower)));

  Results surging = results_of(3);
  run_in(surging, Residual::hc, 2).curve.loss = {5, 2, 2.89};
  EXPECT_THAT(joined_sentences(surging),
              AllOf(HasSubstr("surge of the loss shows here"), Not(HasSubstr(lower))));
}

TEST(Sentences, CountDivergedTrainings) {
  Results results = results_of(3);
  EXPECT_THAT(joined_sentences(results), Not(HasSubstr("3 trainings")));
  run_in(results, Residual::hc, 1).curve.diverged_at = 3;
  run_in(results, Residual::mhc_lite, 2).curve.diverged_at = 2;
  EXPECT_THAT(joined_sentences(results),
              AllOf(HasSubstr("1 of 3 trainings with HC diverged.\n"),
                    HasSubstr("1 of 3 trainings with mHC-lite diverged.\n"),
                    Not(HasSubstr("No training with HC"))));
  EXPECT_EQ(first_ended(results, Residual::hc)->seed, 2U);
  EXPECT_EQ(first_seed_text(results), "first seed, HC before it diverged at step 3");
  EXPECT_THAT(final_differences(results, Residual::hc, Residual::mhc),
              ElementsAre(testing::DoubleNear(-0.11, 1e-12), testing::DoubleNear(-0.12, 1e-12)));
  for (const std::uint64_t seed : {2U, 3U}) {
    run_in(results, Residual::hc, seed).curve.diverged_at = 3;
  }
  EXPECT_EQ(first_ended(results, Residual::hc), nullptr);
  EXPECT_THAT(joined_sentences(results),
              HasSubstr("3 of 3 trainings with HC diverged. Its H_res at the end"));
  EXPECT_THAT(mappings_figure(results).svg(), HasSubstr("every training with HC diverged"));
  EXPECT_THAT(cells(training_table(results)), HasSubstr("HC | - | - | - | "));
}

TEST(Sweep, OnlyModelsThatHadLearntCountAsBroken) {
  SweepPoint at = point(Residual::hc, 60, 1, 2, 2);
  EXPECT_EQ(at.outcome(), SweepOutcome::learns);
  at.final_loss = 5.5;  // 0.99 ln 256 = 5.4897
  EXPECT_EQ(at.outcome(), SweepOutcome::lost);
  EXPECT_TRUE(at.is_broken());
  at.lowest_loss = 5.495;
  EXPECT_EQ(at.outcome(), SweepOutcome::has_not_learnt);
  EXPECT_FALSE(at.is_broken());
  at.diverged_at = 7;
  EXPECT_EQ(at.outcome(), SweepOutcome::diverged);
  EXPECT_TRUE(at.is_broken());
  at.diverged_at.reset();
  at.final_loss = nan;
  EXPECT_NE(at.outcome(), SweepOutcome::learns);
}

TEST(Sweep, LowestLossAveragesWholeTenths) {
  std::vector<double> loss(20, 5);
  loss[0] = 1;  // a single step is no tenth
  loss[8] = loss[9] = 4;
  EXPECT_DOUBLE_EQ(lowest_tenth(loss), 3);  // (1 + 5) / 2
  EXPECT_DOUBLE_EQ(last_tenth(loss), 5);
  EXPECT_TRUE(std::isnan(lowest_tenth({})));
}

TEST(Sweep, ListsAllBrokenMultiples) {
  Results results = results_of(1);
  for (const double multiple : {16.0, 2.0, 1.0, 8.0, 4.0}) {
    const bool breaks = multiple == 4 || multiple == 16;
    results.sweep.push_back(point(Residual::hc, 60, multiple, breaks ? 5.545 : 3, 3));
    results.sweep.push_back(point(Residual::hc, 8, multiple, 3, 3));
    const double slow = multiple == 1 ? 5.52 : 3;
    results.sweep.push_back(point(Residual::mhc, 60, multiple, slow, slow));
    results.sweep.push_back(point(Residual::plain, 60, multiple, 3, 3));
  }
  results.sweep.back().diverged_at = 5;  // the ordinary residual at x4
  EXPECT_THAT(broken_multiples(results.sweep, Residual::hc, 60), ElementsAre(4, 16));
  EXPECT_THAT(broken_multiples(results.sweep, Residual::mhc, 60), IsEmpty());
  EXPECT_THAT(joined_sentences(results),
              HasSubstr("In the sweep HC at 60 sublayers broke first at 4 times the learning rate "
                        "(broken: x4, x16); HC at 8 sublayers did not break up to 16 times the "
                        "learning rate; mHC at 60 sublayers did not break up to 16 times the "
                        "learning rate, and had not learnt at x1; the ordinary residual at 60 "
                        "sublayers broke first at 4 times the learning rate (broken: x4).\n"));
  EXPECT_THAT(cells(sweep_table(results)),
              AllOf(HasSubstr("lost what it had learnt"), HasSubstr("has not learnt"),
                    HasSubstr("diverged at step 5"), HasSubstr("learns")));
}

}  // namespace
}  // namespace language_model::stability
