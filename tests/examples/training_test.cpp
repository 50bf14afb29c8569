// SPDX-License-Identifier: MIT
// The language model as a program: it learns, its bits depend only on its settings, and invalid
// texts, checkpoints and command lines and full disks are reported.
#include <sys/resource.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "../report/text.hpp"
#include "command_line.hpp"
#include "evaluation.hpp"
#include "outcome.hpp"
#include "run.hpp"
#include "sampler.hpp"
#include "text.hpp"
#include "trainer.hpp"

namespace language_model {

// For the names of parameters in gtest's messages.
inline void PrintTo(const ModelConfig& config, std::ostream* out) {
  *out << name_of(config.residual) << ", " << name_of(config.attention) << ", mtp "
       << config.mtp_weight;
}

namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A separate folder for each test, removed at the end.
class Files : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / ("mhc_" + std::string(test->test_suite_name()) + "_" +
                                           test->name() + "_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& content) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }

  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  fs::path folder_;
};

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

std::string sentences(int count) {
  const std::vector<std::string> subjects{"A stream", "The layer", "Every token", "One expert"};
  const std::vector<std::string> verbs{"mixes", "keeps", "carries", "forgets"};
  Random random(7);
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += subjects[random.below(4)] + " " + verbs[random.below(4)] + " what it was given.\n";
  }
  return text;
}

Text small_text() {
  const std::string train = sentences(200), validation = sentences(20);
  return {"sentences",
          "made apart",
          {train.begin(), train.end()},
          {validation.begin(), validation.end()}};
}

ModelConfig small_model(Residual residual, AttentionKind attention = AttentionKind::mla,
                        double mtp_weight = 0.3) {
  ModelConfig config;
  config.residual = residual;
  config.attention = attention;
  config.mtp_weight = mtp_weight;
  config.q_rank = 12;
  config.kv_rank = 8;
  config.rope_channels = 4;
  config.streams = residual == Residual::plain ? 1 : 4;
  config.layers = 2;
  config.channels = 16;
  config.heads = 2;
  config.experts = 4;
  config.top_k = 2;
  config.context = 24;
  return config;
}

TrainingConfig small_training(Index steps) {
  TrainingConfig training;
  training.steps = steps;
  training.batch = 4;
  training.learning_rate = 1e-2;
  return training;
}

// ---- text ------------------------------------------------------------------------------------

class TextFiles : public Files {};

TEST_F(TextFiles, FolderIsReadInPathOrderAndHoldsOutTheLastPart) {
  write("b.txt", std::string(50, 'b'));
  write("a/z.rst", std::string(30, 'z'));
  write("a/y.md", std::string(20, 'y'));
  write("a/picture.png", "not text");
  const Text text = read_text(folder_);
  const std::string all = std::string(text.train.begin(), text.train.end()) +
                          std::string(text.validation.begin(), text.validation.end());
  EXPECT_EQ(all, std::string(20, 'y') + std::string(30, 'z') + std::string(50, 'b'));
  EXPECT_EQ(text.validation.size(), 5U);
  EXPECT_EQ(text.split, "the last 5%");
}

TEST_F(TextFiles, ManyFilesHoldOutEveryTwentieth) {
  for (int i = 10; i < 50; ++i) write(std::to_string(i) + ".txt", std::to_string(i));
  const Text text = read_text(folder_);
  EXPECT_EQ(std::string(text.validation.begin(), text.validation.end()), "2949");
  EXPECT_EQ(text.train.size(), 76U);
}

TEST_F(TextFiles, ReportsInvalidTexts) {
  EXPECT_THAT(message_of([&] { read_text(folder_ / "absent"); }), HasSubstr("does not exist"));
  EXPECT_THAT(message_of([&] { read_text(folder_); }), HasSubstr("has no .txt, .rst or .md file"));
  EXPECT_THAT(message_of([&] { read_text(write("empty.txt", "")); }), HasSubstr("is empty"));
  EXPECT_THAT(message_of([&] { read_text("/dev/null"); }),
              HasSubstr("neither a file nor a folder"));
  const Text text = read_text(write("short.txt", std::string(100, 'x')));
  EXPECT_THAT(message_of([&] { check_length(text, 24); }),
              HasSubstr("has 100 bytes, of which 5 are held out (the last 5%), but each part needs "
                        "at least 25 (--context + 1)"));
}

TEST_F(TextFiles, ReportsAnUnreadableFile) {
  const fs::path path = write("secret.txt", "text");
  fs::permissions(path, fs::perms::none);
  // A file that even the superuser cannot read: its first byte is unreadable.
  const fs::path unreadable = geteuid() == 0 ? fs::path("/proc/self/mem") : path;
  if (!fs::exists(unreadable)) GTEST_SKIP() << "no file here is unreadable for the superuser";
  EXPECT_THAT(message_of([&] { read_text(unreadable); }), HasSubstr("text: cannot read"));
}

