// SPDX-License-Identifier: MIT
// The gradients of every input and parameter of a site, in double, against the complex step of the
// reference: mHC with both presets, HC and the ordinary residual, n from 1 to 16, with random
// cotangents of which some are absent.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <mhc/mhc.hpp>

#include "support/complex_step.hpp"
#include "support/random.hpp"

namespace {

using mhc::index;
using mhc_test::Complex;
using mhc_test::ComplexMatrix;
using mhc_test::ComplexRow;
using mhc_test::relative_error;

constexpr double tolerance = 1e-12;

enum Cotangents { of_output = 1, of_input = 2, of_mappings = 4, all = 7 };

/// A site at random parameters that make the dynamic part of the mappings matter, its inputs, and a
/// cotangent for everything it computes.
template <int N, class Connection>
struct Case {
  using Block = mhc::Block<N, double, Connection>;
  using Layout = typename Block::SavedView;

  Case(index tokens_, index channels_, typename Block::Options options_, int cotangents_)
      : tokens(tokens_),
        channels(channels_),
        options(options_),
        cotangents(cotangents_),
        parameters(channels_),
        x(mhc_test::random_streams<double>(tokens_, N, channels_, 1)),
        v(mhc_test::random_tokens<double>(tokens_, channels_, 2)),
        gradient_x(mhc_test::random_streams<double>(tokens_, N, channels_, 3)),
        gradient_u(mhc_test::random_tokens<double>(tokens_, channels_, 4)),
        gradient_pre(mhc_test::random_tokens<double>(tokens_, N, 5)),
        gradient_post(mhc_test::random_tokens<double>(tokens_, N, 6)),
        gradient_res(mhc_test::random_streams<double>(tokens_, N, N, 7)) {
    const auto depth = static_cast<double>(parameters.phi().rows());
    mhc_test::randomize(parameters.phi(), 8, depth > 0.0 ? 1.0 / std::sqrt(depth) : 1.0);
    mhc_test::randomize(parameters.b(), 9, 0.7);
    for (index g = 0; g < parameters.alpha().size(); ++g) {
      parameters.alpha()(g) = 0.7 + 0.2 * static_cast<double>(g);
    }
  }

  bool has(Cotangents which) const { return (cotangents & which) != 0; }

  /// The same numbers where the complex step can move them.
  struct Variables {
    mhc::reference::Parameters<Complex> parameters;
    std::vector<ComplexMatrix> x;
    std::vector<ComplexRow> v;
  };

  Variables variables() const {
    Variables result;
    result.parameters.phi = parameters.phi().template cast<Complex>();
    result.parameters.alpha = parameters.alpha().template cast<Complex>();
    result.parameters.b = parameters.b().template cast<Complex>();
    for (index t = 0; t < tokens; ++t) {
      result.x.push_back(x.token(t).template cast<Complex>());
      result.v.push_back(v.token(t).template cast<Complex>());
    }
    return result;
  }

  Complex loss(const Variables& at, index t) const {
    using namespace mhc::reference;
    const auto token = static_cast<std::size_t>(t);
    const auto [pre, post, res] = mappings(options, at.x[token], at.parameters);
    Complex total = 0.0;
    if (has(of_input)) {
      total += mhc_test::inner(gradient_u.token(t), aggregate(pre, at.x[token]));
    }
    if (has(of_output)) {
      const ComplexMatrix next = merge(res, post, at.x[token], at.v[token]);
      total += mhc_test::inner(gradient_x.token(t), next);
    }
    if (has(of_mappings)) {
      total += mhc_test::inner(gradient_pre.token(t), pre);
      total += mhc_test::inner(gradient_post.token(t), post);
      total += mhc_test::inner(gradient_res.token(t), res);
    }
    return total;
  }

  Complex loss(const Variables& at) const {
    Complex total = 0.0;
    for (index t = 0; t < tokens; ++t) total += loss(at, t);
    return total;
  }

