// SPDX-License-Identifier: MIT
// The exact projection, see suite.hpp, and options that few sites use.
#include "suite.hpp"

namespace {

using Settings = testing::Types<
    Setting<OfToken<mhc::BirkhoffProjection>, 1>, Setting<OfToken<mhc::BirkhoffProjection>, 3>,
    Setting<OfToken<mhc::BirkhoffProjection>, 4>, Setting<OfToken<mhc::BirkhoffProjection>, 8>,
    Setting<Fixed<mhc::BirkhoffProjection>, 4>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Birkhoff, Connections, Settings, Names);

TEST(ConstrainedOptions, ZeroInputHasFiniteGradientsForEveryNormEps) {
  // In float 1 / r need not equal the value that r is the inverse of; with 1600 channels it does
  // not.
  using Connection = mhc::Constrained<mhc::SinkhornKnopp, mhc::FromStreams>;
  using Block = mhc::Block<2, float, Connection>;
  constexpr Index channels = 1600;
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
    block.finish_backward(x, v, saved, dx_next, dv, dsaved);
    block.prepare_backward(x, saved, dx_next, v, dsaved, dx, grads);
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
