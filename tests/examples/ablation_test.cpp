// SPDX-License-Identifier: MIT
// The ablation: disabled mappings stay constant, and gaps are paired by seed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>
#include <vector>
#include <Eigen/Core>

#include "command_line.hpp"
#include "output.hpp"
#include "random_text.hpp"
#include "summary.hpp"
#include "variants.hpp"

namespace language_model::ablation {
namespace {

using testing::HasSubstr;

Plan small_plan(Residual residual) {
  Plan plan = Options::default_plan();
  plan.model.residual = residual;
  plan.model.layers = 2;
  plan.model.channels = 16;
  plan.model.heads = 2;
  plan.model.experts = 2;
  plan.model.context = 16;
  plan.training.steps = 8;
  plan.training.batch = 2;
  plan.validation_bytes = 100;
  return plan;
}

// The losses of some steps, and the mappings after them.
struct Trained {
  Trained(const Text& text, const Plan& plan, const LearntMaps& learnt)
      : workers(1), trainer(plan.model, plan.training, text, workers) {
    if (plan.model.residual != Residual::plain) {
      for (const auto& gradients : disable(trainer.model(), plan.model, learnt)) {
        trainer.freeze(gradients);
      }
    }
    while (!trainer.finished()) losses.push_back(trainer.step().loss);
    trainer.model().forward(text.validation.data(), text.validation.data() + 1, 1, 16, workers);
  }

  // The largest error of a mapping's entries against those of a disabled one.
  double pre_error() {
    double error = 0;
    for (Index i = 0; i < trainer.model().sites(); ++i) {
      const auto pre = trainer.model().site(i).pre.matrix();
      error = std::fmax(error, static_cast<double>((pre.array() - 0.25F).abs().maxCoeff()));
    }
    return error;
  }
  double post_error() {
    double error = 0;
    for (Index i = 0; i < trainer.model().sites(); ++i) {
      const auto post = trainer.model().site(i).post.matrix();
      error = std::fmax(error, static_cast<double>((post.array() - 1.0F).abs().maxCoeff()));
    }
    return error;
  }
  double res_error() {
    double error = 0;
    for (Index i = 0; i < trainer.model().sites(); ++i) {
      const auto res = trainer.model().site(i).res;
      for (Index t = 0; t < res.tokens; ++t) {
        const Eigen::Matrix4f difference = res.token(t) - Eigen::Matrix4f::Identity();
        error = std::fmax(error, static_cast<double>(difference.cwiseAbs().maxCoeff()));
      }
    }
    return error;
  }

