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

Numbers row_of(const Matrix<double>& m, Index row) {
  Numbers numbers;
  for (Index i = 0; i < m.cols(); ++i) numbers.push_back(m(row, i));
  return numbers;
}

Matrix<double> random_matrix(Index rows, Index cols, std::uint64_t seed) {
  auto values = random_values(size_of(rows * cols), seed);
  return MatrixMap<double>(values.data(), rows, cols);
}

Numbers rms_norm(const Numbers& x, const VectorMap<double>& weight) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  Numbers y;
  for (const double value : x) {
    y.push_back(value / std::sqrt(squares / static_cast<double>(x.size()) + 1e-6) *
                weight(static_cast<Index>(y.size())));
  }
  return y;
}

// Rows `first` .. `first` + `count` - 1 of w, times x.
Numbers product(const MatrixMap<double>& w, const Numbers& x, Index first, Index count) {
  Numbers y(size_of(count), 0.0);
  for (Index i = 0; i < count; ++i) {
    for (Index j = 0; j < w.cols(); ++j) y[size_of(i)] += w(first + i, j) * x[size_of(j)];
  }
  return y;
}

double dot(const Numbers& a, const Numbers& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// The last `d` numbers at position t, pair by pair.
void turn(Numbers& x, Index d, Index t) {
  double* const pairs = x.data() + static_cast<Index>(x.size()) - d;
  for (Index i = 0; i < d / 2; ++i) {
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
                                Index length) {
  Matrix<double> out(u.rows(), s.channels);
  std::vector<Numbers> c_q, c_kv, k_rope;
  for (Index row = 0; row < u.rows(); ++row) {
    const Numbers a = rms_norm(row_of(u, row), w.norm);
    c_q.push_back(rms_norm(product(w.q_down, a, 0, s.q_rank), w.q_norm));
    c_kv.push_back(rms_norm(product(w.kv_down, a, 0, s.kv_rank), w.kv_norm));
    k_rope.push_back(product(w.kv_down, a, s.kv_rank, s.rope));
    turn(k_rope.back(), s.rope, row % length);
  }
  for (Index row = 0; row < u.rows(); ++row) {
    Numbers mixed;
    for (Index h = 0; h < s.heads; ++h) {
      Numbers q = product(w.q_up, c_q[size_of(row)], h * (s.nope + s.rope), s.nope + s.rope);
      turn(q, s.rope, row % length);
      Numbers m(size_of(s.value), 0.0);
      double sum = 0;
      for (Index past = row - row % length; past <= row; ++past) {
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
    for (Index i = 0; i < s.channels; ++i) out(row, i) = projected[size_of(i)];
  }
  return out;
}

TEST(LatentAttention, MatchesItsFormulas) {
  const LatentAttentionShape shape{8, 3, 9, 5, 6, 3, 4, 2};
  const Index length = 7, tokens = 2 * length;
  auto w = random_values(size_of(LatentAttention<double>::Parameters::size(shape)), 1, 0.6);
  const LatentAttention<double>::Parameters weights(w.data(), shape);
  const Matrix<double> u = random_matrix(tokens, shape.channels, 2);
  LatentAttention<double>::Saved saved(shape, tokens);
  Matrix<double> out(tokens, shape.channels);
  LatentAttention<double>(shape).forward(weights, u, length, out, saved, serial);
  expect_close(out, latent_attention(shape, weights, u, length));
}

// F(a) of expert e: W_down (silu(z_gate) * z_up)
Numbers expert(const MixtureShape& s, const MixtureOfExperts<double>::Parameters& w, Index e,
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
std::vector<Index> chosen(const Numbers& affinity, const Vector<float>& bias, Index k) {
  std::vector<Index> experts(affinity.size());
  std::iota(experts.begin(), experts.end(), Index{0});
  const auto score = [&](Index e) { return affinity[size_of(e)] + static_cast<double>(bias(e)); };
  std::sort(experts.begin(), experts.end(), [&](Index a, Index b) { return score(a) > score(b); });
  experts.resize(size_of(k));
  return experts;
}

TEST(MixtureOfExperts, MatchesItsFormulas) {
  const MixtureShape shape{6, 5, 2, 4, 2};
  const Index tokens = 40;
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
  for (Index t = 0; t < tokens; ++t) {
    const Numbers a = rms_norm(row_of(u, t), weights.norm);
    Numbers affinity = product(weights.router, a, 0, shape.experts);
    for (double& s : affinity) s = 1 / (1 + std::exp(-s));
    const auto add = [&](Index e, double gate) {
      const Numbers f = expert(shape, weights, e, a);
      for (Index i = 0; i < shape.channels; ++i) expected(t, i) += gate * f[size_of(i)];
    };
    const auto routed = chosen(affinity, bias, shape.top_k);
    double sum = 0;
    for (const Index e : routed) sum += affinity[size_of(e)];
    for (const Index e : routed) add(e, affinity[size_of(e)] / sum);
    for (Index e = shape.experts; e < shape.all_experts(); ++e) add(e, 1);
    changed += routed == chosen(affinity, Vector<float>::Zero(shape.experts), shape.top_k) ? 0 : 1;
  }
  EXPECT_GT(changed, 5);
  expect_close(out, expected);
}

}  // namespace
}  // namespace language_model
