// SPDX-License-Identifier: MIT
// The gated residual and its collapse: the forward matches the reference and a transcript of the
// family's formulas and storage, and the gradients of all inputs and parameters match the complex
// step with random cotangents.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>
#include <Eigen/Core>

#include <mhc/gated_residual.hpp>
#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/complex_step.hpp"
#include "support/gated.hpp"
#include "support/random.hpp"

namespace {

using mhc::Index;
using mhc_test::Complex;
using mhc_test::complex_step;
using mhc_test::ComplexMatrix;
using mhc_test::ComplexRow;
using mhc_test::inner;
using mhc_test::randomize_all;
using mhc_test::relative_error;

constexpr double tolerance = 1e-12;

template <class Parameters>
mhc::reference::GatedParameters<Complex> complex_parameters(const Parameters& parameters) {
  return {parameters.norm().template cast<Complex>(), parameters.down().template cast<Complex>(),
          parameters.inject().template cast<Complex>(), parameters.up().template cast<Complex>()};
}

template <class Streams>
std::vector<ComplexMatrix> complex_tokens(const Streams& x, Index tokens) {
  std::vector<ComplexMatrix> result;
  for (Index t = 0; t < tokens; ++t) result.push_back(x.token(t).template cast<Complex>());
  return result;
}

/// Compares the gradients of the parameters with the complex step of a loss that reads `at`.
template <class Grads, class Loss>
void expect_gradients(const Grads& grads, mhc::reference::GatedParameters<Complex>& at,
                      const Loss& loss) {
  EXPECT_LE(relative_error(grads.norm(), complex_step(at.norm, loss)), tolerance) << "dnorm";
  EXPECT_LE(relative_error(grads.down(), complex_step(at.down, loss)), tolerance) << "ddown";
  EXPECT_LE(relative_error(grads.up(), complex_step(at.up, loss)), tolerance) << "dup";
  if (at.inject.cols() > 0) {
    EXPECT_LE(relative_error(grads.inject(), complex_step(at.inject, loss)), tolerance)
        << "dinject";
  }
}

enum Cotangents { of_output = 1, of_input = 2, of_inject = 4, all = 7 };

/// A site, its inputs and a cotangent for each of its results.
template <int N>
struct Case {
  using Site = mhc::GatedResidual<N, double>;

  Case(Index tokens_, Index channels, Index rank, int cotangents_, double norm_eps = 1e-6)
      : tokens(tokens_),
        cotangents(cotangents_),
        options{norm_eps},
        parameters(channels, rank),
        x(mhc_test::random_streams<double>(tokens_, N, channels, 1)),
        v(mhc_test::random_tokens<double>(tokens_, channels, 2)),
        gradient_x(mhc_test::random_streams<double>(tokens_, N, channels, 3)),
        gradient_u(mhc_test::random_tokens<double>(tokens_, channels, 4)),
        gradient_inject(mhc_test::random_tokens<double>(tokens_, N, 5)) {
    randomize_all(parameters, 6);
  }

  bool has(Cotangents which) const { return (cotangents & which) != 0; }