TEST(Gzip, CompressesRepetitionButNotNoise) {
  Bytes same(10000, 'a'), noise(10000);
  Random random(1);
  for (auto& byte : noise) byte = static_cast<std::uint8_t>(random.below(256));
  EXPECT_LT(gzip_bits_per_byte(same), 0.1);
  EXPECT_NEAR(gzip_bits_per_byte(noise), 8, 0.1);
}

TEST(Batches, DependOnlyOnSeedAndStep) {
  const Text text = small_text();
  Batches forward(text.train, 3, 20, 5), direct(text.train, 3, 20, 5), other(text.train, 3, 20, 6);
  for (std::uint64_t step = 0; step < 300; ++step) forward.take(step);
  direct.take(299);
  other.take(299);
  const Bytes a(forward.bytes(), forward.bytes() + 60), b(direct.bytes(), direct.bytes() + 60);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, Bytes(other.bytes(), other.bytes() + 60));
  for (int s = 0; s < 3; ++s) {
    for (int t = 0; t + 1 < 20; ++t) {
      EXPECT_EQ(forward.targets()[s * 20 + t], forward.bytes()[s * 20 + t + 1]);
    }
  }
}

TEST(Batches, AnEpochVisitsEveryWindowOnce) {
  Bytes text(1001);
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<std::uint8_t>(i / 10);
  Batches batches(text, 1, 10, 3);
  std::vector<int> met(256, 0);
  for (std::uint64_t step = 0; step < 99; ++step) {
    batches.take(step);
    ++met[batches.bytes()[5]];
  }
  for (const int count : met) EXPECT_LE(count, 1);
}

// ---- optimiser -------------------------------------------------------------------------------

TEST(Schedule, WarmsUpAndDecays) {
  EXPECT_DOUBLE_EQ(learning_rate_at(0, 1000, 1), 1.0 / 50);
  EXPECT_DOUBLE_EQ(learning_rate_at(49, 1000, 1), 1);
  EXPECT_DOUBLE_EQ(learning_rate_at(50, 1000, 1), 1);
  EXPECT_NEAR(learning_rate_at(525, 1000, 1), 0.525, 1e-3);
  EXPECT_NEAR(learning_rate_at(999, 1000, 1), 0.05, 1e-4);
  EXPECT_GT(learning_rate_at(0, 1, 1), 0);
}

TEST(AdamW, MatchesItsFormula) {
  const Workers workers(1);
  const AdamWOptions o;
  AdamW adamw({{0, 1, true}, {1, 1, false}}, 2, o);
  std::vector<float> p{2, 2};
  const std::vector<float> g{3, 4};  // norm 5, clipped to 1
  EXPECT_DOUBLE_EQ(adamw.step(p, g, 0, 0.1, workers), 5);
  // After one step m / (1 - beta_1) = g' and v / (1 - beta_2) = g'^2.
  EXPECT_NEAR(p[0], 2 * (1 - 0.1 * o.decay) - 0.1, 1e-6);
  EXPECT_NEAR(p[1], 2 - 0.1, 1e-6);
  EXPECT_DOUBLE_EQ(adamw.step(p, g, 1, 0.1, workers), 5);
  EXPECT_NEAR(p[1], 2 - 0.2, 1e-6);
}

// ---- training --------------------------------------------------------------------------------

// Each residual with all parts, and mhc without each optional part.
std::vector<ModelConfig> variants() {
  std::vector<ModelConfig> all;
  for (const Residual residual : residuals) all.push_back(small_model(residual));
  all.push_back(small_model(Residual::mhc, AttentionKind::mha));
  all.push_back(small_model(Residual::mhc, AttentionKind::mla, 0));
  return all;
}

std::string variant_name(const testing::TestParamInfo<ModelConfig>& tested) {
  const ModelConfig& config = tested.param;
  std::string name = std::string(name_of(config.residual)) + "_" + name_of(config.attention) +
                     (config.has_prediction_module() ? "" : "_alone");
  std::replace(name.begin(), name.end(), '-', '_');  // gtest allows no '-'
  return name;
}

class EachVariant : public testing::TestWithParam<ModelConfig> {};

INSTANTIATE_TEST_SUITE_P(Variants, EachVariant, testing::ValuesIn(variants()), variant_name);

TEST_P(EachVariant, Learns) {
  const Text text = small_text();
  const Workers workers(2);
  Trainer trainer(GetParam(), small_training(150), text, workers);
  const double first = bits(trainer.step().loss);
  StepResult last{};
  while (!trainer.finished()) last = trainer.step();
  EXPECT_GT(first, 7.5);
  EXPECT_LT(bits(last.loss), 1.5);
  LanguageModel& model = trainer.model();
  const Evaluation evaluation = evaluate(model, text.validation, 4, 24, workers);
  EXPECT_LT(evaluation.bits_per_byte, 1.5);
  EXPECT_DOUBLE_EQ(evaluation.bits_per_byte, bits_per_byte(model, text.validation, 4, 24, workers));
  EXPECT_EQ(model.has_prediction_module(), GetParam().has_prediction_module());
  if (model.has_prediction_module()) {
    EXPECT_LT(bits(last.further_loss), 2.5);
    EXPECT_LT(evaluation.further_bits_per_byte, 2.5);
    EXPECT_GT(evaluation.acceptance, 0.5);
    EXPECT_LT(evaluation.acceptance, 1);
  }
  const mhc::Gains gain = trainer.model().composite_gain();
  if (GetParam().residual != Residual::hc) {
    EXPECT_NEAR(gain.forward, 1, 1e-4);
    EXPECT_NEAR(gain.backward, 1, 1e-2);
  }
}