  Workers workers;
  Trainer trainer;
  std::vector<double> losses;
};

constexpr double rounding = 1e-7;

TEST(DisabledMaps, OfHcStayConstantWhileOthersLearn) {
  const Text text = random_text(4);
  for (const LearntMaps learnt : {LearntMaps{false, false, true}, LearntMaps{true, false, true},
                                  LearntMaps{true, true, true}, LearntMaps{true, true, false}}) {
    Trained trained(text, small_plan(Residual::hc), learnt);
    EXPECT_EQ(trained.pre_error() == 0, !learnt.pre);
    EXPECT_EQ(trained.post_error() == 0, !learnt.post);
    EXPECT_EQ(trained.res_error() == 0, !learnt.res);
  }
}

TEST(DisabledMaps, OfMhcStayConstantWhileOthersLearn) {
  const Text text = random_text(4);
  for (const LearntMaps learnt : {LearntMaps{false, false, true}, LearntMaps{true, false, true},
                                  LearntMaps{false, true, true}, LearntMaps{true, true, true}}) {
    Trained trained(text, small_plan(Residual::mhc), learnt);
    EXPECT_EQ(trained.pre_error() < rounding, !learnt.pre);
    EXPECT_EQ(trained.post_error() == 0, !learnt.post);
  }
  const Plan plan = small_plan(Residual::mhc);
  const auto model = make_model(plan.model, 16);
  EXPECT_THROW(disable(*model, plan.model, {true, true, false}), std::invalid_argument);
}

// Four equal streams with 1/n, 1 and I are one stream.
TEST(DisabledMaps, TogetherEqualTheOrdinaryResidual) {
  const Text text = random_text(4);
  Plan plain = small_plan(Residual::plain);
  plain.model.streams = 1;
  const Trained ordinary(text, plain, {true, true, true});
  Trained disabled(text, small_plan(Residual::hc), {false, false, false});
  EXPECT_EQ(disabled.res_error(), 0);
  const Trained learnt(text, small_plan(Residual::hc), {true, true, true});
  double distance = 0;
  ASSERT_EQ(ordinary.losses.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(disabled.losses[i], ordinary.losses[i], 2e-4) << "step " << i;
    distance = std::fmax(distance, std::abs(learnt.losses[i] - ordinary.losses[i]));
  }
  EXPECT_NEAR(disabled.losses[0], ordinary.losses[0], 1e-6);
  EXPECT_GT(distance, 2e-3);
}

// Rows of mHC's H_res sum to one, so streams that begin equal stay equal without H_post.
TEST(DisabledMaps, WithoutPostMhcEqualsTheOrdinaryResidual) {
  const Text text = random_text(4);
  Plan plain = small_plan(Residual::plain);
  plain.model.streams = 1;
  const Trained ordinary(text, plain, {true, true, true});
  const Trained res_alone(text, small_plan(Residual::mhc), {false, false, true});
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(res_alone.losses[i], ordinary.losses[i], 2e-4) << "step " << i;
  }
}

TEST(Ablation, DoesNotDependOnTheNumberOfThreads) {
  const Text text = random_text(4);
  const auto no_progress = [] {};
  const auto alone = train_all(small_plan(Residual::hc), 2, text, 1, no_progress);
  const auto together = train_all(small_plan(Residual::hc), 2, text, 3, no_progress);
  ASSERT_EQ(alone.size(), 8U);
  for (std::size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(alone[i].variant, i % 4);
    EXPECT_EQ(alone[i].seed, 1 + i / 4);
    EXPECT_EQ(alone[i].curve.loss, together[i].curve.loss);
    EXPECT_EQ(alone[i].validation, together[i].validation);
  }
}

// Gaps are computed seed by seed, not from means.
TEST(Ablation, PairsSeeds) {
  std::vector<ablation::Run> runs;
  const auto add = [&](std::size_t variant, std::uint64_t seed, double loss, bool diverged) {
    ablation::Run run;
    run.variant = variant;
    run.seed = seed;
    run.curve.loss = {loss};
    if (diverged) run.curve.diverged_at = 2;
    runs.push_back(run);
  };
  const double losses[3][4] = {{2, 1.5, 1.4, 1.2}, {3, 2.4, 2.3, 2.5}, {9, 8, 8, 8}};
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    for (std::size_t v = 0; v < 4; ++v) add(v, seed, losses[seed][v], seed == 2 && v == 3);
  }
  const auto all = outcomes(runs);
  EXPECT_THAT(all[1].gaps,
              testing::ElementsAre(testing::DoubleEq(-0.5), testing::DoubleNear(-0.6, 1e-12),
                                   testing::DoubleEq(-1)));
  EXPECT_NEAR(all[1].gap.mean, -0.7, 1e-12);
  EXPECT_NEAR(all[1].gap.standard_error, std::sqrt(0.07 / 3),
              1e-12);  // (.04 + .01 + .09) / 2 = .07
  EXPECT_EQ(all[3].diverged, 1U);
  EXPECT_EQ(all[3].gap.count, 2U);
  EXPECT_NEAR(all[3].next.mean, 0.0, 1e-12);  // -0.2 and 0.2
  const std::string printed = testing::PrintToString(sentences(all));
  // 4.303 standard errors of three seeds are 0.657, 12.706 of two are more.
  EXPECT_THAT(printed,
              HasSubstr("(Student's t, 3 seeds) excludes zero: H_res against none (-0.7000 "
                        "+- 0.1528)"));
  EXPECT_THAT(printed, HasSubstr("H_res, H_pre, H_post against H_res, H_pre (0.0000 +- 0.2000, 2 "
                                 "seeds)"));
  EXPECT_THAT(printed, HasSubstr("1 of 3 seeds diverged with H_res, H_pre, H_post learnt."));
  EXPECT_THAT(printed,
              HasSubstr("The order of the last variants cannot be told from these seeds."));
}

// A run of each variant and seed that ends at losses[seed][variant].
std::vector<ablation::Run> runs_of(const std::vector<std::vector<double>>& losses) {
  std::vector<ablation::Run> runs;
  for (std::size_t seed = 0; seed < losses.size(); ++seed) {
    for (std::size_t v = 0; v < losses[seed].size(); ++v) {
      ablation::Run run;
      run.variant = v;
      run.seed = seed;
      run.curve.loss = {losses[seed][v]};
      run.curve.gradient_norm = {1};
      run.validation = 4;
      runs.push_back(run);
    }
  }
  return runs;
}

