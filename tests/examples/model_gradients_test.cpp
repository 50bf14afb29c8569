// SPDX-License-Identifier: MIT
// The language model's norm, embedding and loss: every gradient against the complex step with a
// random cotangent.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "layer_values.hpp"
#include "model/cross_entropy.hpp"
#include "model/embedding.hpp"
#include "model/rms_norm.hpp"

namespace language_model {
namespace {

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

}  // namespace
}  // namespace language_model