// The gradient of the whole model, arena to loss, against central differences along itself and
// along each eighth of itself. In float, hence the tolerances. Every expert is chosen: a flipped
// choice would make the loss jump.
TEST_P(EachVariant, GradientMatchesCentralDifferences) {
  const Text text = small_text();
  const Workers workers(1);
  ModelConfig config = GetParam();
  config.top_k = config.experts;
  Trainer trainer(config, small_training(10), text, workers);
  for (int i = 0; i < 5; ++i) trainer.step();
  LanguageModel& model = trainer.model();
  Arena& arena = model.arena();
  const auto loss = [&] {
    model.forward(text.train.data(), text.train.data() + 1, 4, 24, workers);
    if (model.has_prediction_module()) model.predict_further(workers);
    return model.loss();
  };
  loss();
  std::fill(arena.gradients.begin(), arena.gradients.end(), 0.0F);
  model.backward(workers);
  const auto values = arena.values;
  const auto slope_over_norm = [&](std::size_t begin, std::size_t end) {
    double square = 0;
    for (std::size_t i = begin; i < end; ++i) {
      square += static_cast<double>(arena.gradients[i]) * static_cast<double>(arena.gradients[i]);
    }
    const double h = 3e-3 / std::sqrt(square);
    const auto loss_at = [&](double distance) {
      for (std::size_t i = begin; i < end; ++i) {
        arena.values[i] = values[i] + static_cast<float>(distance) * arena.gradients[i];
      }
      const double moved = loss();
      arena.values = values;
      return moved;
    };
    // Of fourth order: the loss is far from linear, and a smaller step is lost in rounding.
    const double slope =
        (8 * (loss_at(h) - loss_at(-h)) - (loss_at(2 * h) - loss_at(-2 * h))) / (12 * h);
    return slope / square;
  };
  EXPECT_NEAR(slope_over_norm(0, values.size()), 1, 1e-3);
  for (std::size_t i = 0; i < 8; ++i) {
    const std::size_t begin = i * values.size() / 8, end = (i + 1) * values.size() / 8;
    EXPECT_NEAR(slope_over_norm(begin, end), 1, 1e-2) << i;
  }
}

TEST_P(EachVariant, SameBitsForAnyNumberOfThreads) {
  const Text text = small_text();
  const auto parameters_with = [&](int threads) {
    const Workers workers(threads);
    Trainer trainer(GetParam(), small_training(5), text, workers);
    while (!trainer.finished()) trainer.step();
    return trainer.model().arena().values;
  };
  const auto one = parameters_with(1);
  EXPECT_EQ(one, parameters_with(2));
  EXPECT_EQ(one, parameters_with(3));
}

TEST(Residuals, StartAsTheOrdinaryOne) {
  const Text text = small_text();
  const Workers workers(1);
  const auto first_loss = [&](Residual residual) {
    return Trainer(small_model(residual), small_training(5), text, workers).step().loss;
  };
  const double plain = first_loss(Residual::plain);
  EXPECT_NEAR(first_loss(Residual::hc), plain, 2e-2);
  EXPECT_NEAR(first_loss(Residual::mhc), plain, 2e-2);
  EXPECT_NEAR(first_loss(Residual::mhc_lite), plain, 2e-2);
}

TEST(Training, ReportsDivergence) {
  const Text text = small_text();
  const Workers workers(1);
  Trainer trainer(small_model(Residual::plain), small_training(50), text, workers);
  trainer.model().arena().values[0] = std::nanf("");
  for (float& value : trainer.model().arena().values) value *= 1e30F;
  EXPECT_THAT(message_of([&] { trainer.step(); }),
              HasSubstr("the gradient is not finite at step 1"));
}

TEST(Evaluation, CountsEveryByteOnceForAnyBatch) {
  const Text text = small_text();
  const Workers workers(1);
  Trainer trainer(small_model(Residual::mhc), small_training(5), text, workers);
  LanguageModel& model = trainer.model();
  const double one = bits_per_byte(model, text.validation, 1, 24, workers);
  EXPECT_NEAR(bits_per_byte(model, text.validation, 3, 24, workers), one, 1e-5);
  std::fill(model.arena().values.begin(), model.arena().values.end(), 0.0F);
  EXPECT_NEAR(bits_per_byte(model, text.validation, 4, 24, workers), 8,
              1e-5);  // 256 equal probabilities
  EXPECT_NEAR(bits_per_byte(model, Bytes(25, 'x'), 4, 24, workers), 8, 1e-5);
}

