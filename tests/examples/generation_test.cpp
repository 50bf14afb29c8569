// SPDX-License-Identifier: MIT
// Generation with caches: the logits match a forward of the whole context, for every residual and
// attention.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "make_model.hpp"
#include "model/latent_attention.hpp"
#include "sampler.hpp"

namespace language_model {
namespace {

using testing::HasSubstr;

// Longer than the pieces in which a prompt is read.
constexpr Index context = 80;

ModelConfig small_config() {
  ModelConfig config;
  config.layers = 2;
  config.channels = 16;
  config.heads = 2;
  config.q_rank = 12;
  config.kv_rank = 10;
  config.rope_channels = 6;
  config.experts = 3;
  // Every expert is chosen: a choice that depends on rounding would make the logits jump.
  config.top_k = 3;
  config.context = context;
  config.mtp_weight = 0;
  return config;
}

// Parameters far from their initial values, so that all mappings matter.
std::unique_ptr<LanguageModel> make(Residual residual, AttentionKind attention,
                                    ModelConfig config = small_config()) {
  config.residual = residual;
  config.streams = residual == Residual::plain ? 1 : 4;
  config.attention = attention;
  auto model = make_model(config, context);
  model->initialize(1);
  Random random(2);
  for (float& value : model->arena().values) value += static_cast<float>(0.2 * random.normal());
  return model;
}

std::vector<std::uint8_t> some_bytes(Index count) {
  Random random(3);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count));
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.below(256));
  return bytes;
}

class EachKind : public testing::TestWithParam<std::tuple<Residual, AttentionKind>> {
 protected:
  static std::unique_ptr<LanguageModel> model_of_this_kind(
      const ModelConfig& config = small_config()) {
    return make(std::get<0>(GetParam()), std::get<1>(GetParam()), config);
  }
};

INSTANTIATE_TEST_SUITE_P(, EachKind,
                         testing::Combine(testing::Values(Residual::plain, Residual::hc,
                                                          Residual::mhc),
                                          testing::Values(AttentionKind::mha, AttentionKind::mla)),
                         [](const auto& kind) {
                           const bool is_mla = std::get<1>(kind.param) == AttentionKind::mla;
                           return std::string(is_mla ? "mla_" : "mha_") +
                                  name_of(std::get<0>(kind.param));
                         });

// log p equals the logits up to one constant per row. The error is relative to the largest |log p|.
// Measured: 3.1e-6 for HC, whose free matrices amplify rounding, 1.6e-6 at most for the others.
constexpr double bound = 1.2e-5;

void expect_logits_of_the_whole_context(const std::unique_ptr<LanguageModel>& model) {
  const Workers workers(2);
  const auto bytes = some_bytes(context);
  model->forward(bytes.data(), bytes.data(), 1, context, workers);
  const auto generation = model->generation(context);
  double largest_error = 0;
  for (const Index prompt : {Index{1}, Index{66}, context}) {
    generation->clear();
    for (Index size = prompt; size <= context; ++size) {
      const Index added = size - generation->size();
      generation->extend(bytes.data() + generation->size(), added, workers);
      const float* const expected = model->probabilities(size - 1);
      double error = 0, largest = 0, mean = 0;
      for (int i = 0; i < 256; ++i) {
        const double log_p = std::log(static_cast<double>(expected[i]));
        error = std::max(
            error, std::abs(log_p - std::log(static_cast<double>(generation->probabilities()[i]))));
        largest = std::max(largest, std::abs(log_p));
        mean += (static_cast<double>(generation->logits()[i]) - log_p) / 256;
      }
      for (int i = 0; i < 256; ++i) {  // the logits are log p + a constant
        const double log_p = std::log(static_cast<double>(expected[i]));
        error =
            std::max(error, std::abs(static_cast<double>(generation->logits()[i]) - log_p - mean));
      }
      largest_error = std::max(largest_error, error / largest);
      ASSERT_LE(error, bound * largest) << "prompt " << prompt << ", position " << size - 1;
    }
  }
  testing::Test::RecordProperty("largest_error", std::to_string(largest_error * 1e9) + "e-9");
}

