// SPDX-License-Identifier: MIT
// Mixture of experts: every gradient against the complex step with a random cotangent, its slots
// and their balance.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "layer_values.hpp"
#include "model/mixture_of_experts.hpp"

namespace language_model {
namespace {

class MixtureGradients : public testing::TestWithParam<MixtureShape> {};

TEST_P(MixtureGradients, MatchComplexStep) {
  const MixtureShape shape = GetParam();
  const Index tokens = 11;
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
  const Index tokens = 300;
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
  const std::vector<Index> loads = mixture.loads(saved);
  EXPECT_EQ(loads.size(), 5U);
  EXPECT_EQ(std::accumulate(loads.begin(), loads.end(), Index{0}), tokens * shape.top_k);
  std::vector<int> met(size_of(shape.slots(tokens)), 0);
  for (Index t = 0; t < tokens; ++t) {
    EXPECT_NEAR(saved.gate.row(t).head(shape.top_k).sum(), 1, 1e-14);
    EXPECT_EQ(slots.experts_of(t)[2], 5);
    EXPECT_EQ(slots.experts_of(t)[3], 6);
    EXPECT_NE(slots.experts_of(t)[0], slots.experts_of(t)[1]);
    for (Index j = 0; j < shape.meetings(); ++j) {
      const Index slot = slots.slot(t, j);
      const Index e = slots.experts_of(t)[j];
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
  const Index tokens = 7;
  auto u = random_values(size_of(tokens * 5), 1);
  auto w = random_values(size_of(MixtureOfExperts<double>::Parameters::size(two)), 2);
  auto wide = std::vector<double>(w.size());
  const MixtureOfExperts<double>::Parameters from(w.data(), two);
  MixtureOfExperts<double>::Parameters to(wide.data(), one);
  to.norm = from.norm;
  for (Index e = 0; e < 2; ++e) {
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
  const Index tokens = 512;
  const auto directions = random_values(size_of(3 * shape.channels), 1);
  auto w = random_values(size_of(MixtureOfExperts<double>::Parameters::size(shape)), 2, 0.5);
  Vector<float> bias = Vector<float>::Zero(shape.experts);
  const MixtureOfExperts<double> mixture(shape);
  MixtureOfExperts<double>::Saved saved(shape, tokens);
  Matrix<double> out(tokens, shape.channels);
  Random random(3);
  const auto next_batch = [&] {
    std::vector<double> u(size_of(tokens * shape.channels));
    for (Index t = 0; t < tokens; ++t) {
      const std::size_t kind = random.uniform() < 0.6 ? 0 : random.uniform() < 0.7 ? 1 : 2;
      for (Index c = 0; c < shape.channels; ++c) {
        u[size_of(t * shape.channels + c)] =
            directions[kind * size_of(shape.channels) + size_of(c)] + random.normal();
      }
    }
    mixture.forward({w.data(), shape}, bias, matrix(u, tokens), out, saved, serial);
    const std::vector<Index> loads = mixture.loads(saved);
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

}  // namespace
}  // namespace language_model
