// SPDX-License-Identifier: MIT
// The parts of a run that need no model: its tables, its outcome as text, sampling a byte.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/files.hpp"
#include "outcome.hpp"
#include "run_table.hpp"
#include "sampler.hpp"

namespace language_model {
namespace {

using mhc_test::Folder;
using testing::ElementsAre;
using testing::IsEmpty;

const double none = std::numeric_limits<double>::quiet_NaN();

RunTable table(const Folder& folder, std::uint64_t steps_done) {
  return RunTable(folder.path(), "run", {"step", "loss", "more"}, steps_done);
}

// An aborted run closes no file.
TEST(RunTable, LinesAreWrittenImmediately) {
  const Folder folder;
  RunTable first = table(folder, 0);
  EXPECT_EQ(mhc_test::read_file(folder / "run.csv"), "step,loss,more\n");
  first.add({1, 0.5, none});
  first.add({2, 0.25, 7});
  EXPECT_EQ(mhc_test::read_file(folder / "run.csv"), "step,loss,more\n1,0.5,\n2,0.25,7\n");
  const RunTable second = table(folder, 2);
  EXPECT_THAT(second.column(0), ElementsAre(1, 2));
  EXPECT_TRUE(std::isnan(second.column(2)[0]));
}

TEST(RunTable, ResumeKeepsLinesUpToItsStep) {
  const Folder folder;
  {
    RunTable first = table(folder, 0);
    for (const double step : {1.0, 2.0, 3.0}) first.add({step, 1 / step, none});
    first.close();
  }
  RunTable second = table(folder, 2);
  second.add({3, 9, none});
  EXPECT_EQ(mhc_test::read_file(folder / "run.csv"), "step,loss,more\n1,1,\n2,0.5,\n3,9,\n");
  EXPECT_THAT(folder.names(), ElementsAre("run.csv"));
}

// "12" may be a truncated 125.
TEST(RunTable, IgnoresATruncatedLine) {
  const Folder folder;
  mhc_test::write_file(folder / "run.csv", "step,loss,more\n1,0.5,\n2,0.25,12");
  EXPECT_THAT(table(folder, 2).column(0), ElementsAre(1));
  EXPECT_EQ(mhc_test::read_file(folder / "run.csv"), "step,loss,more\n1,0.5,\n");
}

TEST(RunTable, StartsAnewForAnotherRun) {
  const Folder folder;
  mhc_test::write_file(folder / "run.csv", "step,other\n1,0.5\n");
  EXPECT_THAT(table(folder, 2).column(0), IsEmpty());
  EXPECT_EQ(mhc_test::read_file(folder / "run.csv"), "step,loss,more\n");
}

// For any number of layers.
TEST(Outcome, ListsTheLoadOfEveryLayer) {
  Outcome outcome;
  outcome.seconds = 3;
  std::string all = "largest over mean, by layer:";
  outcome.validation.loads = ExpertLoads(Eigen::MatrixXd::Ones(80, 4));
  for (int l = 0; l < 80; ++l) all += " 1.00";
  std::string loads;
  for (const auto& [name, value] : lines_of(outcome)) {
    if (name == "expert load") loads = value;
  }
  EXPECT_EQ(loads, all);
}

TEST(Outcome, OfAResumedRunCountsItsOwnSteps) {
  Outcome outcome;
  outcome.validation.loads = ExpertLoads(Eigen::MatrixXd::Ones(1, 4));
  outcome.steps = 10;
  outcome.steps_now = 4;
  outcome.seconds = 2;
  outcome.bytes_per_second = 30;
  EXPECT_EQ(lines_of(outcome).back().second, "of these 4 steps 2.0 s, 30 bytes/s");
  outcome.steps_now = 0;
  EXPECT_EQ(lines_of(outcome).back().first, "trained on");
  outcome.steps_now = 10;
  EXPECT_EQ(lines_of(outcome).back().second, "2.0 s, 30 bytes/s");
}

// The second piece fails: no cache may hold more than another.
TEST(Generation, IsEmptyAfterAFailure) {
  class Failing final : public Generation {
   public:
    Failing() : Generation(100, 100) {}
    std::size_t cache_bytes_per_token() const override { return 1; }
    Index cached = 0;

   private:
    void append(const std::uint8_t*, Index count, const Workers&) override {
      if (cached > 0) throw std::runtime_error("no memory");
      cached += count;
    }
    void write_logits(Vector<float>& logits, const Workers&) override { logits.setZero(); }
    void clear_caches() override { cached = 0; }
  };
  const Workers workers(1);
  const std::vector<std::uint8_t> bytes(100);
  Failing generation;
  EXPECT_THROW(generation.extend(bytes.data(), 100, workers), std::runtime_error);
  EXPECT_EQ(generation.size(), 0);
  EXPECT_EQ(generation.cached, 0);
  EXPECT_THROW(generation.logits(), std::logic_error);
  generation.extend(bytes.data(), 5, workers);
  EXPECT_EQ(generation.size(), 5);
}

TEST(Draw, TakesTheMostProbableAtALowTemperature) {
  std::vector<float> probabilities(vocabulary, 1.0F / 512);
  probabilities[65] = 0.5F + 1.0F / 512;
  Random random(1);
  for (const double temperature : {1e-3, 1e-6}) {
    for (int i = 0; i < 100; ++i) EXPECT_EQ(draw(probabilities.data(), temperature, random), 65);
  }
}

// p^2 of 0.25 and 0.75: 1 to 9. Of 10000 draws the standard deviation is 30.
TEST(Draw, FollowsThePowerOfTheProbabilities) {
  std::vector<float> probabilities(vocabulary, 0.0F);
  probabilities[0] = 0.25F;
  probabilities[255] = 0.75F;
  Random random(2);
  int rare = 0;
  for (int i = 0; i < 10000; ++i) {
    const int byte = draw(probabilities.data(), 0.5, random);
    ASSERT_TRUE(byte == 0 || byte == 255);
    rare += byte == 0 ? 1 : 0;
  }
  EXPECT_NEAR(rare, 1000, 150);
}

}  // namespace
}  // namespace language_model