TEST_P(EachKind, LogitsMatchTheWholeContext) {
  expect_logits_of_the_whole_context(model_of_this_kind());
}

// Affinities lie in (0, 1): these biases alone decide, so that no rounding flips a choice.
TEST_P(EachKind, LogitsMatchTheWholeContextWhenBiasesChoose) {
  ModelConfig config = small_config();
  config.top_k = 1;
  const auto model = model_of_this_kind(config);
  for (Index l = 0; l < config.layers; ++l) {
    for (Index e = 0; e < config.experts; ++e) {
      model->router_bias()(l, e) = 2 * static_cast<float>((e + l) % 3);
    }
  }
  expect_logits_of_the_whole_context(model);
  EXPECT_EQ(model->load(0, 2), context);
  EXPECT_EQ(model->load(1, 1), context);
}

// Bitwise, including the module's predictions.
TEST_P(EachKind, IsCausal) {
  const Workers workers(1);
  ModelConfig config = small_config();
  config.mtp_weight = 0.3;
  const auto model = model_of_this_kind(config);
  auto bytes = some_bytes(context + 1);
  constexpr Index last = 30;  // of the unchanged bytes
  const auto rows = [&](Index count, const auto& row) {
    std::vector<float> all;
    for (Index t = 0; t < count; ++t) all.insert(all.end(), row(t), row(t) + 256);
    return all;
  };
  const auto predictions = [&](Index more) {
    model->forward(bytes.data(), bytes.data() + 1, 1, context, workers);
    model->predict_further(workers);
    return std::pair(rows(last + 1 + more, [&](Index t) { return model->probabilities(t); }),
                     rows(last + more, [&](Index t) { return model->further_probabilities(t); }));
  };
  const auto before = predictions(0), more_before = predictions(1);
  for (Index t = last + 1; t <= context; ++t) bytes[static_cast<std::size_t>(t)] ^= 0x55;
  EXPECT_EQ(predictions(0), before);
  const auto more = predictions(1);
  EXPECT_NE(more.first, more_before.first);
  EXPECT_NE(more.second, more_before.second);
}

// The sampler without caches.
std::string sample_again_and_again(LanguageModel& model, std::string text, Index size,
                                   double temperature, std::uint64_t seed, const Workers& workers) {
  Random random(seed);
  std::size_t begin = 0;
  for (Index i = 0; i < size; ++i) {
    if (text.size() - begin > static_cast<std::size_t>(context)) {
      begin = text.size() - static_cast<std::size_t>((context + 1) / 2);
    }
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(text.data()) + begin;
    const auto length = static_cast<Index>(text.size() - begin);
    model.forward(bytes, bytes, 1, length, workers);
    text += static_cast<char>(draw(model.probabilities(length - 1), temperature, random));
  }
  return text;
}

TEST_P(EachKind, TextMatchesTheWholeContext) {
  const Workers workers(1);
  const auto model = model_of_this_kind();
  const std::string long_prompt(130, 'x');
  for (const std::string& prompt : {std::string("The "), long_prompt}) {
    EXPECT_EQ(sample(*model, prompt, 200, 0.8, context, 5, workers),
              sample_again_and_again(*model, prompt, 200, 0.8, 5, workers));
  }
}

TEST_P(EachKind, LeavesTheForwardsState) {
  const Workers workers(1);
  const auto model = model_of_this_kind();
  const auto bytes = some_bytes(context + 1);
  const auto gradients = [&](bool generate) {
    auto& arena = model->arena();
    std::fill(arena.gradients.begin(), arena.gradients.end(), 0.0F);
    model->forward(bytes.data(), bytes.data() + 1, 1, context, workers);
    if (generate) model->generation(context)->extend(bytes.data() + 7, 70, workers);
    model->backward(workers);
    return arena.gradients;
  };
  EXPECT_EQ(gradients(true), gradients(false));
}

