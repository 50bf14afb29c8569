// SPDX-License-Identifier: MIT
// The language model's own layers: every gradient against the complex step with a random cotangent.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "complex_step.hpp"
#include "model/attention.hpp"
#include "model/cross_entropy.hpp"
#include "model/embedding.hpp"
#include "model/latent_attention.hpp"
#include "model/mixture_of_experts.hpp"
#include "model/rms_norm.hpp"
#include "parallel.hpp"

namespace language_model {
namespace {

const Workers serial(1);

template <class Scalar>
std::vector<Scalar> as(const std::vector<double>& values) {
  return std::vector<Scalar>(values.begin(), values.end());
}

template <class Scalar>
MatrixMap<Scalar> matrix(std::vector<Scalar>& values, index rows) {
  return MatrixMap<Scalar>(values.data(), rows, static_cast<index>(values.size()) / rows);
}

template <class Scalar>
VectorMap<Scalar> vector(std::vector<Scalar>& values) {
  return VectorMap<Scalar>(values.data(), static_cast<index>(values.size()));
}

// sum of a * b, without conjugation
template <class A, class B>
Complex inner(const A& a, const B& b) {
  return (a.array() * b.array()).sum();
}

std::size_t size_of(index i) {
  return static_cast<std::size_t>(i);
}

TEST(RmsNorm, GradientsMatchComplexStep) {
  constexpr index rows = 3, channels = 7;
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

// The layer's gradients of u and of each weight. Norms and matrices are compared one by one, so
// that a large one does not mask a small one.
template <template <class> class Layer, class Shape>
void expect_attention_gradients(const Shape& shape, index length) {
  const index sequences = 2, tokens = sequences * length;
  const auto u = random_values(size_of(tokens * shape.channels), 1);
  const auto w = random_values(size_of(Layer<double>::Parameters::size(shape)), 2, 0.5);
  auto dout = random_values(u.size(), 3);

  const auto f = [&](std::vector<Complex> cu, std::vector<Complex> cw) {
    const Layer<Complex> layer(shape);
    typename Layer<Complex>::Saved saved(shape, tokens);
    Matrix<Complex> out(tokens, shape.channels);
    layer.forward({cw.data(), shape}, matrix(cu, tokens), length, out, saved, serial);
    return inner(out, matrix(dout, tokens));
  };

  auto ru = u, rw = w, du = u, dw = std::vector<double>(w.size(), 0.0);
  const Layer<double> layer(shape);
  typename Layer<double>::Saved saved(shape, tokens), dsaved(shape, tokens);
  Matrix<double> out(tokens, shape.channels);
  const typename Layer<double>::Parameters weights(rw.data(), shape);
  typename Layer<double>::Parameters dweights(dw.data(), shape);
  layer.forward(weights, matrix(ru, tokens), length, out, saved, serial);
  layer.backward(weights, matrix(ru, tokens), length, saved, matrix(dout, tokens), dsaved,
                 matrix(du, tokens), dweights, serial);

  const std::size_t every = length > 10 ? 29 : 1;
  expect_gradient(
      "u", u, du, [&](const auto& moved) { return f(moved, as<Complex>(w)); }, every);
  const auto expect_piece = [&](const std::string& name, index begin, index size) {
    const auto piece_of = [&](const std::vector<double>& all) {
      return std::vector<double>(all.begin() + begin, all.begin() + begin + size);
    };
    const auto f_of_piece = [&](const std::vector<Complex>& moved) {
      auto cw = as<Complex>(w);
      std::copy(moved.begin(), moved.end(), cw.begin() + begin);
      return f(as<Complex>(u), cw);
    };
    expect_gradient(name.c_str(), piece_of(w), piece_of(dw), f_of_piece, every);
  };
  expect_piece("norms", 0, Layer<double>::Parameters::norms(shape));
  index end = Layer<double>::Parameters::norms(shape);
  dweights.each_matrix([&](const MatrixMap<double>& matrix, bool) {
    EXPECT_EQ(matrix.data() - dw.data(), end);
    expect_piece("matrix at " + std::to_string(end), end, matrix.size());
    end += matrix.size();
  });
  EXPECT_EQ(end, static_cast<index>(w.size()));
}

// length 70 crosses a boundary of the pieces in which queries are processed
class AttentionGradients : public testing::TestWithParam<index> {};

TEST_P(AttentionGradients, MatchComplexStep) {
  expect_attention_gradients<Attention>(AttentionShape{8, 2, GetParam() + 1}, GetParam());
}

TEST_P(AttentionGradients, OfLatentAttentionMatchComplexStep) {
  // All sizes differ, so that confusing two of them fails.
  const LatentAttentionShape shape{8, 3, GetParam() + 1, 5, 6, 3, 4, 2};
  expect_attention_gradients<LatentAttention>(shape, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Lengths, AttentionGradients, testing::Values(2, 5, 70));

template <template <class> class Layer, class Shape>
void expect_to_look_back_only(const Shape& shape) {
  const index length = 80;
  auto u = random_values(size_of(length * shape.channels), 1);
  auto w = random_values(size_of(Layer<double>::Parameters::size(shape)), 2);
  const Layer<double> layer(shape);
  typename Layer<double>::Saved saved(shape, length);
  Matrix<double> before(length, shape.channels), after(length, shape.channels);
  layer.forward({w.data(), shape}, matrix(u, length), length, before, saved, serial);
  for (index t = 66; t < length; ++t) {
    matrix(u, length).row(t).setConstant(100);
  }
  layer.forward({w.data(), shape}, matrix(u, length), length, after, saved, serial);
  EXPECT_EQ(before.topRows(66), after.topRows(66));
  EXPECT_NE(before.row(66), after.row(66));
}

TEST(Attention, IsCausal) {
  expect_to_look_back_only<Attention>(AttentionShape{8, 2, 80});
  expect_to_look_back_only<LatentAttention>(LatentAttentionShape{8, 3, 80, 5, 6, 3, 4, 2});
}

// For any split of a sequence into pieces, and with the latent attention's W_uk and W_uv absorbed:
// in double equal to rounding.
template <template <class> class Layer, class Shape>
void expect_cache_to_agree(const Shape& shape) {
  using L = Layer<double>;
  const index length = shape.context;
  auto u = random_values(size_of(length * shape.channels), 1);
  auto w = random_values(size_of(L::Parameters::size(shape)), 2, 0.5);
  const typename L::Parameters weights(w.data(), shape);
  const L layer(shape);
  typename L::Saved saved(shape, length);
  Matrix<double> whole(length, shape.channels), pieces(length, shape.channels);
  layer.forward(weights, matrix(u, length), length, whole, saved, serial);

  typename L::Cache cache(shape, length);
  typename L::Workspace workspace(shape, length);
  EXPECT_EQ(cache.bytes_per_token(), size_of(shape.cached()) * sizeof(double));
  const std::vector<std::vector<index>> splits{
      std::vector<index>(size_of(length), 1), {length}, {1, 70, length - 71}, {66, 1, length - 67}};
  for (const std::vector<index>& sizes : splits) {
    cache.clear();
    pieces.setZero();
    for (const index size : sizes) {
      const index first = cache.size();
      layer.extend(weights, matrix(u, length).middleRows(first, size),
                   pieces.middleRows(first, size), cache, workspace);
    }
    EXPECT_EQ(cache.size(), length);
    EXPECT_LE((pieces - whole).norm(), 1e-13 * whole.norm());
  }
  EXPECT_THROW(
      layer.extend(weights, matrix(u, length).topRows(1), pieces.topRows(1), cache, workspace),
      std::length_error);
  EXPECT_EQ(cache.size(), length);
}

TEST(Attention, WithACacheMatchesTheForward) {
  expect_cache_to_agree<Attention>(AttentionShape{8, 2, 80});
  expect_cache_to_agree<LatentAttention>(LatentAttentionShape{8, 3, 80, 5, 6, 3, 4, 2});
}

TEST(LatentAttention, CacheSizeIsIndependentOfHeads) {
  const LatentAttentionShape few{8, 2, 80, 5, 6, 3, 4, 2}, many{8, 64, 80, 5, 6, 3, 4, 2};
  EXPECT_EQ(LatentAttention<float>::Cache(few, 7).bytes_per_token(), 10 * sizeof(float));
  EXPECT_EQ(LatentAttention<float>::Cache(many, 7).bytes_per_token(), 10 * sizeof(float));
  EXPECT_EQ(Attention<float>::Cache(AttentionShape{8, 2, 80}, 7).bytes_per_token(),
            16 * sizeof(float));
}

TEST(Attention, DependsOnRelativePositionsOnly) {
  // Rotary positions: with one head, scores of a sequence shifted by one token do not change.
  const index length = 9;
  auto x = random_values(size_of(2 * 4), 1);
  const Rotary<double> rotary(length, 4);
  Matrix<double> q(length, 4), k(length, 4);
  for (index t = 0; t < length; ++t) {
    q.row(t) = matrix(x, 2).row(0);
    k.row(t) = matrix(x, 2).row(1);
  }
  rotary.forward(q);
  rotary.forward(k);
  const Matrix<double> scores = q * k.transpose();
  for (index t = 1; t < length; ++t) {
    EXPECT_NEAR(scores(t, t - 1), scores(1, 0), 1e-12);
  }
  EXPECT_GT(std::abs(scores(3, 1) - scores(1, 0)), 1e-3);
}

class MixtureGradients : public testing::TestWithParam<MixtureShape> {};

TEST_P(MixtureGradients, MatchComplexStep) {
  const MixtureShape shape = GetParam();
  const index tokens = 11;
  const auto u = random_values(size_of(tokens * shape.channels), 1);
  const auto w = random_values(size_of(MixtureOfExperts<double>::Parameters::size(shape)), 2, 0.7);
  auto dout = random_values(u.size(), 3);
  Vector<float> bias = Vector<float>::Zero(shape.experts);
  if (shape.experts > 0) bias(0) = 0.125F;

  const auto f = [&](std::vector<Complex> cu, std::vector<Complex> cw) {
    const MixtureOfExperts<Complex> mixture(shape);
    MixtureOfExperts<Complex>::Saved saved(shape, tokens);
    Matrix<Complex> out(tokens, shape.channels);
    mixture.forward({cw.data(), shape}, bias, matrix(cu, tokens), out, saved, serial);
    return inner(out, matrix(dout, tokens));
  };

  auto ru = u, rw = w, du = u, dw = std::vector<double>(w.size(), 0.0);
  const MixtureOfExperts<double> mixture(shape);
  MixtureOfExperts<double>::Saved saved(shape, tokens), dsaved(shape, tokens);
  Matrix<double> out(tokens, shape.channels);
  const MixtureOfExperts<double>::Parameters weights(rw.data(), shape);
  MixtureOfExperts<double>::Parameters dweights(dw.data(), shape);
  mixture.forward(weights, bias, matrix(ru, tokens), out, saved, serial);
  mixture.backward(weights, matrix(ru, tokens), saved, matrix(dout, tokens), dsaved,
                   matrix(du, tokens), dweights, serial);

  expect_gradient("u", u, du, [&](const auto& moved) { return f(moved, as<Complex>(w)); });
  expect_gradient("weights", w, dw, [&](const auto& moved) { return f(as<Complex>(u), moved); });
}

INSTANTIATE_TEST_SUITE_P(Shapes, MixtureGradients,
                         testing::Values(MixtureShape{6, 4, 2, 5}, MixtureShape{6, 3, 1, 4},
                                         MixtureShape{4, 2, 2, 3}, MixtureShape{6, 4, 2, 5, 2},
                                         MixtureShape{6, 3, 2, 4, 0}, MixtureShape{6, 0, 0, 5, 1},
                                         MixtureShape{4, 0, 0, 3, 2}));

TEST(MixtureOfExperts, SlotsAreSortedByExpertAndEveryTokenHasItsOwn) {
  const MixtureShape shape{8, 5, 2, 4, 2};
  const index tokens = 300;
  auto u = random_values(size_of(tokens * shape.channels), 1);
  auto w = random_values(size_of(MixtureOfExperts<double>::Parameters::size(shape)), 2);
  const Vector<float> bias = Vector<float>::Zero(shape.experts);
  const MixtureOfExperts<double> mixture(shape);
  MixtureOfExperts<double>::Saved saved(shape, tokens);
  Matrix<double> out(tokens, shape.channels);
  mixture.forward({w.data(), shape}, bias, matrix(u, tokens), out, saved, serial);

  const ExpertSlots& slots = saved.slots;
  EXPECT_EQ(saved.load(5), tokens);
  EXPECT_EQ(saved.load(6), tokens);
  const std::vector<index> loads = mixture.loads(saved);
  EXPECT_EQ(loads.size(), 5U);
  EXPECT_EQ(std::accumulate(loads.begin(), loads.end(), index{0}), tokens * shape.top_k);
  std::vector<int> met(size_of(shape.slots(tokens)), 0);
  for (index t = 0; t < tokens; ++t) {
    EXPECT_NEAR(saved.gate.row(t).head(shape.top_k).sum(), 1, 1e-14);
    EXPECT_EQ(slots.experts_of(t)[2], 5);
    EXPECT_EQ(slots.experts_of(t)[3], 6);
    EXPECT_NE(slots.experts_of(t)[0], slots.experts_of(t)[1]);
    for (index j = 0; j < shape.meetings(); ++j) {
      const index slot = slots.slot(t, j);
      const index e = slots.experts_of(t)[j];
      ++met[size_of(slot)];
      EXPECT_EQ(slots.token(slot), t);
      EXPECT_GE(slot, slots.begin(e));
      EXPECT_LT(slot, slots.begin(e + 1));
    }
  }
  for (const int count : met) {
    EXPECT_EQ(count, 1);
  }
}

// Two shared experts equal one of twice the width, with W_in and W_down concatenated.
TEST(MixtureOfExperts, SharedExpertsAddUp) {
  const MixtureShape two{5, 0, 0, 3, 2}, one{5, 0, 0, 6, 1};
  const index tokens = 7;
  auto u = random_values(size_of(tokens * 5), 1);
  auto w = random_values(size_of(MixtureOfExperts<double>::Parameters::size(two)), 2);
  auto wide = std::vector<double>(w.size());
  const MixtureOfExperts<double>::Parameters from(w.data(), two);
  MixtureOfExperts<double>::Parameters to(wide.data(), one);
  to.norm = from.norm;
  for (index e = 0; e < 2; ++e) {
    to.in.middleRows(3 * e, 3) = from.in.middleRows(6 * e, 3);
    to.in.middleRows(6 + 3 * e, 3) = from.in.middleRows(6 * e + 3, 3);
    to.down.middleCols(3 * e, 3) = from.down.middleRows(5 * e, 5);
  }
  Matrix<double> out(tokens, 5), expected(tokens, 5);
  MixtureOfExperts<double>::Saved saved(two, tokens), saved_wide(one, tokens);
  const Vector<float> bias(0);
  MixtureOfExperts<double>(two).forward(from, bias, matrix(u, tokens), out, saved, serial);
  MixtureOfExperts<double>(one).forward(to, bias, matrix(u, tokens), expected, saved_wide, serial);
  EXPECT_LE((out - expected).norm(), 1e-14 * expected.norm());
}

// Tokens of unequally frequent kinds: the router prefers some experts. The biases balance the loads
// of new batches; without them the loads stay uneven.
TEST(MixtureOfExperts, BalanceEqualizesTheLoad) {
  const MixtureShape shape{8, 6, 2, 4};
  const index tokens = 512;
  const auto directions = random_values(size_of(3 * shape.channels), 1);
  auto w = random_values(size_of(MixtureOfExperts<double>::Parameters::size(shape)), 2, 0.5);
  Vector<float> bias = Vector<float>::Zero(shape.experts);
  const MixtureOfExperts<double> mixture(shape);
  MixtureOfExperts<double>::Saved saved(shape, tokens);
  Matrix<double> out(tokens, shape.channels);
  Random random(3);
  const auto next_batch = [&] {
    std::vector<double> u(size_of(tokens * shape.channels));
    for (index t = 0; t < tokens; ++t) {
      const std::size_t kind = random.uniform() < 0.6 ? 0 : random.uniform() < 0.7 ? 1 : 2;
      for (index c = 0; c < shape.channels; ++c) {
        u[size_of(t * shape.channels + c)] =
            directions[kind * size_of(shape.channels) + size_of(c)] + random.normal();
      }
    }
    mixture.forward({w.data(), shape}, bias, matrix(u, tokens), out, saved, serial);
    const std::vector<index> loads = mixture.loads(saved);
    return static_cast<double>(*std::max_element(loads.begin(), loads.end()) * shape.experts) /
           static_cast<double>(tokens * shape.top_k);
  };
  const auto mean_imbalance = [&] {
    double sum = 0;
    for (int batch = 0; batch < 20; ++batch) sum += next_batch();
    return sum / 20;
  };
  const double without = mean_imbalance();
  for (int step = 0; step < 400; ++step) {
    next_batch();
    mixture.balance(saved, 0.003F, bias);
  }
  const double with = mean_imbalance();
  bias.setZero();
  const double again = mean_imbalance();
  RecordProperty("without", std::to_string(without));
  RecordProperty("with", std::to_string(with));
  EXPECT_GT(without, 1.4);
  EXPECT_GT(again, 1.4);
  EXPECT_LT(with, 1.25);
}

TEST(CrossEntropy, GradientsMatchComplexStep) {
  constexpr index tokens = 4, channels = 5;
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
  constexpr index channels = 3;
  const std::vector<std::uint8_t> bytes{7, 200, 7, 0, 7};
  const index tokens = 5;
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

TEST(Gradients, AreAddedToParametersAndAssignedToActivations) {
  const AttentionShape shape{8, 2, 6};
  const index tokens = 12;
  auto u = random_values(size_of(tokens * shape.channels), 1);
  auto w = random_values(size_of(Attention<double>::Parameters::size(shape)), 2);
  auto dout = random_values(u.size(), 3);
  std::vector<double> du(u.size(), 99.0), dw(w.size(), 0.0);
  const Attention<double> attention(shape);
  Attention<double>::Saved saved(shape, tokens), dsaved(shape, tokens);
  Matrix<double> out(tokens, shape.channels);
  const Attention<double>::Parameters weights(w.data(), shape);
  Attention<double>::Parameters dweights(dw.data(), shape);
  attention.forward(weights, matrix(u, tokens), 6, out, saved, serial);
  const auto backward = [&] {
    attention.backward(weights, matrix(u, tokens), 6, saved, matrix(dout, tokens), dsaved,
                       matrix(du, tokens), dweights, serial);
  };
  backward();
  const auto du_once = du;
  const auto dw_once = dw;
  backward();
  EXPECT_EQ(du, du_once);
  for (std::size_t i = 0; i < dw.size(); ++i) {
    EXPECT_NEAR(dw[i], 2 * dw_once[i], 1e-12 * (1 + std::abs(dw[i])));
  }
}

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
