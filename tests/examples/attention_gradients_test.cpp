// SPDX-License-Identifier: MIT
// Attention: every gradient against the complex step with a random cotangent, and its cache.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "layer_values.hpp"
#include "model/attention.hpp"
#include "model/latent_attention.hpp"

namespace language_model {
namespace {

// The layer's gradients of u and of each weight. Norms and matrices are compared one by one, so
// that a large one does not mask a small one.
template <template <class> class Layer, class Shape>
void expect_attention_gradients(const Shape& shape, Index length) {
  const Index sequences = 2, tokens = sequences * length;
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
  const auto expect_piece = [&](const std::string& name, Index begin, Index size) {
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
  Index end = Layer<double>::Parameters::norms(shape);
  dweights.each_matrix([&](const MatrixMap<double>& matrix, bool) {
    EXPECT_EQ(matrix.data() - dw.data(), end);
    expect_piece("matrix at " + std::to_string(end), end, matrix.size());
    end += matrix.size();
  });
  EXPECT_EQ(end, static_cast<Index>(w.size()));
}

// length 70 crosses a boundary of the pieces in which queries are processed
class AttentionGradients : public testing::TestWithParam<Index> {};

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
  const Index length = 80;
  auto u = random_values(size_of(length * shape.channels), 1);
  auto w = random_values(size_of(Layer<double>::Parameters::size(shape)), 2);
  const Layer<double> layer(shape);
  typename Layer<double>::Saved saved(shape, length);
  Matrix<double> before(length, shape.channels), after(length, shape.channels);
  layer.forward({w.data(), shape}, matrix(u, length), length, before, saved, serial);
  for (Index t = 66; t < length; ++t) {
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
  const Index length = shape.context;
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
  const std::vector<std::vector<Index>> splits{
      std::vector<Index>(size_of(length), 1), {length}, {1, 70, length - 71}, {66, 1, length - 67}};
  for (const std::vector<Index>& sizes : splits) {
    cache.clear();
    pieces.setZero();
    for (const Index size : sizes) {
      const Index first = cache.size();
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
  const Index length = 9;
  auto x = random_values(size_of(2 * 4), 1);
  const Rotary<double> rotary(length, 4);
  Matrix<double> q(length, 4), k(length, 4);
  for (Index t = 0; t < length; ++t) {
    q.row(t) = matrix(x, 2).row(0);
    k.row(t) = matrix(x, 2).row(1);
  }
  rotary.forward(q);
  rotary.forward(k);
  const Matrix<double> scores = q * k.transpose();
  for (Index t = 1; t < length; ++t) {
    EXPECT_NEAR(scores(t, t - 1), scores(1, 0), 1e-12);
  }
  EXPECT_GT(std::abs(scores(3, 1) - scores(1, 0)), 1e-3);
}

TEST(Gradients, AreAddedToParametersAndAssignedToActivations) {
  const AttentionShape shape{8, 2, 6};
  const Index tokens = 12;
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

}  // namespace
}  // namespace language_model
