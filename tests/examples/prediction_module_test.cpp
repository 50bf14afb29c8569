// SPDX-License-Identifier: MIT
// The prediction module: the gradients of its input by complex step, and those of the whole module
// (layer, head and the weights shared with the decoder) by central differences in double.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "block_parts.hpp"
#include "layer_values.hpp"
#include "learned_collapse.hpp"
#include "model/latent_attention.hpp"
#include "model/prediction_input.hpp"
#include "prediction_module.hpp"

namespace language_model {
namespace {

class PredictionInputGradients : public testing::TestWithParam<Index> {};

TEST_P(PredictionInputGradients, MatchComplexStep) {
  const Index streams = GetParam(), tokens = 5, channels = 6;
  const auto x = random_values(size_of(tokens * streams * channels), 1);
  const auto e = random_values(size_of(tokens * channels), 2);
  const auto w = random_values(size_of(PredictionInput<double>::Parameters::size(channels)), 3);
  auto dout = random_values(x.size(), 4);

  const auto f = [&](std::vector<Complex> cx, std::vector<Complex> ce, std::vector<Complex> cw) {
    const PredictionInput<Complex> input(streams);
    PredictionInput<Complex>::Saved saved(streams, channels, tokens);
    Matrix<Complex> out(tokens * streams, channels);
    input.forward({cw.data(), channels}, matrix(cx, tokens * streams), matrix(ce, tokens), out,
                  saved, serial);
    return (out.array() * matrix(dout, tokens * streams).array()).sum();
  };
  const auto as_complex = [](const std::vector<double>& values) {
    return std::vector<Complex>(values.begin(), values.end());
  };

  auto rx = x, re = e, rw = w, dx = x, de = e, dw = std::vector<double>(w.size(), 0.0);
  const PredictionInput<double> input(streams);
  PredictionInput<double>::Saved saved(streams, channels, tokens), dsaved = saved;
  Matrix<double> out(tokens * streams, channels);
  const PredictionInput<double>::Parameters weights(rw.data(), channels);
  PredictionInput<double>::Parameters dweights(dw.data(), channels);
  input.forward(weights, matrix(rx, tokens * streams), matrix(re, tokens), out, saved, serial);
  input.backward(weights, matrix(rx, tokens * streams), matrix(re, tokens), saved,
                 matrix(dout, tokens * streams), dsaved, matrix(dx, tokens * streams),
                 matrix(de, tokens), dweights, serial);

  expect_gradient("x", x, dx,
                  [&](const auto& moved) { return f(moved, as_complex(e), as_complex(w)); });
  expect_gradient("e", e, de,
                  [&](const auto& moved) { return f(as_complex(x), moved, as_complex(w)); });
  expect_gradient("weights", w, dw,
                  [&](const auto& moved) { return f(as_complex(x), as_complex(e), moved); });
}

INSTANTIATE_TEST_SUITE_P(Streams, PredictionInputGradients, testing::Values(1, 2, 4));

// A module of four streams in double, with an embedding and an output matrix like the decoder's.
class Module : public testing::Test {
 protected:
  using Tested = PredictionModule<LatentAttention, double>;
  static constexpr Index length = 5, sequences = 2, tokens = length * sequences, channels = 8;

  static ModelConfig config() {
    ModelConfig config;
    config.channels = channels;
    config.heads = 2;
    config.q_rank = 6;
    config.kv_rank = 4;
    config.rope_channels = 2;
    config.experts = 3;
    config.top_k = 3;  // a flipped choice would make the loss jump
    config.context = length;
    return config;
  }

  static ResidualParts<double> parts() {
    return block_parts<4, mhc::ManifoldConstrained>(collapse_parts<4, double>());
  }

  Module()
      : arena_(2 * vocabulary * channels + Tested::parameter_count(parts(), config())),
        embedding_(arena_, vocabulary, channels),
        output_(arena_, vocabulary, channels),
        module_(parts(), arena_, embedding_, output_, config(), tokens),
        scratch_(parts(), config(), tokens),
        x_(tokens, 4, channels),
        dx_(tokens, 4, channels) {
    Random random(1);
    const DrawMatrix draw(random);
    draw(embedding_.values, 1);
    draw(output_.values, 1);
    module_.initialize(random, 1, 2, 0);
    // Away from the initial values, so that all mappings matter.
    for (double& value : arena_.values) value += 0.1 * random.normal();
    for (Index i = 0; i < x_.size(); ++i) x_.data()[i] = random.normal();
    for (std::uint8_t& byte : next_) byte = static_cast<std::uint8_t>(random.below(256));
  }

  double loss() {
    module_.forward(x_.view(), next_.data(), length, bias_, serial);
    return module_.loss();
  }