  void check() const {
    SCOPED_TRACE(testing::Message() << "n " << N << ", C " << x.channels() << ", L "
                                    << parameters.rank() << ", cotangents " << cotangents);
    const Site site(parameters, options);
    typename Site::Saved saved(tokens, parameters.rank());
    typename Site::Saved dsaved(tokens, parameters.rank());
    typename Site::Parameters grads(x.channels(), parameters.rank());
    mhc::Tokens<double> u(tokens, x.channels()), dv(tokens, x.channels());
    mhc::Streams<double> x_next(tokens, N, x.channels()), dx(tokens, N, x.channels());

    auto at = complex_parameters(parameters);
    std::vector<ComplexMatrix> streams = complex_tokens(x, tokens);
    std::vector<ComplexMatrix> updates = complex_tokens(v, tokens);
    site.prepare(x, u, saved);
    site.finish(x, v, saved, x_next);
    for (Index t = 0; t < tokens; ++t) {
      const auto token = static_cast<std::size_t>(t);
      const auto [of_u, inject] = mhc::reference::gated_residual(options, streams[token], at);
      const ComplexMatrix next = streams[token] + inject.transpose() * updates[token];
      EXPECT_LE(relative_error(u.token(t), of_u.real()), tolerance) << "u";
      EXPECT_LE(relative_error(saved.inject().token(t), inject.real()), tolerance) << "inject";
      EXPECT_LE(relative_error(x_next.token(t), next.real()), tolerance) << "x_next";
    }

    mhc::StreamView<const double> dx_next;
    mhc::TokenView<const double> du;
    if (has(of_output)) dx_next = gradient_x;
    if (has(of_input)) du = gradient_u;
    site.finish_backward(x, v, saved, dx_next, dv, dsaved);
    if (has(of_inject)) dsaved.inject().matrix() += gradient_inject.matrix();
    site.prepare_backward(x, saved, dx_next, du, dsaved, dx, grads);

    const auto loss_of = [&](Index t) {
      const auto token = static_cast<std::size_t>(t);
      const auto [of_u, inject] = mhc::reference::gated_residual(options, streams[token], at);
      const ComplexMatrix next = streams[token] + inject.transpose() * updates[token];
      Complex loss = 0.0;
      if (has(of_input)) loss += inner(gradient_u.token(t), of_u);
      if (has(of_output)) loss += inner(gradient_x.token(t), next);
      if (has(of_inject)) loss += inner(gradient_inject.token(t), inject);
      return loss;
    };
    for (Index t = 0; t < tokens; ++t) {
      const auto token = static_cast<std::size_t>(t);
      const auto of_token = [&] { return loss_of(t); };
      EXPECT_LE(relative_error(dx.token(t), complex_step(streams[token], of_token)), tolerance)
          << "dx";
      EXPECT_LE(relative_error(dv.token(t), complex_step(updates[token], of_token)), tolerance)
          << "dv";
    }
    expect_gradients(grads, at, [&] {
      Complex loss = 0.0;
      for (Index t = 0; t < tokens; ++t) loss += loss_of(t);
      return loss;
    });
  }