TEST(Evaluation, OfAUniformModel) {
  const Text text = small_text();
  const Workers workers(1);
  Trainer trainer(small_model(Residual::mhc), small_training(5), text, workers);
  LanguageModel& model = trainer.model();
  std::fill(model.arena().values.begin(), model.arena().values.end(), 0.0F);
  const Evaluation evaluation = evaluate(model, text.validation, 3, 24, workers);
  EXPECT_NEAR(evaluation.bits_per_byte, 8, 1e-5);
  EXPECT_NEAR(evaluation.further_bits_per_byte, 8, 1e-5);
  EXPECT_EQ(evaluation.acceptance, 1);  // among equals both take the first byte
  // Among equal experts the first are chosen: 2 of 4 have all slots.
  const Eigen::MatrixXd shares = evaluation.loads.shares();
  ASSERT_EQ(shares.rows(), 3);  // two layers, and the module's
  ASSERT_EQ(shares.cols(), 4);
  for (Index l = 0; l < 3; ++l) {
    EXPECT_EQ(shares(l, 0), 0.5);
    EXPECT_EQ(shares(l, 1), 0.5);
    EXPECT_EQ(evaluation.loads.imbalance(l), 2);
  }
}

TEST(Evaluation, CountsTheModulesLoadsOnlyIfItRan) {
  const Text text = small_text();
  const Workers workers(1);
  Trainer trainer(small_model(Residual::mhc), small_training(5), text, workers);
  LanguageModel& model = trainer.model();
  model.forward(text.train.data(), text.train.data() + 1, 2, 24, workers);
  ExpertLoads loads(model);
  loads.add(model, false);
  EXPECT_NEAR(loads.shares().row(1).sum(), 1, 1e-12);
  EXPECT_EQ(loads.shares().row(2).sum(), 0);
}

TEST(Training, OnlyBalanceMovesTheRoutersBiases) {
  const Text text = small_text();
  const Workers workers(1);
  TrainingConfig training = small_training(20);
  for (const bool balance : {false, true}) {
    training.balance = balance;
    Trainer trainer(small_model(Residual::mhc), training, text, workers);
    while (!trainer.finished()) trainer.step();
    const auto& bias = trainer.model().router_bias();
    ASSERT_EQ(bias.rows(), 3);
    for (Index l = 0; l < 3; ++l) {
      EXPECT_EQ(bias.row(l).cwiseAbs().maxCoeff() > 0, balance) << l;
    }
  }
}

TEST(PredictionModule, IsAbsentWithoutAWeight) {
  const Text text = small_text();
  const Workers workers(1);
  Trainer without(small_model(Residual::mhc, AttentionKind::mla, 0), small_training(5), text,
                  workers);
  Trainer with(small_model(Residual::mhc), small_training(5), text, workers);
  EXPECT_LT(without.model().arena().values.size(), with.model().arena().values.size());
  EXPECT_EQ(without.step().loss, with.step().loss);  // the decoder starts with the same bits
  EXPECT_THAT(message_of([&] { without.model().predict_further(workers); }),
              HasSubstr("without a prediction module"));
}

TEST(Sampler, IsDeterministicAndContinuesBeyondTheContext) {
  const Text text = small_text();
  const Workers workers(1);
  Trainer trainer(small_model(Residual::mhc), small_training(5), text, workers);
  const auto drawn = [&](std::uint64_t seed) {
    return sample(trainer.model(), "A prompt that is longer than the context.", 60, 1, 24, seed,
                  workers);
  };
  EXPECT_EQ(drawn(1).size(), 101U);
  EXPECT_EQ(drawn(1), drawn(1));
  EXPECT_NE(drawn(1), drawn(2));
  std::vector<float> certain(256, 0.0F);
  certain[65] = 1;
  Random random(1);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(draw(certain.data(), 0.7, random), 65);
  EXPECT_EQ(printable("a\tb\x01\xff\n"), "a\tb??\n");
}

// ---- checkpoints -----------------------------------------------------------------------------

class Checkpoints : public Files {
 protected:
  void SetUp() override {
    Files::SetUp();
    text_ = small_text();
  }

  Trainer trainer(const ModelConfig& model = small_model(Residual::mhc)) const {
    return Trainer(model, small_training(20), text_, workers_);
  }

  Text text_;
  Workers workers_{2};
};

class ResumedRun : public Checkpoints, public testing::WithParamInterface<ModelConfig> {};

INSTANTIATE_TEST_SUITE_P(Variants, ResumedRun, testing::ValuesIn(variants()), variant_name);

TEST_P(ResumedRun, IsBitwiseEqualToTheUninterruptedOne) {
  fs::create_directories(folder_);
  Trainer whole = trainer(GetParam());
  while (!whole.finished()) whole.step();
  whole.save(folder_ / "whole");
  {
    Trainer first = trainer(GetParam());
    while (first.steps_done() < 10) first.step();
    first.save(folder_ / "half");
  }
  Trainer second = trainer(GetParam());
  second.resume(folder_ / "half");
  EXPECT_EQ(second.steps_done(), 10U);
  while (!second.finished()) second.step();
  second.save(folder_ / "resumed");
  EXPECT_EQ(read(folder_ / "whole"), read(folder_ / "resumed"));
}