  void backward(double weight) {
    std::fill(arena_.gradients.begin(), arena_.gradients.end(), 0.0);
    std::fill_n(dx_.data(), dx_.size(), 0.0);
    module_.backward(weight, dx_.view(), scratch_, serial);
  }

  BasicArena<double> arena_;
  WeightMatrix<double> embedding_, output_;
  Tested module_;
  Tested::Scratch scratch_;
  mhc::Streams<double> x_, dx_;
  std::vector<std::uint8_t> next_ = std::vector<std::uint8_t>(size_of(tokens));
  Vector<float> bias_ = Vector<float>::Zero(3);
};

TEST_F(Module, GradientsMatchCentralDifferences) {
  loss();
  backward(0.7);
  const auto expect_slope = [&](const char* name, double* values, const double* gradients,
                                Index size, std::uint64_t seed) {
    const auto direction = random_values(size_of(size), seed);
    double exact = 0, scale = 0;
    for (Index i = 0; i < size; ++i) {
      exact += direction[size_of(i)] * gradients[i];
      scale += gradients[i] * gradients[i];
    }
    const std::vector<double> before(values, values + size);
    const auto loss_at = [&](double distance) {
      for (Index i = 0; i < size; ++i) {
        values[i] = before[size_of(i)] + distance * direction[size_of(i)];
      }
      return 0.7 * loss();
    };
    // Of fourth order: the truncation error is far below rounding.
    const double h = 1e-4;
    const double slope =
        (8 * (loss_at(h) - loss_at(-h)) - (loss_at(2 * h) - loss_at(-2 * h))) / (12 * h);
    std::copy(before.begin(), before.end(), values);
    EXPECT_NEAR(slope, exact, 1e-8 * std::sqrt(scale)) << name;
  };
  double* const values = arena_.values.data();
  const double* const gradients = arena_.gradients.data();
  const auto size = static_cast<Index>(arena_.values.size());
  const Index shared = vocabulary * channels;
  expect_slope("x", x_.data(), dx_.data(), x_.size(), 1);
  expect_slope("embedding", values, gradients, shared, 2);
  expect_slope("output", values + shared, gradients + shared, shared, 3);
  expect_slope("the module's own", values + 2 * shared, gradients + 2 * shared, size - 2 * shared,
               4);
  expect_slope("all", values, gradients, size, 5);
}

TEST_F(Module, AddsToTheGradientOfTheStreams) {
  loss();
  backward(1);
  const std::vector<double> alone(dx_.data(), dx_.data() + dx_.size());
  loss();
  std::fill_n(dx_.data(), dx_.size(), 3.0);
  module_.backward(1, dx_.view(), scratch_, serial);
  for (Index i = 0; i < dx_.size(); ++i) {
    EXPECT_EQ(dx_.data()[i], 3.0 + alone[size_of(i)]);
  }
}

// The loss covers the tokens whose byte after the next is in the sequence.
TEST_F(Module, ExcludesTheLastTokenOfASequence) {
  const double mean = loss();
  double sum = 0;
  for (Index t = 0; t < tokens; ++t) {
    if (t % length == length - 1) continue;
    const double p = module_.probabilities()(t, next_[size_of(t + 1)]);
    EXPECT_NEAR(module_.losses()(t), -std::log(p), 1e-12);
    sum -= std::log(p);
  }
  EXPECT_NEAR(mean, sum / (tokens - sequences), 1e-12);
  backward(1);
  for (Index t = 0; t < tokens; ++t) {
    const double norm = dx_.token(t).matrix().norm();
    if (t % length == length - 1) {
      EXPECT_EQ(norm, 0) << t;
    } else {
      EXPECT_GT(norm, 0) << t;
    }
  }
}

// Bitwise: the layer's products have the same shapes, since every token uses every expert.
TEST_F(Module, IsCausal) {
  constexpr Index last = 1;  // of the unchanged bytes
  loss();
  const Matrix<double> before = module_.probabilities();
  for (Index t = last + 1; t < length; ++t) next_[size_of(t)] ^= 0x55;
  loss();
  for (Index t = 0; t < tokens; ++t) {
    const bool is_after = t > last && t < length;
    EXPECT_EQ(before.row(t) == module_.probabilities().row(t), !is_after) << t;
  }
}

TEST_F(Module, HasNoLossForASingleToken) {
  module_.forward(x_.view().slice(0, 1), next_.data(), 1, bias_, serial);
  EXPECT_EQ(module_.loss(), 0);
  std::fill(arena_.gradients.begin(), arena_.gradients.end(), 0.0);
  std::fill_n(dx_.data(), dx_.size(), 0.0);
  module_.backward(1, dx_.view().slice(0, 1), scratch_, serial);
  for (const double gradient : arena_.gradients) EXPECT_EQ(gradient, 0);
}

}  // namespace
}  // namespace language_model