  Index tokens;
  int cotangents;
  mhc::GatedOptions options;
  typename Site::Parameters parameters;
  mhc::Streams<double> x;
  mhc::Tokens<double> v;
  mhc::Streams<double> gradient_x;
  mhc::Tokens<double> gradient_u;
  mhc::Tokens<double> gradient_inject;
};

TEST(GatedResidual, GradientsMatchTheComplexStep) {
  Case<1>(2, 7, 5, all).check();
  Case<2>(2, 7, 3, all).check();
  Case<3>(6, 5, 1, all).check();
  Case<4>(2, 7, 5, all).check();
  Case<4>(5, 3, 17, all, 0.1).check();
  Case<2>(2, 67, 2, all).check();  // two tiles of channels
}

TEST(GatedResidual, GradientsWithAbsentCotangents) {
  for (const int present : {1, 2, 3, 4, 5, 6}) Case<4>(2, 5, 3, present).check();
}

template <int N>
void check_collapse(Index channels, Index rank) {
  constexpr Index tokens = 3;
  using Collapse = mhc::GatedCollapse<N, double>;
  const mhc::GatedOptions options{1e-3};
  typename Collapse::Parameters parameters(channels, rank);
  typename Collapse::Parameters grads(channels, rank);
  randomize_all(parameters, 1);
  const auto x = mhc_test::random_streams<double>(tokens, N, channels, 2);
  const auto dh = mhc_test::random_tokens<double>(tokens, channels, 3);
  mhc::Tokens<double> h(tokens, channels);
  mhc::Streams<double> dx(tokens, N, channels);
  typename Collapse::Saved saved(tokens, rank), dsaved(tokens, rank);
  const Collapse collapse(parameters, options);
  collapse.forward(x, h, saved);
  collapse.backward(x, saved, dh, dsaved, dx, grads);

  auto at = complex_parameters(parameters);
  std::vector<ComplexMatrix> streams = complex_tokens(x, tokens);
  const auto output = [&](Index t) -> ComplexRow {
    return mhc::reference::gated_residual(options, streams[static_cast<std::size_t>(t)], at).u;
  };
  const auto loss = [&] {
    Complex sum = 0.0;
    for (Index t = 0; t < tokens; ++t) sum += inner(dh.token(t), output(t));
    return sum;
  };
  for (Index t = 0; t < tokens; ++t) {
    EXPECT_LE(relative_error(h.token(t), output(t).real()), tolerance) << "h";
    EXPECT_LE(relative_error(dx.token(t), complex_step(streams[static_cast<std::size_t>(t)], loss)),
              tolerance)
        << "dx";
  }
  expect_gradients(grads, at, loss);
}

TEST(GatedCollapse, GradientsMatchTheComplexStep) {
  check_collapse<1>(5, 4);
  check_collapse<3>(7, 5);
  check_collapse<4>(9, 3);
}

TEST(GatedCollapse, IsASiteWithoutInject) {
  constexpr Index tokens = 5, channels = 141, rank = 23;
  mhc::GatedResidual<4>::Parameters of_site(channels, rank);
  mhc::GatedCollapse<4>::Parameters of_collapse(channels, rank);
  randomize_all(of_site, 1);
  of_collapse.norm() = of_site.norm();
  of_collapse.down() = of_site.down();
  of_collapse.up() = of_site.up();
  const auto x = mhc_test::random_streams<float>(tokens, 4, channels, 2);
  mhc::Tokens<float> u(tokens, channels), h(tokens, channels);
  mhc::GatedResidual<4>::Saved saved(tokens, rank);
  mhc::GatedCollapse<4>::Saved of_h(tokens, rank);
  mhc::GatedResidual<4>(of_site).prepare(x, u, saved);
  mhc::GatedCollapse<4>(of_collapse).forward(x, h, of_h);
  EXPECT_TRUE(mhc_test::same_bits(u.view(), h.view()));
}

/// Two sites around sublayers v = tanh(u) + u and the final mixer in the family's layout: streams
/// flattened to [n C], weights [L, n C], [n C, L] and [n, n C] as in its checkpoints.
struct Transcript {
  using Values = std::vector<double>;
  struct Weights {
    Values norm, down, up, inject;
  };

  static double sigmoid(double value) { return 1 / (1 + std::exp(-value)); }

  Values mix(const Weights& weights, const Values& streams, Values* inject) const {
    const Index width = n * hidden_size;
    Values normed(streams.size());
    for (Index group = 0; group < n; ++group) {
      double variance = 0;
      for (Index c = 0; c < hidden_size; ++c) {
        const double value = at(streams, group * hidden_size + c);
        variance += value * value / static_cast<double>(hidden_size);
      }
      for (Index c = 0; c < hidden_size; ++c) {
        const Index k = group * hidden_size + c;
        at(normed, k) = at(streams, k) / std::sqrt(variance + eps) * (1 + at(weights.norm, k));
      }
    }
    Values low(static_cast<std::size_t>(low_rank));
    for (Index l = 0; l < low_rank; ++l) {
      double sum = 0;
      for (Index k = 0; k < width; ++k) sum += at(weights.down, l * width + k) * at(normed, k);
      sum /= static_cast<double>(n);
      at(low, l) = sum * sigmoid(sum);
    }
    Values mixed(static_cast<std::size_t>(hidden_size), 0.0);
    for (Index k = 0; k < width; ++k) {
      double sum = 0;
      for (Index l = 0; l < low_rank; ++l) sum += at(weights.up, k * low_rank + l) * at(low, l);
      at(mixed, k % hidden_size) += sigmoid(sum) * at(normed, k) / static_cast<double>(n);
    }
    for (Index i = 0; inject != nullptr && i < n; ++i) {
      double sum = 0;
      for (Index k = 0; k < width; ++k) sum += at(weights.inject, i * width + k) * at(normed, k);
      inject->push_back(2 * sigmoid(sum / static_cast<double>(n)));
    }
    return mixed;
  }

