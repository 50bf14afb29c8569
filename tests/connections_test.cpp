// SPDX-License-Identifier: MIT
// For every combination of source and residual policy, mappings and gradients match the reference
// and its complex step, on asymmetric inputs, and H_res has its defining properties.

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include <mhc/mhc.hpp>

#include "support/gradients.hpp"
#include "support/matchers.hpp"

namespace {

using mhc::index;
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
using Settings = testing::Types<
    Setting<OfToken<mhc::IdentityResidual>, 1>, Setting<OfToken<mhc::IdentityResidual>, 4>,
    Setting<OfToken<mhc::PermutationSoftmax>, 1>, Setting<OfToken<mhc::PermutationSoftmax>, 3>,
    Setting<OfToken<mhc::PermutationSoftmax>, 4>, Setting<OfToken<mhc::PermutationSoftmax>, 5>,
    Setting<OfToken<mhc::Kronecker>, 1>, Setting<OfToken<mhc::Kronecker>, 2>,
    Setting<OfToken<mhc::Kronecker>, 4>, Setting<OfToken<mhc::Kronecker>, 8>,
    Setting<OfToken<mhc::BirkhoffProjection>, 1>, Setting<OfToken<mhc::BirkhoffProjection>, 3>,
    Setting<OfToken<mhc::BirkhoffProjection>, 4>, Setting<OfToken<mhc::BirkhoffProjection>, 8>,
    Setting<OfStreams<mhc::SinkhornKnopp>, 4>, Setting<OfStreams<mhc::IdentityResidual>, 3>,
    Setting<Fixed<mhc::SinkhornKnopp>, 4>, Setting<Fixed<mhc::IdentityResidual>, 4>,
    Setting<Fixed<mhc::PermutationSoftmax>, 4>, Setting<Fixed<mhc::Kronecker>, 4>,
    Setting<Fixed<mhc::BirkhoffProjection>, 4>, Setting<mhc::Unconstrained<mhc::Static>, 4>,
    Setting<mhc::Unconstrained<mhc::FromToken>, 3>>;
struct Names {
  template <class Setting>
  static std::string GetName(int i) {
    return std::to_string(i) + "_n" + std::to_string(Setting::streams);
  }
};
TYPED_TEST_SUITE(Connections, Settings, Names);

TYPED_TEST(Connections, MappingsAndGradientsMatchTheReference) {
  using Connection = typename TypeParam::Connection;
  constexpr int n = TypeParam::streams;
  typename Connection::Options options;
  options.norm_eps = 1e-3;
  Case<n, Connection>(2, n > 4 ? 1 : 3, options, all).check();
}

TYPED_TEST(Connections, MatchTheReferenceForEveryNormEps) {
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

TYPED_TEST(Connections, StartAsAnOrdinaryResidual) {
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
  mhc::expand_repeat<double>(h, x);
  block.prepare(x, u, saved);
  block.finish(x, v, saved, x_next);
  for (index t = 0; t < 3; ++t) {
    for (int i = 0; i < n; ++i) {
      const auto expected = h.token(t) + v.token(t);
      EXPECT_LE((x_next.token(t).row(i) - expected).cwiseAbs().maxCoeff(), 0.05);
    }
  }
}

TEST(ConstrainedOptions, ZeroInputHasFiniteGradientsForEveryNormEps) {
  // In float 1 / r need not equal the value that r is the inverse of; with 1600 channels it does
  // not.
  using Connection = mhc::Constrained<mhc::SinkhornKnopp, mhc::FromStreams>;
  using Block = mhc::Block<2, float, Connection>;
  constexpr index channels = 1600;
  for (const auto norm : {mhc::NormEps::in_root, mhc::NormEps::on_root, mhc::NormEps::least_root}) {
    auto options = mhc::families::LucidrainsManifold::options(channels);
    options.norm = norm;
    if (norm == mhc::NormEps::in_root) options.norm_eps = 1e-6;
    Block::Parameters parameters(channels);
    mhc::initialize(parameters, 1);
    const Block block(parameters, options);
    const mhc::Streams<float> x(1, 2, channels);
    const auto dx_next = mhc_test::random_streams<float>(1, 2, channels, 2);
    const auto v = mhc_test::random_tokens<float>(1, channels, 3);
    mhc::Tokens<float> u(1, channels);
    mhc::Tokens<float> dv(1, channels);
    mhc::Streams<float> dx(1, 2, channels);
    Block::Saved saved(1);
    Block::Saved dsaved(1);
    Block::Parameters grads(channels);
    block.prepare(x, u, saved);
    block.finish_backward(dx_next, x, v, saved, dv, dsaved);
    block.prepare_backward(x, dx_next, v, saved, dsaved, dx, grads);
    EXPECT_LE(dx.token(0).cwiseAbs().maxCoeff(), 1e30F);
  }
}

TEST(ConstrainedOptions, NormalizedPreMatchesTheReference) {
  auto options = mhc::families::OpenPangu2::options();
  options.normalize_pre = true;
  Case<4, mhc::ManifoldConstrained>(2, 3, options, all).check();
}

TEST(ConstrainedOptions, DivisorsOfAtLeastEpsMatchTheReference) {
  auto options = mhc::families::MegatronMain::options();
  Case<4, mhc::ManifoldConstrained>(2, 3, options, all).check();
  // eps is above some of the first column sums and below others.
  for (const auto first : {mhc::Axis::columns, mhc::Axis::rows}) {
    options.residual.first = first;
    options.residual.divisor_eps = 0.01;
    for (const int iterations : {1, 2, 20}) {
      options.residual.iterations = iterations;
      Case<5, mhc::ManifoldConstrained> steep(3, 1, options, all);
      steep.parameters.b() *= 6.0;
      steep.check();
    }
  }
}

TEST(ConstrainedOptions, ImplicitGradientIsThatOfTheLimit) {
  // After very many iterations the two gradients agree.
  auto options = mhc::families::Paper::options();
  options.residual.iterations = 2000;
  options.residual.gradient = mhc::Gradient::implicit;
  Case<4, mhc::ManifoldConstrained>(2, 3, options, all).check();
  Case<8, mhc::ManifoldConstrained>(1, 1, options, all).check();
}

}  // namespace
