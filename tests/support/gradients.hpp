// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <mhc/mhc.hpp>

#include "complex_step.hpp"
#include "random.hpp"

// Compares a site's mappings, outputs and all gradients, in double, with the reference and its
// complex step.
namespace mhc_test {

using mhc::index;
inline constexpr double gradient_tolerance = 1e-12;

enum Cotangents { of_output = 1, of_input = 2, of_mappings = 4, all = 7 };

/// A site with random parameters such that the dynamic part of the mappings matters, its inputs,
/// and a cotangent for each of its results.
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
    for (index g = 0; g < parameters.alpha().size(); ++g) {
      parameters.alpha()(g) = 0.7 + 0.2 * static_cast<double>(g);
    }
  }

  bool has(Cotangents which) const { return (cotangents & which) != 0; }

  /// The same numbers as complex variables, for the complex step.
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
    const auto [pre, post, res] = mappings<Connection>(options, at.x[token], at.parameters);
    Complex total = 0.0;
    if (has(of_input)) {
      total += inner(gradient_u.token(t), aggregate(pre, at.x[token]));
    }
    if (has(of_output)) {
      const ComplexMatrix next = merge(res, post, at.x[token], at.v[token]);
      total += inner(gradient_x.token(t), next);
    }
    if (has(of_mappings)) {
      total += inner(gradient_pre.token(t), pre);
      total += inner(gradient_post.token(t), post);
      total += inner(gradient_res.token(t), res);
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
      const auto [pre, post, res] = mappings<Connection>(options, at.x[token], at.parameters);
      EXPECT_LE(relative_error(saved.pre().token(t), pre.real()), gradient_tolerance);
      EXPECT_LE(relative_error(saved.post().token(t), post.real()), gradient_tolerance);
      EXPECT_LE(relative_error(saved.res().token(t), res.real()), gradient_tolerance);
      EXPECT_LE(relative_error(u.token(t), aggregate(pre, at.x[token]).real()), gradient_tolerance);
      EXPECT_LE(relative_error(x_next.token(t), merge(res, post, at.x[token], at.v[token]).real()),
                gradient_tolerance);
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
      EXPECT_LE(relative_error(dx.token(t), complex_step(at.x[token], of_token)),
                gradient_tolerance);
      EXPECT_LE(relative_error(dv.token(t), complex_step(at.v[token], of_token)),
                gradient_tolerance);
    }
    const auto of_all = [&] { return loss(at); };
    auto& p = at.parameters;
    EXPECT_LE(relative_error(grads.phi(), complex_step(p.phi, of_all)), gradient_tolerance);
    EXPECT_LE(relative_error(grads.alpha(), complex_step(p.alpha, of_all)), gradient_tolerance);
    EXPECT_LE(relative_error(grads.b(), complex_step(p.b, of_all)), gradient_tolerance);
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

}  // namespace mhc_test