  void site(const Weights& weights, Values& streams) const {
    Values inject;
    const Values input = mix(weights, streams, &inject);
    for (Index k = 0; k < n * hidden_size; ++k) {
      const double value = at(input, k % hidden_size);
      at(streams, k) += at(inject, k / hidden_size) * (std::tanh(value) + value);
    }
  }

  static double& at(Values& values, Index i) { return values[static_cast<std::size_t>(i)]; }
  static double at(const Values& values, Index i) { return values[static_cast<std::size_t>(i)]; }

  Index n, hidden_size, low_rank;
  double eps;
};

TEST(GatedResidual, MatchesTheFamilysTranscript) {
  constexpr int n = 3;
  constexpr Index tokens = 4, channels = 11, rank = 6, width = n * channels;
  using Stored = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const mhc::GatedOptions options{1e-5};
  const Transcript transcript{n, channels, rank, options.norm_eps};

  std::uint64_t seed = 1;
  const auto stored = [&](Index rows, Index columns, double stddev) {
    Stored matrix(rows, columns);
    mhc_test::randomize(Eigen::Ref<Stored>(matrix), ++seed, stddev);
    return matrix;
  };
  const auto values = [](const Stored& matrix) {
    return Transcript::Values(matrix.data(), matrix.data() + matrix.size());
  };
  std::vector<Transcript::Weights> weights;
  std::vector<mhc::GatedResidual<n, double>::Parameters> sites;
  mhc::GatedCollapse<n, double>::Parameters mixer(channels, rank);
  for (int site = 0; site < 3; ++site) {
    const Stored norm = stored(n, channels, 0.2), down = stored(rank, width, 0.5);
    const Stored up = stored(width, rank, 0.9), inject = stored(n, width, 0.4);
    weights.push_back({values(norm), values(down), values(up), values(inject)});
    const auto assign = [&](auto&& parameters) {
      parameters.norm() = norm;
      parameters.down() = down.transpose();
      parameters.up() = up;
    };
    if (site == 2) {
      assign(mixer);
    } else {
      sites.emplace_back(channels, rank);
      assign(sites.back());
      sites.back().inject() = inject.transpose();
    }
  }

  auto x = mhc_test::random_streams<double>(tokens, n, channels, 9);
  const auto start = x;
  mhc::Tokens<double> u(tokens, channels), v(tokens, channels), h(tokens, channels);
  for (const auto& parameters : sites) {
    const mhc::GatedResidual<n, double> site(parameters, options);
    mhc::GatedResidual<n, double>::Saved saved(tokens, rank);
    site.prepare(x, u, saved);
    v.matrix() = (u.matrix().array().tanh() + u.matrix().array()).matrix();
    site.finish(x, v, saved, x);
  }
  mhc::GatedCollapse<n, double>::Saved saved(tokens, rank);
  mhc::GatedCollapse<n, double>(mixer, options).forward(x, h, saved);

  for (Index t = 0; t < tokens; ++t) {
    const double* from = start.view().row(t, 0);
    Transcript::Values streams(from, from + width);
    transcript.site(weights[0], streams);
    transcript.site(weights[1], streams);
    const Transcript::Values hidden = transcript.mix(weights[2], streams, nullptr);
    EXPECT_LE(relative_error(x.token(t), Eigen::Map<const Stored>(streams.data(), n, channels)),
              1e-13);
    EXPECT_LE(relative_error(h.token(t), Eigen::Map<const Stored>(hidden.data(), 1, channels)),
              1e-13);
  }
}

}  // namespace
