// SPDX-License-Identifier: MIT
// The language model's norm, embedding and loss: every gradient against the complex step with a
// random cotangent. And its threads: pieces, exceptions, the same bits for any number of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "layer_values.hpp"
#include "model/attention.hpp"
#include "model/cross_entropy.hpp"
#include "model/embedding.hpp"
#include "model/mixture_of_experts.hpp"
#include "model/rms_norm.hpp"

namespace language_model {
namespace {

TEST(RmsNorm, GradientsMatchComplexStep) {
  constexpr Index rows = 3, channels = 7;
  const auto x = random_values(rows * channels, 1);
  const auto w = random_values(channels, 2);
  auto dy = random_values(rows * channels, 3);

  const auto f = [&](std::vector<Complex> cx, std::vector<Complex> cw) {
    Matrix<Complex> y(rows, channels);
    Vector<Complex> r(rows);
    rms_norm_forward<Complex>(matrix(cx, rows), vector(cw), y, r);
    return inner(y, matrix(dy, rows));
  };

  auto rx = x, rw = w, dx = x, dw = std::vector<double>(channels, 0.0);
  Matrix<double> y(rows, channels);
  Vector<double> r(rows);
  rms_norm_forward<double>(matrix(rx, rows), vector(rw), y, r);
  rms_norm_backward<double>(matrix(dy, rows), matrix(rx, rows), vector(rw), r, matrix(dx, rows));
  auto dweight = vector(dw);
  rms_norm_add_weight_gradient<double>(matrix(dy, rows), matrix(rx, rows), r, dweight);

  expect_gradient("x", x, dx, [&](const auto& moved) { return f(moved, as<Complex>(w)); });
  expect_gradient("weight", w, dw, [&](const auto& moved) { return f(as<Complex>(x), moved); });
}

TEST(CrossEntropy, GradientsMatchComplexStep) {
  constexpr Index tokens = 4, channels = 5;
  const auto h = random_values(tokens * channels, 1);
  const auto w = random_values(vocabulary * channels, 2);
  auto dloss = random_values(tokens, 3);
  const std::vector<std::uint8_t> targets{0, 255, 17, 17};

  const auto f = [&](std::vector<Complex> ch, std::vector<Complex> cw) {
    Matrix<Complex> z(tokens, vocabulary);
    Vector<Complex> loss(tokens);
    logits_forward<Complex>(matrix(cw, vocabulary), matrix(ch, tokens), z, serial);
    cross_entropy_forward<Complex>(z, targets.data(), loss, serial);
    return inner(loss, vector(dloss));
  };

  auto rh = h, rw = w, dh = h, dw = std::vector<double>(w.size(), 0.0);
  Matrix<double> z(tokens, vocabulary);
  Vector<double> loss(tokens);
  logits_forward<double>(matrix(rw, vocabulary), matrix(rh, tokens), z, serial);
  cross_entropy_forward<double>(z, targets.data(), loss, serial);
  auto dweight = matrix(dw, vocabulary);
  cross_entropy_backward<double>(vector(dloss), matrix(rw, vocabulary), matrix(rh, tokens),
                                 targets.data(), z, matrix(dh, tokens), dweight, serial);

  expect_gradient("h", h, dh, [&](const auto& moved) { return f(moved, as<Complex>(w)); });
  expect_gradient("weight", w, dw, [&](const auto& moved) { return f(as<Complex>(h), moved); });
}

TEST(Embedding, GradientMatchesComplexStep) {
  constexpr Index channels = 3;
  const std::vector<std::uint8_t> bytes{7, 200, 7, 0, 7};
  const Index tokens = 5;
  const auto table = random_values(vocabulary * channels, 1);
  auto dh = random_values(size_of(tokens * channels), 2);
  const auto f = [&](std::vector<Complex> moved) {
    Matrix<Complex> h(tokens, channels);
    embedding_forward<Complex>(matrix(moved, vocabulary), bytes.data(), h, serial);
    return inner(h, matrix(dh, tokens));
  };
  std::vector<double> dtable(table.size(), 0.0);
  auto dt = matrix(dtable, vocabulary);
  embedding_backward<double>(matrix(dh, tokens), bytes.data(), dt, serial);
  expect_gradient("table", table, dtable, f);
}

TEST(Workers, SameBitsForAnyNumberOfThreads) {
  const AttentionShape attention_shape{32, 2, 70};
  const MixtureShape mixture_shape{32, 4, 2, 24};
  const Index tokens = 4 * 70;
  std::vector<float> u(size_of(tokens * 32)), dout(u.size());
  Random random(1);
  for (std::size_t i = 0; i < u.size(); ++i) {
    u[i] = static_cast<float>(random.normal());
    dout[i] = static_cast<float>(random.normal());
  }
  const auto run = [&](int threads) {
    const Workers workers(threads);
    std::vector<std::vector<float>> results;
    std::vector<float> out(u.size()), du(u.size());
    const auto weights_of = [&](Index size) {
      Random values(2);
      std::vector<float> w(size_of(size));
      for (float& value : w) value = static_cast<float>(0.2 * values.normal());
      return w;
    };
    {
      using Layer = Attention<float>;
      auto w = weights_of(Layer::Parameters::size(attention_shape));
      std::vector<float> dw(w.size(), 0.0F);
      const Layer layer(attention_shape);
      Layer::Saved saved(attention_shape, tokens), dsaved(attention_shape, tokens);
      const Layer::Parameters weights(w.data(), attention_shape);
      Layer::Parameters dweights(dw.data(), attention_shape);
      layer.forward(weights, matrix(u, tokens), 70, matrix(out, tokens), saved, workers);
      layer.backward(weights, matrix(u, tokens), 70, saved, matrix(dout, tokens), dsaved,
                     matrix(du, tokens), dweights, workers);
      results.insert(results.end(), {out, du, dw});
    }
    {
      using Layer = MixtureOfExperts<float>;
      auto w = weights_of(Layer::Parameters::size(mixture_shape));
      std::vector<float> dw(w.size(), 0.0F);
      const Vector<float> bias = Vector<float>::Zero(mixture_shape.experts);
      const Layer layer(mixture_shape);
      Layer::Saved saved(mixture_shape, tokens), dsaved(mixture_shape, tokens);
      const Layer::Parameters weights(w.data(), mixture_shape);
      Layer::Parameters dweights(dw.data(), mixture_shape);
      layer.forward(weights, bias, matrix(u, tokens), matrix(out, tokens), saved, workers);
      layer.backward(weights, matrix(u, tokens), saved, matrix(dout, tokens), dsaved,
                     matrix(du, tokens), dweights, workers);
      results.insert(results.end(), {out, du, dw});
    }
    return results;
  };
  const auto one = run(1);
  EXPECT_EQ(one, run(2));
  EXPECT_EQ(one, run(3));
}

TEST(Workers, CoverTheRangeOnceInPiecesOfTheGrain) {
  const Workers workers(3);
  for (const Index count : {0, 1, 5, 6, 7, 100}) {
    std::vector<std::atomic<int>> met(size_of(count));
    workers(count, 3, [&](Index begin, Index end, int worker) {
      EXPECT_EQ(begin % 3, 0);
      EXPECT_EQ(end, std::min(begin + 3, count));
      EXPECT_GE(worker, 0);
      EXPECT_LT(worker, workers.threads());
      for (Index i = begin; i < end; ++i) ++met[size_of(i)];
    });
    for (const auto& count_of : met) EXPECT_EQ(count_of.load(), 1);
  }
}

TEST(Workers, RethrowAPiecesExceptionAndKeepWorking) {
  const Workers workers(2);
  for (int round = 0; round < 50; ++round) {
    EXPECT_THROW(workers(100, 1,
                         [&](Index begin, Index, int) {
                           if (begin == 37) throw std::runtime_error("piece 37");
                         }),
                 std::runtime_error);
    std::atomic<int> calls{0};
    workers(10, 1, [&](Index, Index, int) { ++calls; });
    EXPECT_EQ(calls.load(), 10);
  }
}

}  // namespace
}  // namespace language_model