TEST_F(Checkpoints, RejectsTruncationAndFlippedBits) {
  Trainer saved = trainer();
  saved.save(folder_ / "good");
  const std::string good = read(folder_ / "good");
  const auto refusal = [&](const std::string& bytes) {
    const fs::path path = write("bad", bytes);
    return message_of([&] { trainer().resume(path); });
  };
  for (const std::size_t size : {std::size_t{0}, std::size_t{3}, std::size_t{7}}) {
    EXPECT_THAT(refusal(good.substr(0, size)), HasSubstr("is not a checkpoint of this program"));
  }
  for (const std::size_t size : {std::size_t{8}, std::size_t{15}, std::size_t{16}, good.size() / 2,
                                 good.size() - 4, good.size() - 1}) {
    EXPECT_THAT(refusal(good.substr(0, size)), HasSubstr("is cut short")) << size;
  }
  for (std::size_t at = 12; at < good.size(); at += good.size() / 9) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    EXPECT_THAT(refusal(bad), HasSubstr("checksum does not match")) << at;
  }
  EXPECT_THAT(refusal("PK\3\4 something else entirely"), HasSubstr("is not a checkpoint"));
  std::string other = good;
  other[8] = 9;
  EXPECT_THAT(refusal(other), HasSubstr("has format version 9, this program reads version 1"));
  EXPECT_THAT(refusal(good + "more"), HasSubstr("checksum does not match"));
  EXPECT_THAT(message_of([&] { trainer().resume(folder_ / "absent"); }),
              HasSubstr("does not exist"));
  EXPECT_THAT(message_of([&] { trainer().resume(folder_); }), HasSubstr("is not a file"));
}

// A checksum can be forged: wrong lengths must be rejected, too.
TEST_F(Checkpoints, RejectsWrongLengths) {
  const auto sealed = [&](std::string bytes) {
    const uLong sum = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    detail::put(bytes, static_cast<std::uint32_t>(sum));
    return write("forged", bytes);
  };
  std::string start(detail::checkpoint_magic, sizeof detail::checkpoint_magic);
  detail::put(start, detail::checkpoint_version);
  const auto refusal = [&](const std::string& bytes) {
    const fs::path path = sealed(bytes);
    return message_of([&] { load_checkpoint(path); });
  };
  std::string many_settings = start;
  detail::put(many_settings, std::uint32_t{0xFFFFFFFF});
  EXPECT_THAT(refusal(many_settings), HasSubstr("is cut short"));
  std::string long_array = start;
  detail::put(long_array, std::uint32_t{0});  // settings
  detail::put(long_array, std::uint64_t{1});  // step
  detail::put(long_array, 1.0);               // norm
  detail::put(long_array, std::uint32_t{1});  // arrays
  detail::put(long_array, ~std::uint64_t{0} / 2);
  EXPECT_THAT(refusal(long_array), HasSubstr("is cut short"));
}

TEST_F(Checkpoints, RejectsAnotherRunByName) {
  trainer().save(folder_ / "mhc");
  const auto refusal = [&](const ModelConfig& model, const TrainingConfig& training,
                           const Text& text) {
    return message_of([&] { Trainer(model, training, text, workers_).resume(folder_ / "mhc"); });
  };
  EXPECT_THAT(refusal(small_model(Residual::hc), small_training(20), text_),
              HasSubstr("was made with residual mhc, this run has hc"));
  EXPECT_THAT(refusal(small_model(Residual::mhc), small_training(21), text_),
              HasSubstr("was made with steps 20, this run has 21"));
  ModelConfig wider = small_model(Residual::mhc);
  wider.channels = 32;
  EXPECT_THAT(refusal(wider, small_training(20), text_),
              HasSubstr("was made with channels 16, this run has 32"));
  EXPECT_THAT(refusal(small_model(Residual::mhc, AttentionKind::mha), small_training(20), text_),
              HasSubstr("was made with attention mla, this run has mha"));
  EXPECT_THAT(refusal(small_model(Residual::mhc, AttentionKind::mla, 0), small_training(20), text_),
              HasSubstr("was made with mtp-weight 0.3, this run has 0"));
  TrainingConfig unbalanced = small_training(20);
  unbalanced.balance = false;
  EXPECT_THAT(refusal(small_model(Residual::mhc), unbalanced, text_),
              HasSubstr("was made with balance on, this run has off"));
  Checkpoint older = trainer().checkpoint();
  older.settings.erase(older.settings.begin() + 4);
  save_checkpoint(folder_ / "older", older);
  EXPECT_THAT(message_of([&] { trainer().resume(folder_ / "older"); }),
              HasSubstr("lacks the setting attention"));
  Text other = text_;
  other.train[0] ^= 1;
  EXPECT_THAT(refusal(small_model(Residual::mhc), small_training(20), other),
              HasSubstr("was made with text checksum"));
  Checkpoint shorter = trainer().checkpoint();
  shorter.arrays[1].pop_back();
  save_checkpoint(folder_ / "shorter", shorter);
  EXPECT_THAT(message_of([&] { trainer().resume(folder_ / "shorter"); }),
              HasSubstr("numbers in array 1, expected"));
  shorter.arrays.pop_back();
  save_checkpoint(folder_ / "shorter", shorter);
  EXPECT_THAT(message_of([&] { trainer().resume(folder_ / "shorter"); }),
              HasSubstr("has 3 arrays, expected 4"));
}

