// SPDX-License-Identifier: MIT
// Workers: pieces, exceptions, and the same bits of attention and experts for any number of
// threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <vector>

#include "layer_values.hpp"
#include "model/attention.hpp"
#include "model/mixture_of_experts.hpp"

namespace language_model {
namespace {

TEST(Workers, SameBitsForAnyNumberOfThreads) {
  const AttentionShape attention_shape{32, 2, 70};
  const MixtureShape mixture_shape{32, 4, 2, 24};
  const index tokens = 4 * 70;
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
    const auto weights_of = [&](index size) {
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
  for (const index count : {0, 1, 5, 6, 7, 100}) {
    std::vector<std::atomic<int>> met(size_of(count));
    workers(count, 3, [&](index begin, index end, int worker) {
      EXPECT_EQ(begin % 3, 0);
      EXPECT_EQ(end, std::min(begin + 3, count));
      EXPECT_GE(worker, 0);
      EXPECT_LT(worker, workers.threads());
      for (index i = begin; i < end; ++i) ++met[size_of(i)];
    });
    for (const auto& count_of : met) EXPECT_EQ(count_of.load(), 1);
  }
}

TEST(Workers, RethrowAPiecesExceptionAndKeepWorking) {
  const Workers workers(2);
  for (int round = 0; round < 50; ++round) {
    EXPECT_THROW(workers(100, 1,
                         [&](index begin, index, int) {
                           if (begin == 37) throw std::runtime_error("piece 37");
                         }),
                 std::runtime_error);
    std::atomic<int> calls{0};
    workers(10, 1, [&](index, index, int) { ++calls; });
    EXPECT_EQ(calls.load(), 10);
  }
}

}  // namespace
}  // namespace language_model