  void check() const {
    const Block block(parameters, options);
    typename Block::Saved saved(tokens);
    typename Block::Saved dsaved(tokens);
    typename Block::Parameters grads(channels);
    mhc::Tokens<double> u(tokens, channels);
    mhc::Tokens<double> dv(tokens, channels);
    mhc::Streams<double> x_next(tokens, N, channels);
    mhc::Streams<double> dx(tokens, N, channels);

    block.prepare(x, u, saved);
    block.finish(x, v, saved, x_next);
    Variables at = variables();
    for (index t = 0; t < tokens; ++t) {
      using namespace mhc::reference;
      const auto token = static_cast<std::size_t>(t);
      const auto [pre, post, res] = mappings(options, at.x[token], at.parameters);
      EXPECT_LE(relative_error(saved.pre().token(t), pre.real()), tolerance);
      EXPECT_LE(relative_error(saved.post().token(t), post.real()), tolerance);
      EXPECT_LE(relative_error(saved.res().token(t), res.real()), tolerance);
      EXPECT_LE(relative_error(u.token(t), aggregate(pre, at.x[token]).real()), tolerance);
      EXPECT_LE(relative_error(x_next.token(t), merge(res, post, at.x[token], at.v[token]).real()),
                tolerance);
    }

    mhc::StreamView<const double> dx_next;
    mhc::TokenView<const double> du;
    if (has(of_output)) dx_next = gradient_x;
    if (has(of_input)) du = gradient_u;
    block.finish_backward(dx_next, x, v, saved, dv, dsaved);
    if (has(of_mappings)) {
      dsaved.pre().matrix() += gradient_pre.matrix();
      dsaved.post().matrix() += gradient_post.matrix();
      for (index t = 0; t < tokens; ++t) dsaved.res().token(t) += gradient_res.token(t);
    }
    block.prepare_backward(x, dx_next, du, saved, dsaved, dx, grads);

    for (index t = 0; t < tokens; ++t) {
      const auto token = static_cast<std::size_t>(t);
      const auto of_token = [&] { return loss(at, t); };
      EXPECT_LE(relative_error(dx.token(t), mhc_test::complex_step(at.x[token], of_token)),
                tolerance);
      EXPECT_LE(relative_error(dv.token(t), mhc_test::complex_step(at.v[token], of_token)),
                tolerance);
    }
    const auto of_all = [&] { return loss(at); };
    auto& p = at.parameters;
    EXPECT_LE(relative_error(grads.phi(), mhc_test::complex_step(p.phi, of_all)), tolerance);
    EXPECT_LE(relative_error(grads.alpha(), mhc_test::complex_step(p.alpha, of_all)), tolerance);
    EXPECT_LE(relative_error(grads.b(), mhc_test::complex_step(p.b, of_all)), tolerance);
  }

  index tokens;
  index channels;
  typename Block::Options options;
  int cotangents;
  typename Block::Parameters parameters;
  mhc::Streams<double> x;
  mhc::Tokens<double> v;
  mhc::Streams<double> gradient_x;
  mhc::Tokens<double> gradient_u;
  mhc::Tokens<double> gradient_pre;
  mhc::Tokens<double> gradient_post;
  mhc::Streams<double> gradient_res;
};

template <class StreamCount>
class BlockGradients : public testing::Test {};

template <int N>
using Count = std::integral_constant<int, N>;
using StreamCounts =
    testing::Types<Count<1>, Count<2>, Count<3>, Count<4>, Count<5>, Count<8>, Count<16>>;
struct Names {
  template <class Size>
  static std::string GetName(int /*index*/) {
    return "n" + std::to_string(Size::value);
  }
};
TYPED_TEST_SUITE(BlockGradients, StreamCounts, Names);

// Channels that keep the number of parameters, each of which is one evaluation, in bounds.
constexpr index channels_for(int streams) {
  return streams > 8 ? 1 : streams > 4 ? 3 : 7;
}

TYPED_TEST(BlockGradients, ManifoldConstrainedAsInThePaper) {
  constexpr int n = TypeParam::value;
  const auto options = mhc::ManifoldConstrained::Options::paper();
  Case<n, mhc::ManifoldConstrained>(n > 8 ? 1 : 2, channels_for(n), options, all).check();
}

TYPED_TEST(BlockGradients, ManifoldConstrainedAsInDeepSeekV4) {
  constexpr int n = TypeParam::value;
  const auto options = mhc::ManifoldConstrained::Options::deepseek_v4();
  Case<n, mhc::ManifoldConstrained>(n > 8 ? 1 : 2, channels_for(n), options, all).check();
}

TYPED_TEST(BlockGradients, HyperConnections) {
  constexpr int n = TypeParam::value;
  Case<n, mhc::HyperConnections>(2, channels_for(n), {1e-6}, all).check();
}

TYPED_TEST(BlockGradients, OrdinaryResidual) {
  constexpr int n = TypeParam::value;
  Case<n, mhc::OrdinaryResidual>(2, channels_for(n), {}, all).check();
}

TEST(BlockGradientsWithAbsentCotangents, EachAloneAndInPairs) {
  for (const int present : {1, 2, 3, 4, 5, 6}) {
    SCOPED_TRACE(present);
    const auto options = mhc::ManifoldConstrained::Options::deepseek_v4();
    Case<4, mhc::ManifoldConstrained>(2, 5, options, present).check();
    Case<3, mhc::HyperConnections>(2, 5, {}, present).check();
    Case<3, mhc::OrdinaryResidual>(2, 5, {}, present).check();
  }
}

TEST(BlockGradientsWithOtherOptions, EpsOrderIterationsAndScales) {
  mhc::ManifoldConstrained::Options options;
  options.norm_eps = 0.1;
  options.pre_eps = 0.02;
  options.post_scale = 1.7;
  options.post_eps = 0.03;
  for (const auto first : {mhc::Axis::columns, mhc::Axis::rows}) {
    for (const int iterations : {1, 2, 3, 20}) {
      for (const double eps : {0.0, 0.01}) {
        options.sinkhorn = {iterations, eps, 2.0 * eps, first};
        Case<4, mhc::ManifoldConstrained>(1, 2, options, all).check();
      }
    }
  }
}

}  // namespace
