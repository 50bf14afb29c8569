// SPDX-License-Identifier: MIT
// The kernels in float match those in double on the same numbers, and inputs at the limits of float
// give finite results.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/fill.hpp"
#include "support/site.hpp"

namespace {

using mhc::Index;
using mhc_test::all_finite;

/// |a - b| / |b| over all numbers.
template <class A, class B>
double relative_norm(const A* a, const B* b, Index size) {
  double error = 0;
  double norm = 0;
  for (Index i = 0; i < size; ++i) {
    const auto exact = static_cast<double>(b[i]);
    error += (static_cast<double>(a[i]) - exact) * (static_cast<double>(a[i]) - exact);
    norm += exact * exact;
  }
  return std::sqrt(error / norm);
}

template <class To, class From>
void copy(const From* from, To* to, Index size) {
  for (Index i = 0; i < size; ++i) to[i] = static_cast<To>(from[i]);
}

template <class A, class B>
double relative_norm(mhc::TokenView<A> a, mhc::TokenView<B> b) {
  EXPECT_EQ(a.token_stride, b.token_stride);
  double error = 0;
  double norm = 0;
  for (Index t = 0; t < a.tokens; ++t) {
    for (Index c = 0; c < a.channels; ++c) {
      const auto exact = static_cast<double>(b.row(t)[c]);
      error += std::pow(static_cast<double>(a.row(t)[c]) - exact, 2);
      norm += exact * exact;
    }
  }
  return std::sqrt(error / norm);
}

constexpr double forward_tolerance = 2e-6;
constexpr double gradient_tolerance = 2e-5;

template <int N>
void expect_accurate(Index channels, const mhc::ManifoldConstrained::Options& options) {
  SCOPED_TRACE(testing::Message() << "n = " << N << ", C = " << channels);
  using Single = mhc::Block<N, float>;
  using Double = mhc::Block<N, double>;
  constexpr Index tokens = 17;
  mhc_test::Problem<Single> single(tokens, channels, static_cast<std::uint64_t>(channels + N));
  mhc::initialize(single.parameters, 1);
  single.parameters.alpha().setOnes();  // so that the dynamic part matters
  mhc_test::Problem<Double> exact(tokens, channels, 1);
  const auto span = single.parameters.span();
  copy(span.data, exact.parameters.span().data, span.size);
  copy(single.x.data(), exact.x.data(), single.x.size());
  copy(single.dx_next.data(), exact.dx_next.data(), single.x.size());
  copy(single.v.data(), exact.v.data(), single.v.size());
  copy(single.du.data(), exact.du.data(), single.v.size());

  mhc_test::Results<Single> results(tokens, channels);
  mhc_test::Results<Double> expected(tokens, channels);
  std::fill_n(results.grads.span().data, span.size, 0.0F);
  std::fill_n(expected.grads.span().data, span.size, 0.0);
  mhc_test::run(Single(single.parameters, options), single.inputs(), results.outputs());
  mhc_test::run(Double(exact.parameters, options), exact.inputs(), expected.outputs());

  EXPECT_LE(relative_norm(results.u.data(), expected.u.data(), results.u.size()), forward_tolerance)
      << "u";
  EXPECT_LE(relative_norm(results.x_next.data(), expected.x_next.data(), results.x_next.size()),
            forward_tolerance)
      << "x_next";
  EXPECT_LE(relative_norm(results.saved.pre(), expected.saved.pre()), forward_tolerance) << "pre";
  EXPECT_LE(relative_norm(results.saved.post(), expected.saved.post()), forward_tolerance)
      << "post";
  for (Index i = 0; i < N; ++i) {
    EXPECT_LE(relative_norm(results.saved.res().stream(i), expected.saved.res().stream(i)),
              forward_tolerance)
        << "row " << i << " of res";
  }

  EXPECT_LE(relative_norm(results.dv.data(), expected.dv.data(), results.dv.size()),
            gradient_tolerance)
      << "dv";
  EXPECT_LE(relative_norm(results.dx.data(), expected.dx.data(), results.dx.size()),
            gradient_tolerance)
      << "dx";
  const auto grads = results.grads.view();
  const auto exact_grads = expected.grads.view();
  EXPECT_LE(relative_norm(grads.phi_data(), exact_grads.phi_data(), grads.phi().size()),
            gradient_tolerance)
      << "dphi";
  EXPECT_LE(relative_norm(grads.alpha_data(), exact_grads.alpha_data(), 3), gradient_tolerance)
      << "dalpha";
  EXPECT_LE(relative_norm(grads.b_data(), exact_grads.b_data(), grads.b().size()),
            gradient_tolerance)
      << "db";
}

TEST(BlockAccuracy, FloatMatchesDoubleWithFourStreams) {
  for (const Index channels : {64, 1280, 4096}) {
    expect_accurate<4>(channels, mhc::families::Paper::options());
    expect_accurate<4>(channels, mhc::families::DeepSeekV4::options());
  }
}

TEST(BlockAccuracy, FloatMatchesDoubleWithEightStreams) {
  for (const Index channels : {64, 1280, 4096}) {
    expect_accurate<8>(channels, mhc::families::Paper::options());
  }
}

/// All results of the four calls on this problem are finite.
template <class Block>
void expect_finite(const mhc_test::Problem<Block>& problem,
                   const typename Block::Options& options) {
  const Index tokens = problem.x.tokens();
  const Index channels = problem.x.channels();
  mhc_test::Results<Block> results(tokens, channels);
  mhc_test::run(Block(problem.parameters, options), problem.inputs(), results.outputs());
  const Index records = Block::SavedView::size(tokens);
  EXPECT_TRUE(all_finite(results.u.data(), results.u.size())) << "u";
  EXPECT_TRUE(all_finite(results.x_next.data(), results.x_next.size())) << "x_next";
  EXPECT_TRUE(all_finite(results.dv.data(), results.dv.size())) << "dv";
  EXPECT_TRUE(all_finite(results.dx.data(), results.dx.size())) << "dx";
  EXPECT_TRUE(all_finite(results.saved.view().data, records)) << "saved";
  EXPECT_TRUE(all_finite(results.dsaved.view().data, records)) << "dsaved";
  EXPECT_TRUE(all_finite(results.grads.span().data, results.grads.span().size)) << "grads";
}

template <class Block>
class BlockExtremes : public testing::Test {};
using Blocks = testing::Types<mhc::Block<4, float>, mhc::Block<4, double>, mhc::Block<8, float>>;
struct Names {
  template <class Block>
  static std::string GetName(int) {
    return "n" + std::to_string(Block::streams) + "_f" +
           std::to_string(8 * sizeof(typename Block::Scalar));
  }
};
TYPED_TEST_SUITE(BlockExtremes, Blocks, Names);

TYPED_TEST(BlockExtremes, LogitsOfTenThousandGiveFiniteResults) {
  // Various sign patterns, including rows and columns whose entries all underflow.
  for (const auto& options :
       {mhc::families::Paper::options(), mhc::families::DeepSeekV4::options()}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      SCOPED_TRACE(testing::Message()
                   << "seed " << seed << ", start_eps " << options.residual.start_eps);
      mhc_test::Problem<TypeParam> problem(9, 20, seed);
      mhc_test::Random random(seed);
      auto b = problem.parameters.b();
      for (Index i = 0; i < b.size(); ++i) {
        b(i) = random.uniform() < 0.5 ? typename TypeParam::Scalar(1e4)
                                      : typename TypeParam::Scalar(-1e4);
      }
      expect_finite(problem, options);
    }
  }
}