TEST_F(Checkpoints, KeepsTheOldOneOnAFullDisk) {
  Trainer run = trainer();
  run.save(folder_ / "run");
  const std::string before = read(folder_ / "run");
  run.step();
  // A limit on the size of files simulates a full disk: writing stops half-way.
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{static_cast<rlim_t>(before.size() / 2), limit.rlim_max};
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = message_of([&] { run.save(folder_ / "run"); });
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, previous);
  EXPECT_THAT(message,
              HasSubstr("checkpoint: " + (folder_ / "run").string() + ": cannot be written"));
  EXPECT_THAT(message, HasSubstr("File too large"));
  EXPECT_EQ(read(folder_ / "run"), before);
  EXPECT_FALSE(fs::exists(folder_ / "run.tmp0"));
  run.save(folder_ / "run");
  EXPECT_NE(read(folder_ / "run"), before);
}

TEST_F(Checkpoints, ReportsAnUnwritablePath) {
  EXPECT_THAT(message_of([&] { trainer().save(folder_ / "absent" / "run"); }),
              HasSubstr("No such file or directory"));
  fs::create_directories(folder_ / "taken" / "by_a_folder");
  EXPECT_THAT(message_of([&] { trainer().save(folder_ / "taken"); }), HasSubstr("taken"));
  EXPECT_TRUE(fs::is_directory(folder_ / "taken"));
  EXPECT_FALSE(fs::exists(folder_ / "taken.tmp0"));
}

// ---- the program -----------------------------------------------------------------------------

class Program : public Files {
 protected:
  Options options(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"--text",     (folder_ / "text.txt").string(),
                                       "--report",   (folder_ / "reports").string(),
                                       "--layers",   "1",
                                       "--channels", "16",
                                       "--heads",    "2",
                                       "--experts",  "2",
                                       "--top-k",    "1",
                                       "--context",  "16",
                                       "--batch",    "2",
                                       "--sample",   "10",
                                       "--threads",  "2",
                                       "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return parse_command_line(arguments);
  }
  void SetUp() override {
    Files::SetUp();
    write("text.txt", sentences(100));
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
};

TEST_F(Program, WritesALineForEachStep) {
  EXPECT_EQ(run(options({"--steps", "5"})), 0);
  const std::string csv = read(folder_ / "reports" / "language_model_mhc.csv");
  EXPECT_THAT(csv,
              testing::StartsWith("step,loss_nats,bits_per_byte,further_loss_nats,gradient_norm,"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 6);
}

TEST_F(Program, EvaluatesDuringTrainingOnlyIfAsked) {
  const fs::path looks = folder_ / "reports" / "language_model_mhc_evaluation.csv";
  EXPECT_EQ(
      run(options({"--steps", "5", "--evaluate-every", "0", "--checkpoint", path("without")})), 0);
  EXPECT_FALSE(fs::exists(looks));
  EXPECT_EQ(run(options({"--steps", "5", "--evaluate-every", "2", "--checkpoint", path("with")})),
            0);
  EXPECT_EQ(read(path("without")), read(path("with")));
  const std::string csv = read(looks);
  EXPECT_THAT(csv,
              testing::StartsWith("step,validation_bits_per_byte,gain_forward,gain_backward\n2,"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3);
}

TEST_F(Program, InterruptedAndResumedEqualsTheUninterruptedRun) {
  const std::vector<std::string> steps{"--steps", "400", "--checkpoint"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), steps.begin(), steps.end());
    return options(more);
  };
  ASSERT_EQ(run(with({path("whole")})), 0);
  // Raised in the run's own thread, so that it arrives while the run watches for it.
  const int code = run(with({path("parts")}), [](std::uint64_t step) {
    if (step == 150) std::raise(SIGTERM);
  });
  EXPECT_EQ(code, 128 + SIGTERM);
  EXPECT_EQ(load_checkpoint(path("parts")).step, 150U);
  ASSERT_EQ(run(with({path("parts"), "--resume"})), 0);
  EXPECT_EQ(read(path("whole")), read(path("parts")));
  const std::string csv = read(folder_ / "reports" / "language_model_mhc.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 401);
}

TEST_F(Program, DoesNotOverwriteAnotherRunsCheckpoint) {
  write("taken", "something dear");
  EXPECT_THAT(message_of([&] {
                run(options({"--steps", "5", "--checkpoint", path("taken")}));
              }),
              HasSubstr("exists: add --resume"));
  EXPECT_EQ(read(path("taken")), "something dear");
}

TEST_F(Program, ReportsAnUnwritableCheckpointBeforeTraining) {
  EXPECT_THAT(message_of([&] {
                run(options({"--steps", "5", "--checkpoint", path("absent/run")}));
              }),
              HasSubstr("No such file or directory"));
  EXPECT_FALSE(fs::exists(folder_ / "reports"));
}

// As a page shows it: line breaks and tabs are kept.
std::string shown(const std::string& words) {
  std::string all;
  for (const char c : words) {
    all += c == '\n' || c == '\t' ? std::string(1, c) : report::escaped(std::string(1, c));
  }
  return all;
}

TEST_F(Program, PageHasSettingsNumbersFiguresAndText) {
  const Options asked = options({"--steps", "5", "--sample", "40"});
  testing::internal::CaptureStdout();
  const int code = run(asked);
  const std::string output = testing::internal::GetCapturedStdout();
  ASSERT_EQ(code, 0);
  const std::string html = read(folder_ / "reports" / "language_model_mhc.html");
  const auto expect_row = [&](const std::string& name, const std::string& value) {
    EXPECT_THAT(html, HasSubstr("<tr><th scope=\"row\">" + shown(name) + "</th><td>" +
                                shown(value) + "</td></tr>"));
  };
  for (const auto& [name, value] : settings_of(asked.model, asked.training)) {
    expect_row(name, value);
  }
  const std::string dashes = "\n--- 40 bytes after '";
  const std::size_t text = output.find(dashes);
  ASSERT_NE(text, std::string::npos);
  std::istringstream lines(output.substr(0, text));
  int numbers = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.size() <= 18 || line.rfind("curve ", 0) == 0) continue;
    expect_row(line.substr(0, line.find_last_not_of(' ', 16) + 1), line.substr(18));
    ++numbers;
  }
  EXPECT_EQ(numbers, 9);
  const std::size_t begin = output.find("' ---\n", text) + 6;
  const std::string drawn = output.substr(begin, output.rfind("\n\npage") - begin);
  EXPECT_EQ(drawn.size(), asked.prompt.size() + 40);
  EXPECT_THAT(html, HasSubstr("<pre class=\"wide\">\n" + shown(drawn) + "</pre>"));
  for (const std::string what : {"learning", "depth", "gates", "mappings", "experts"}) {
    const std::string svg = read(folder_ / "reports" / ("language_model_mhc_" + what + ".svg"));
    EXPECT_THAT(svg, testing::StartsWith("<svg")) << what;
    EXPECT_THAT(html, HasSubstr(svg)) << what;
  }
}

