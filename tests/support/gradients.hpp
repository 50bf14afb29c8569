// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include <mhc/mhc.hpp>

#include "complex_step.hpp"
#include "kernel_instances.hpp"
#include "random.hpp"

// Compares a site's mappings, outputs and all gradients, in double, with the reference and its
// complex step.
namespace mhc_test {

using mhc::Index;
using Matrix = mhc::reference::Matrix<double>;
inline constexpr double gradient_tolerance = 1e-12;

enum Cotangents { of_output = 1, of_input = 2, of_mappings = 4, all = 7 };

/// The loss of a site, of any number of streams: the sum over the tokens of the cotangents times
/// the results, as the reference computes them from complex variables.
template <class Connection>
struct Oracle {
  using Options = typename Connection::Options;

  bool has(Cotangents which) const { return (cotangents & which) != 0; }

  Complex loss(std::size_t t) const {
    using namespace mhc::reference;
    const auto [pre, post, res] = mappings<Connection>(options, x[t], parameters);
    Complex total = 0.0;
    if (has(of_input)) total += inner(gradient_u[t], aggregate(pre, x[t]));
    if (has(of_output)) {
      const ComplexMatrix next = merge(res, post, x[t], v[t]);
      total += inner(gradient_x[t], next);
    }
    if (has(of_mappings)) {
      total += inner(gradient_pre[t], pre);
      total += inner(gradient_post[t], post);
      total += inner(gradient_res[t], res);
    }
    return total;
  }

  Complex loss() const {
    Complex total = 0.0;
    for (std::size_t t = 0; t < x.size(); ++t) total += loss(t);
    return total;
  }

  /// pre, post, res, u and x_next of token t.
  std::array<Matrix, 5> results(std::size_t t) const {
    using namespace mhc::reference;
    const auto [pre, post, res] = mappings<Connection>(options, x[t], parameters);
    return {pre.real(), post.real(), res.real(), aggregate(pre, x[t]).real(),
            merge(res, post, x[t], v[t]).real()};
  }

  /// dx and dv of token t.
  std::array<Matrix, 2> gradients(std::size_t t) {
    const auto of_token = [this, t] { return loss(t); };
    return {complex_step(x[t], of_token), complex_step(v[t], of_token)};
  }

  /// Those of phi, alpha and b.
  std::array<Matrix, 3> gradients() {
    const auto of_all = [this] { return loss(); };
    return {complex_step(parameters.phi, of_all), complex_step(parameters.alpha, of_all),
            complex_step(parameters.b, of_all)};
  }

  Options options;
  int cotangents;
  mhc::reference::Parameters<Complex> parameters;
  std::vector<ComplexMatrix> x;
  std::vector<ComplexRow> v;
  std::vector<Matrix> gradient_x, gradient_u, gradient_pre, gradient_post, gradient_res;
};

inline void expect_near(const Matrix& ours, const Matrix& theirs, const char* what) {
  EXPECT_LE(relative_error(ours, theirs), gradient_tolerance) << what;
}

/// A site with random parameters such that the dynamic part of the mappings matters, its inputs,
/// and a cotangent for each of its results.
template <int N, class Connection>
struct Case {
  using Block = mhc::Block<N, double, Connection>;
  using Layout = typename Block::SavedView;

  Case(Index tokens_, Index channels_, typename Block::Options options_, int cotangents_)
      : tokens(tokens_),
        channels(channels_),
        options(options_),
        cotangents(cotangents_),
        parameters(channels_),
        x(random_streams<double>(tokens_, N, channels_, 1)),
        v(random_tokens<double>(tokens_, channels_, 2)),
        gradient_x(random_streams<double>(tokens_, N, channels_, 3)),
        gradient_u(random_tokens<double>(tokens_, channels_, 4)),
        gradient_pre(random_tokens<double>(tokens_, N, 5)),
        gradient_post(random_tokens<double>(tokens_, N, 6)),
        gradient_res(random_streams<double>(tokens_, N, N, 7)) {
    const auto depth = static_cast<double>(parameters.phi().rows());
    randomize(parameters.phi(), 8, depth > 0.0 ? 1.0 / std::sqrt(depth) : 1.0);
    randomize(parameters.b(), 9, 0.7);
    for (Index g = 0; g < parameters.alpha().size(); ++g) {
      parameters.alpha()(g) = 0.7 + 0.2 * static_cast<double>(g);
    }
  }

  Oracle<Connection> oracle() const {
    Oracle<Connection> result;
    result.options = options;
    result.cotangents = cotangents;
    result.parameters.phi = parameters.phi().template cast<Complex>();
    result.parameters.alpha = parameters.alpha().template cast<Complex>();
    result.parameters.b = parameters.b().template cast<Complex>();
    for (Index t = 0; t < tokens; ++t) {
      result.x.emplace_back(x.token(t).template cast<Complex>());
      result.v.emplace_back(v.token(t).template cast<Complex>());
      result.gradient_x.emplace_back(gradient_x.token(t));
      result.gradient_u.emplace_back(gradient_u.token(t));
      result.gradient_pre.emplace_back(gradient_pre.token(t));
      result.gradient_post.emplace_back(gradient_post.token(t));
      result.gradient_res.emplace_back(gradient_res.token(t));
    }
    return result;
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
    auto expected = oracle();
    for (Index t = 0; t < tokens; ++t) {
      const auto [pre, post, res, of_u, next] = expected.results(static_cast<std::size_t>(t));
      expect_near(saved.pre().token(t), pre, "pre");
      expect_near(saved.post().token(t), post, "post");
      expect_near(saved.res().token(t), res, "res");
      expect_near(u.token(t), of_u, "u");
      expect_near(x_next.token(t), next, "x_next");
    }

    mhc::StreamView<const double> dx_next;
    mhc::TokenView<const double> du;
    if (expected.has(of_output)) dx_next = gradient_x;
    if (expected.has(of_input)) du = gradient_u;
    block.finish_backward(x, v, saved, dx_next, dv, dsaved);
    if (expected.has(of_mappings)) {
      dsaved.pre().matrix() += gradient_pre.matrix();
      dsaved.post().matrix() += gradient_post.matrix();
      for (Index t = 0; t < tokens; ++t) dsaved.res().token(t) += gradient_res.token(t);
    }
    block.prepare_backward(x, saved, dx_next, du, dsaved, dx, grads);

    for (Index t = 0; t < tokens; ++t) {
      const auto [of_x, of_v] = expected.gradients(static_cast<std::size_t>(t));
      expect_near(dx.token(t), of_x, "dx");
      expect_near(dv.token(t), of_v, "dv");
    }
    const auto [of_phi, of_alpha, of_b] = expected.gradients();
    expect_near(grads.phi(), of_phi, "dphi");
    expect_near(grads.alpha(), of_alpha, "dalpha");
    expect_near(grads.b(), of_b, "db");
  }

  Index tokens;
  Index channels;
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

}  // namespace mhc_test