TYPED_TEST(BlockExtremes, RowsOfResSumToOneForAllLogits) {
  constexpr Index tokens = 9;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    mhc_test::Problem<TypeParam> problem(tokens, 20, seed);
    mhc_test::Random random(seed);
    auto b = problem.parameters.b();
    for (Index i = 0; i < b.size(); ++i) {
      b(i) = static_cast<typename TypeParam::Scalar>(1e4 * random.normal());
    }
    typename TypeParam::Saved saved(tokens);
    TypeParam(problem.parameters).prepare(problem.x, {}, saved);
    for (Index t = 0; t < tokens; ++t) {
      const auto res = saved.res().token(t);
      EXPECT_GE(res.minCoeff(), 0);
      for (Index i = 0; i < TypeParam::streams; ++i) {
        EXPECT_NEAR(static_cast<double>(res.row(i).sum()), 1.0, 2e-6) << "row " << i;
      }
    }
  }
}

TYPED_TEST(BlockExtremes, ZeroAndHugeTokensGiveFiniteResults) {
  constexpr Index tokens = 9;
  constexpr Index channels = 20;
  constexpr Index n = TypeParam::streams;
  for (const auto& options :
       {mhc::families::Paper::options(), mhc::families::DeepSeekV4::options()}) {
    mhc_test::Problem<TypeParam> problem(tokens, channels, 5);
    const double scales[] = {0.0, 1e-15, 1e-6, 1e6, 1e15};
    for (Index t = 0; t < 5; ++t) {
      for (Index i = 0; i < n * channels; ++i) {
        problem.x.view().row(t, 0)[i] *= static_cast<typename TypeParam::Scalar>(scales[t]);
      }
    }
    for (Index c = 0; c < channels; ++c) {  // one stream far larger than the others
      problem.x.view().row(5, 0)[c] *= typename TypeParam::Scalar(1e12);
    }
    expect_finite(problem, options);
  }
}

}  // namespace
