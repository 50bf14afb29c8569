// SPDX-License-Identifier: MIT
// Attention and experts against their formulas written out as loops.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "layer_values.hpp"
#include "model/latent_attention.hpp"
#include "model/mixture_of_experts.hpp"

namespace language_model {
namespace {

using Numbers = std::vector<double>;

Numbers row_of(const Matrix<double>& m, index row) {
  Numbers numbers;
  for (index i = 0; i < m.cols(); ++i) numbers.push_back(m(row, i));
  return numbers;
}

Matrix<double> random_matrix(index rows, index cols, std::uint64_t seed) {
  auto values = random_values(size_of(rows * cols), seed);
  return MatrixMap<double>(values.data(), rows, cols);
}

Numbers rms_norm(const Numbers& x, const VectorMap<double>& weight) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  Numbers y;
  for (const double value : x) {
    y.push_back(value / std::sqrt(squares / static_cast<double>(x.size()) + 1e-6) *
                weight(static_cast<index>(y.size())));
  }
  return y;
}

// Rows `first` .. `first` + `count` - 1 of w, times x.
Numbers product(const MatrixMap<double>& w, const Numbers& x, index first, index count) {
  Numbers y(size_of(count), 0.0);
  for (index i = 0; i < count; ++i) {
    for (index j = 0; j < w.cols(); ++j) y[size_of(i)] += w(first + i, j) * x[size_of(j)];
  }
  return y;
}

double dot(const Numbers& a, const Numbers& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// The last `d` numbers at position t, pair by pair.
void turn(Numbers& x, index d, index t) {
  double* const pairs = x.data() + static_cast<index>(x.size()) - d;
  for (index i = 0; i < d / 2; ++i) {
    const double angle = static_cast<double>(t) *
                         std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(d));
    const double a = pairs[i], b = pairs[i + d / 2];
    pairs[i] = a * std::cos(angle) - b * std::sin(angle);
    pairs[i + d / 2] = a * std::sin(angle) + b * std::cos(angle);
  }
}

void expect_close(const Matrix<double>& out, const Matrix<double>& expected) {
  EXPECT_GT(expected.norm(), 0.1);
  EXPECT_LE((out - expected).norm(), 1e-13 * expected.norm());
}

Matrix<double> latent_attention(const LatentAttentionShape& s,
                                const LatentAttentionParameters<double>& w, const Matrix<double>& u,
                                index length) {
  Matrix<double> out(u.rows(), s.channels);
  std::vector<Numbers> c_q, c_kv, k_rope;
  for (index row = 0; row < u.rows(); ++row) {
    const Numbers a = rms_norm(row_of(u, row), w.norm);
    c_q.push_back(rms_norm(product(w.q_down, a, 0, s.q_rank), w.q_norm));
    c_kv.push_back(rms_norm(product(w.kv_down, a, 0, s.kv_rank), w.kv_norm));
    k_rope.push_back(product(w.kv_down, a, s.kv_rank, s.rope));
    turn(k_rope.back(), s.rope, row % length);
  }
  for (index row = 0; row < u.rows(); ++row) {
    Numbers mixed;
    for (index h = 0; h < s.heads; ++h) {
      Numbers q = product(w.q_up, c_q[size_of(row)], h * (s.nope + s.rope), s.nope + s.rope);
      turn(q, s.rope, row % length);
      Numbers m(size_of(s.value), 0.0);
      double sum = 0;
      for (index past = row - row % length; past <= row; ++past) {
        const Numbers& latent = c_kv[size_of(past)];
        Numbers k = product(w.k_up, latent, h * s.nope, s.nope);
        k.insert(k.end(), k_rope[size_of(past)].begin(), k_rope[size_of(past)].end());
        const double p = std::exp(dot(q, k) / std::sqrt(static_cast<double>(s.nope + s.rope)));
        const Numbers v = product(w.v_up, latent, h * s.value, s.value);
        for (std::size_t i = 0; i < m.size(); ++i) m[i] += p * v[i];
        sum += p;
      }
      for (const double value : m) mixed.push_back(value / sum);
    }
    const Numbers projected = product(w.output, mixed, 0, s.channels);
    for (index i = 0; i < s.channels; ++i) out(row, i) = projected[size_of(i)];
  }
  return out;
}

TEST(LatentAttention, MatchesItsFormulas) {
  const LatentAttentionShape shape{8, 3, 9, 5, 6, 3, 4, 2};
  const index length = 7, tokens = 2 * length;
  auto w = random_values(size_of(LatentAttention<double>::Parameters::size(shape)), 1, 0.6);
  const LatentAttention<double>::Parameters weights(w.data(), shape);
  const Matrix<double> u = random_matrix(tokens, shape.channels, 2);
  LatentAttention<double>::Saved saved(shape, tokens);
  Matrix<double> out(tokens, shape.channels);
  LatentAttention<double>(shape).forward(weights, u, length, out, saved, serial);
  expect_close(out, latent_attention(shape, weights, u, length));
}

// F(a) of expert e: W_down (silu(z_gate) * z_up)
Numbers expert(const MixtureShape& s, const MixtureOfExperts<double>::Parameters& w, index e,
               const Numbers& a) {
  const Numbers gate = product(w.in, a, e * 2 * s.hidden, s.hidden);
  const Numbers up = product(w.in, a, e * 2 * s.hidden + s.hidden, s.hidden);
  Numbers h;
  for (std::size_t i = 0; i < gate.size(); ++i) {
    h.push_back(gate[i] / (1 + std::exp(-gate[i])) * up[i]);
  }
  return product(w.down, h, e * s.channels, s.channels);
}

// The k experts of largest affinity + bias.
std::vector<index> chosen(const Numbers& affinity, const Vector<float>& bias, index k) {
  std::vector<index> experts(affinity.size());
  std::iota(experts.begin(), experts.end(), index{0});
  const auto score = [&](index e) { return affinity[size_of(e)] + static_cast<double>(bias(e)); };
  std::sort(experts.begin(), experts.end(), [&](index a, index b) { return score(a) > score(b); });
  experts.resize(size_of(k));
  return experts;
}

TEST(MixtureOfExperts, MatchesItsFormulas) {
  const MixtureShape shape{6, 5, 2, 4, 2};
  const index tokens = 40;
  auto w = random_values(size_of(MixtureOfExperts<double>::Parameters::size(shape)), 1, 0.6);
  const MixtureOfExperts<double>::Parameters weights(w.data(), shape);
  const Matrix<double> u = random_matrix(tokens, shape.channels, 2);
  Vector<float> bias(shape.experts);
  bias << 0.25F, -0.125F, 0.5F, 0.0F, -0.375F;
  MixtureOfExperts<double>::Saved saved(shape, tokens);
  Matrix<double> out(tokens, shape.channels);
  MixtureOfExperts<double>(shape).forward(weights, bias, u, out, saved, serial);

  Matrix<double> expected = Matrix<double>::Zero(tokens, shape.channels);
  int changed = 0;  // tokens for which the bias matters
  for (index t = 0; t < tokens; ++t) {
    const Numbers a = rms_norm(row_of(u, t), weights.norm);
    Numbers affinity = product(weights.router, a, 0, shape.experts);
    for (double& s : affinity) s = 1 / (1 + std::exp(-s));
    const auto add = [&](index e, double gate) {
      const Numbers f = expert(shape, weights, e, a);
      for (index i = 0; i < shape.channels; ++i) expected(t, i) += gate * f[size_of(i)];
    };
    const auto routed = chosen(affinity, bias, shape.top_k);
    double sum = 0;
    for (const index e : routed) sum += affinity[size_of(e)];
    for (const index e : routed) add(e, affinity[size_of(e)] / sum);
    for (index e = shape.experts; e < shape.all_experts(); ++e) add(e, 1);
    changed += routed == chosen(affinity, Vector<float>::Zero(shape.experts), shape.top_k) ? 0 : 1;
  }
  EXPECT_GT(changed, 5);
  expect_close(out, expected);
}

}  // namespace
}  // namespace language_model