TEST(Sentences, ConfirmThePapersOrderOnlyIfSignificant) {
  const char* const papers = "The order is the paper's";
  EXPECT_THAT(sentences(outcomes(runs_of({{4, 3, 2, 1}, {5, 4, 3, 2}}))).back(), HasSubstr(papers));
  EXPECT_THAT(sentences(outcomes(runs_of({{4, 3, 2, 1}, {5, 4, 3, 2.9}}))).back(),
              "The order of the last variants cannot be told from these seeds.");
  EXPECT_THAT(sentences(outcomes(runs_of({{4, 3, 2, 1}, {5, 4.9, 3, 2}}))).back(),
              "The order of the variants cannot be told from these seeds.");
  EXPECT_THAT(sentences(outcomes(runs_of({{4, 3, 3.5, 1}, {5, 4, 4.5, 2}}))).back(),
              "The order is not the paper's: H_res, H_pre ends higher than H_res.");
  EXPECT_THAT(sentences(outcomes(runs_of({{4, 3, 2, 1}}))).back(), HasSubstr("One seed has no"));
}

TEST(Sentences, IgnoreNaN) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto all = sentences(outcomes(runs_of({{4, 3, nan, 1}, {5, 4, 3, 2}})));
  EXPECT_THAT(all, testing::Contains(HasSubstr("without an interval: H_res, H_pre against none")));
  EXPECT_EQ(all.back(), "The order of the last variants cannot be told from these seeds.");
}

TEST(Sentences, CountDivergedBaselines) {
  auto runs = runs_of({{4, 3, 2, 1}, {5, 4, 3, 2}, {6, 5, 4, 3}});
  runs[0].curve.diverged_at = 2;
  const auto all = outcomes(runs);
  EXPECT_EQ(all[1].gap.count, 2U);
  EXPECT_EQ(all[2].next.count, 3U);
  EXPECT_EQ(sentences(all).front(),
            "1 of 3 seeds diverged with none learnt, the baseline: they have no gap.");
  EXPECT_THAT(testing::PrintToString(sentences(all)),
              HasSubstr("H_res against none (-1.0000 +- 0.0000, 2 seeds)"));
}

TEST(Files, LeaveFieldsOfDivergedTrainingsEmpty) {
  auto runs = runs_of({{4, 3, 2, 1}, {5, 4, 3, 2}});
  runs[0].curve.diverged_at = 2;  // the baseline of seed 0
  runs[7].curve.diverged_at = 3;
  const std::string path = testing::TempDir() + "ablation_ends.csv";
  detail::write_ends(path, runs);
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 9U);
  EXPECT_EQ(lines[1], "none,0,,,,2");
  EXPECT_EQ(lines[2], "H_res,0,3,,4,");
  EXPECT_EQ(lines[6], "H_res,1,4,-1,4,");
  EXPECT_EQ(lines[8], "\"H_res, H_pre, H_post\",1,,,,3");
}

// A dot for each seed of each variant, and three of the paper's; no legend for unnamed series.
TEST(Figure, MarksSeedsByDots) {
  auto runs = runs_of({{4, 3, 2, 1}, {5, 4, 3, 2.5}});
  for (auto& run : runs) run.curve.loss.resize(30, run.curve.loss.front());
  const std::string svg = figure_of(small_plan(Residual::hc), runs, outcomes(runs)).svg();
  std::size_t dots = 0;
  for (std::size_t at = 0; (at = svg.find("<circle", at)) != std::string::npos; ++at) ++dots;
  EXPECT_EQ(dots, 2 * 3 + 3U);
  for (const Variant& variant : variants) EXPECT_THAT(svg, HasSubstr(variant.added));
}

TEST(CommandLine, RejectsInvalidOptions) {
  EXPECT_EQ(parse_command_line({"--quick"}).seeds, 2);
  EXPECT_EQ(parse_command_line({"--seeds", "5"}).seeds, 5);
  EXPECT_EQ(parse_command_line({"--residual", "mhc"}).plan.model.residual, Residual::mhc);
  const std::vector<std::vector<std::string>> wrong{
      {"--residual", "plain"},    {"--seeds", "0"}, {"--steps", ""},        {"--top-k", "9"},
      {"--channels", "62"},       {"--report"},     {"--validation", "64"}, {"-h"},
      {"--seeds", "5", "--quick"}};
  for (const auto& arguments : wrong) {
    EXPECT_THROW(parse_command_line(arguments), UsageError) << arguments.front();
  }
}

}  // namespace
}  // namespace language_model::ablation
