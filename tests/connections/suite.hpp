// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <string>

#include <mhc/mhc.hpp>

#include "../support/gradients.hpp"

// For a connection and a number of streams: mappings and gradients match the reference and its
// complex step, on asymmetric inputs. Each residual policy is a unit of its own.

namespace {

using mhc::Index;
using mhc_test::all;
using mhc_test::Case;

template <class Connection_, int N>
struct Setting {
  using Connection = Connection_;
  static constexpr int streams = N;
};

template <class Residual>
using OfToken = mhc::Constrained<Residual>;
template <class Residual>
using OfStreams = mhc::Constrained<Residual, mhc::FromStreams>;
template <class Residual>
using Fixed = mhc::Constrained<Residual, mhc::Static>;

template <class Setting>
class Connections : public testing::Test {};
TYPED_TEST_SUITE_P(Connections);

struct Names {
  template <class Setting>
  static std::string GetName(int i) {
    return std::to_string(i) + "_n" + std::to_string(Setting::streams);
  }
};

TYPED_TEST_P(Connections, MappingsAndGradientsMatchTheReference) {
  using Connection = typename TypeParam::Connection;
  constexpr int n = TypeParam::streams;
  typename Connection::Options options;
  options.norm_eps = 1e-3;
  Case<n, Connection>(2, n > 4 ? 1 : 3, options, all).check();
}

TYPED_TEST_P(Connections, MatchTheReferenceForEveryNormEps) {
  using Connection = typename TypeParam::Connection;
  constexpr int n = TypeParam::streams;
  if constexpr (n == 4 && Connection::template Shape<n>::groups > 0) {
    for (const auto norm : {mhc::NormEps::on_root, mhc::NormEps::least_root}) {
      for (const double eps : {0.2, 10.0}) {  // below and above the root mean square
        typename Connection::Options options;
        options.norm_eps = eps;
        options.norm = norm;
        Case<n, Connection>(1, 2, options, all).check();
      }
    }
  }
}

TYPED_TEST_P(Connections, StartAsAnOrdinaryResidual) {
  using Connection = typename TypeParam::Connection;
  constexpr int n = TypeParam::streams;
  using Block = mhc::Block<n, double, Connection>;
  typename Block::Parameters parameters(5);
  mhc::initialize(parameters, 3);
  const Block block(parameters);
  mhc::Tokens<double> h = mhc_test::random_tokens<double>(3, 5, 1);
  mhc::Tokens<double> v = mhc_test::random_tokens<double>(3, 5, 2);
  mhc::Tokens<double> u(3, 5);
  mhc::Streams<double> x(3, n, 5);
  mhc::Streams<double> x_next(3, n, 5);
  typename Block::Saved saved(3);
  mhc::expand_repeat(h, x);
  block.prepare(x, u, saved);
  block.finish(x, v, saved, x_next);
  for (Index t = 0; t < 3; ++t) {
    for (int i = 0; i < n; ++i) {
      const auto expected = h.token(t) + v.token(t);
      EXPECT_LE((x_next.token(t).row(i) - expected).cwiseAbs().maxCoeff(), 0.05);
    }
  }
}

REGISTER_TYPED_TEST_SUITE_P(Connections, MappingsAndGradientsMatchTheReference,
                            MatchTheReferenceForEveryNormEps, StartAsAnOrdinaryResidual);

}  // namespace