TEST_F(Program, OrdinaryResidualsHaveNoFiguresOfStreams) {
  ASSERT_EQ(run(options({"--steps", "2", "--residual", "plain"})), 0);
  const fs::path reports = folder_ / "reports";
  for (const std::string what : {"learning", "experts"}) {
    EXPECT_TRUE(fs::exists(reports / ("language_model_plain_" + what + ".svg"))) << what;
  }
  for (const std::string what : {"depth", "gates", "mappings"}) {
    EXPECT_FALSE(fs::exists(reports / ("language_model_plain_" + what + ".svg"))) << what;
  }
  EXPECT_THAT(read(reports / "language_model_plain.html"), testing::Not(HasSubstr("H_res")));
}

// What was not measured is not reported.
TEST_F(Program, ResumedRunReportsOnlyItsOwnSteps) {
  const auto output_of = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all{"--steps", "4", "--checkpoint", path("run")};
    all.insert(all.end(), more.begin(), more.end());
    testing::internal::CaptureStdout();
    const int code = run(options(all));
    const std::string text = testing::internal::GetCapturedStdout();
    EXPECT_EQ(code, 0);
    return text;
  };
  const std::string whole = output_of({});
  EXPECT_THAT(whole, HasSubstr("last "));
  EXPECT_THAT(whole, HasSubstr("\ntime "));
  EXPECT_THAT(whole, testing::Not(HasSubstr("of these")));
  const std::string none = output_of({"--resume"});
  EXPECT_THAT(none, testing::ContainsRegex("gradient norm     largest "));
  EXPECT_THAT(none, testing::Not(HasSubstr("\ntime ")));
}

TEST_F(Program, ReportsAnUnwritableReportFolder) {
  write("file", "in the way");
  EXPECT_THAT(message_of([&] {
                Options wrong = options({"--steps", "5"});
                wrong.report = path("file");
                run(wrong);
              }),
              HasSubstr("its folder cannot be created"));
}

// ---- the command line ------------------------------------------------------------------------