TEST_P(EachKind, SameBitsForAnyNumberOfThreads) {
  const auto model = model_of_this_kind();
  const auto bytes = some_bytes(context);
  const auto logits = [&](int threads) {
    const Workers workers(threads);
    const auto generation = model->generation(context);
    generation->extend(bytes.data(), 70, workers);
    generation->extend(bytes.data() + 70, 1, workers);
    return std::vector<float>(generation->logits(), generation->logits() + 256);
  };
  EXPECT_EQ(logits(1), logits(3));
}

TEST_P(EachKind, MeasuresTheTimesOfItsSites) {
  const Workers workers(1);
  const auto model = model_of_this_kind();
  const auto bytes = some_bytes(context + 1);
  const auto step = [&] {
    model->forward(bytes.data(), bytes.data() + 1, 1, context, workers);
    model->backward(workers);
  };
  SiteTimes attention, experts;
  model->measure(&attention, &experts);
  const auto begin = std::chrono::steady_clock::now();
  step();
  const std::chrono::duration<double> all = std::chrono::steady_clock::now() - begin;
  model->measure(nullptr, nullptr);
  double sum = 0;
  for (const SiteTimes* times : {&attention, &experts}) {
    for (const double part :
         {times->prepare, times->sublayer, times->finish, times->finish_backward,
          times->sublayer_backward, times->prepare_backward}) {
      EXPECT_GT(part, 0);
      sum += part;
    }
  }
  EXPECT_LT(sum, all.count());
  const double before = attention.prepare;
  step();
  EXPECT_EQ(attention.prepare, before);
}

TEST(Generation, CacheSizePerTokenMatchesTheAttention) {
  const ModelConfig config = small_config();
  const auto mha = make(Residual::mhc, AttentionKind::mha);
  EXPECT_EQ(mha->generation(context)->cache_bytes_per_token(), 2U * 2 * 16 * sizeof(float));
  const auto mla = make(Residual::mhc, AttentionKind::mla);
  const auto shape = attention_shape<LatentAttentionShape>(config);
  EXPECT_EQ(mla->generation(context)->cache_bytes_per_token(),
            2 * static_cast<std::size_t>(shape.kv_rank + shape.rope) * sizeof(float));
  EXPECT_LT(mla->generation(9)->cache_bytes_per_token(),
            mha->generation(9)->cache_bytes_per_token());
}

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Generation, RejectsInvalidArguments) {
  const Workers workers(1);
  const auto model = make(Residual::mhc, AttentionKind::mla);
  const auto bytes = some_bytes(context + 1);
  EXPECT_THAT(message_of([&] { model->generation(0); }),
              HasSubstr("a capacity of 0 bytes is not from 1 to the model's context, 80"));
  EXPECT_THAT(message_of([&] { model->generation(81); }), HasSubstr("capacity of 81 bytes"));
  const auto generation = model->generation(10);
  EXPECT_THAT(message_of([&] { generation->logits(); }),
              HasSubstr("there are no logits before the first extend()"));
  EXPECT_THAT(message_of([&] { generation->probabilities(); }),
              HasSubstr("there are no logits before the first extend()"));
  EXPECT_THAT(message_of([&] { generation->extend(bytes.data(), 0, workers); }),
              HasSubstr("a sequence cannot grow by 0 bytes"));
  EXPECT_THAT(message_of([&] { generation->extend(bytes.data(), 11, workers); }),
              HasSubstr("11 bytes after 0 do not fit into a capacity of 10"));
  EXPECT_EQ(generation->size(), 0);
  generation->extend(bytes.data(), 10, workers);
  const std::vector<float> before(generation->logits(), generation->logits() + 256);
  EXPECT_THAT(message_of([&] { generation->extend(bytes.data(), 1, workers); }),
              HasSubstr("1 bytes after 10 do not fit into a capacity of 10"));
  EXPECT_EQ(before, std::vector<float>(generation->logits(), generation->logits() + 256));
  generation->clear();
  EXPECT_THAT(message_of([&] { generation->logits(); }),
              HasSubstr("there are no logits before the first extend()"));
  generation->extend(bytes.data(), 10, workers);
  EXPECT_EQ(before, std::vector<float>(generation->logits(), generation->logits() + 256));
}

}  // namespace
}  // namespace language_model