TEST(CommandLine, RejectsInvalidOptionsByName) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> mistakes{
      {{"--step", "5"}, "unknown option '--step'"},
      {{"text.txt"}, "unknown option 'text.txt'"},
      {{"--steps"}, "--steps needs a value"},
      {{"--steps", "0"}, "--steps: '0' is not a whole number from 1"},
      {{"--steps", "5x"}, "'5x' is not a whole number"},
      {{"--steps", ""}, "'' is not a whole number"},
      {{"--batch", "99999999999999999999"}, "is not a whole number"},
      {{"--residual", "resnet"}, "'resnet' is not one of plain, hc, mhc, mhc-lite"},
      {{"--streams", "3"}, "--streams 3 was not compiled"},
      {{"--residual", "plain", "--streams", "4"}, "--residual plain has one stream"},
      {{"--heads", "5"}, "--heads 5 does not divide --channels 96"},
      {{"--attention", "mha", "--channels", "36"}, "each head needs an even number of channels"},
      {{"--attention", "gqa"}, "'gqa' is not one of mla, mha"},
      {{"--rope-channels", "3"}, "--rope-channels 3 is odd"},
      {{"--attention", "mha", "--kv-rank", "8"}, "--kv-rank has no effect with --attention mha"},
      {{"--balance", "yes"}, "--balance: 'yes' is neither on nor off"},
      {{"--mtp-weight", "-0.1"}, "'-0.1' is not a number from 0 to 10"},
      {{"--mtp-weight", "nan"}, "'nan' is not a number from 0 to 10"},
      {{"--top-k", "9"}, "--top-k 9 is more than --experts 8"},
      {{"--learning-rate", "-1"}, "'-1' is not a number above 0"},
      {{"--learning-rate", "nan"}, "'nan' is not a number above 0"},
      {{"--temperature", "0"}, "'0' is not a number above 0"},
      {{"--resume"}, "--resume needs --checkpoint"},
      {{"--save-every", "5"}, "--save-every needs --checkpoint"},
      {{"--sample", "0", "--prompt", "x"}, "--prompt has no effect with --sample 0"},
      {{"--prompt", ""}, "--prompt: the text is empty"},
      {{"--text", ""}, "--text: the path is empty"},
      {{"--seed", "-1"}, "--seed: '-1' is not a whole number"},
  };
  for (const auto& [arguments, expected] : mistakes) {
    EXPECT_THROW(parse_command_line(arguments), UsageError);
    const std::string message = message_of([&, &a = arguments] { parse_command_line(a); });
    EXPECT_THAT(message, HasSubstr(expected));
    EXPECT_THAT(message, HasSubstr("--help"));
  }
}

TEST(CommandLine, SetsEveryOption) {
  const Options o = parse_command_line({"--residual",
                                        "hc",
                                        "--streams",
                                        "2",
                                        "--steps",
                                        "7",
                                        "--batch",
                                        "3",
                                        "--context",
                                        "32",
                                        "--layers",
                                        "5",
                                        "--channels",
                                        "64",
                                        "--heads",
                                        "8",
                                        "--experts",
                                        "6",
                                        "--top-k",
                                        "3",
                                        "--attention",
                                        "mla",
                                        "--q-rank",
                                        "21",
                                        "--kv-rank",
                                        "22",
                                        "--rope-channels",
                                        "24",
                                        "--shared-experts",
                                        "2",
                                        "--balance",
                                        "off",
                                        "--mtp-weight",
                                        "0",
                                        "--evaluate-every",
                                        "13",
                                        "--learning-rate",
                                        "0.5",
                                        "--seed",
                                        "9",
                                        "--threads",
                                        "3",
                                        "--checkpoint",
                                        "c",
                                        "--resume",
                                        "--save-every",
                                        "4",
                                        "--report",
                                        "r",
                                        "--sample",
                                        "11",
                                        "--prompt",
                                        "p",
                                        "--temperature",
                                        "1.5",
                                        "--quiet",
                                        "--text",
                                        "t"});
  EXPECT_EQ(o.model.residual, Residual::hc);
  EXPECT_EQ(o.model.streams, 2);
  EXPECT_EQ(o.training.steps, 7);
  EXPECT_EQ(o.training.batch, 3);
  EXPECT_EQ(o.model.context, 32);
  EXPECT_EQ(o.model.layers, 5);
  EXPECT_EQ(o.model.channels, 64);
  EXPECT_EQ(o.model.heads, 8);
  EXPECT_EQ(o.model.experts, 6);
  EXPECT_EQ(o.model.top_k, 3);
  EXPECT_EQ(o.model.attention, AttentionKind::mla);
  EXPECT_EQ(o.model.q_rank, 21);
  EXPECT_EQ(o.model.kv_rank, 22);
  EXPECT_EQ(o.model.rope_channels, 24);
  EXPECT_EQ(o.model.shared_experts, 2);
  EXPECT_FALSE(o.training.balance);
  EXPECT_EQ(o.model.mtp_weight, 0);
  EXPECT_EQ(o.evaluate_every, 13);
  EXPECT_EQ(o.training.learning_rate, 0.5);
  EXPECT_EQ(o.training.seed, 9U);
  EXPECT_EQ(o.threads, 3);
  EXPECT_EQ(o.checkpoint, "c");
  EXPECT_TRUE(o.resume);
  EXPECT_EQ(o.save_every, 4);
  EXPECT_EQ(o.report, "r");
  EXPECT_EQ(o.sample, 11);
  EXPECT_EQ(o.prompt, "p");
  EXPECT_EQ(o.temperature, 1.5);
  EXPECT_TRUE(o.quiet);
  EXPECT_EQ(o.text, "t");
}

TEST(CommandLine, HelpNamesEveryOption) {
  EXPECT_TRUE(parse_command_line({"--help"}).help);
  Options options;
  for (const auto& option : detail::option_table(options)) {
    EXPECT_THAT(help_text(), HasSubstr("  " + option.name + " "));
  }
}

}  // namespace
}  // namespace language_model
