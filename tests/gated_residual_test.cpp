// SPDX-License-Identifier: MIT
// The gated residual: float and the 16-bit types are accurate, wrong arguments are rejected, and
// the contract of a block holds.

#include <gtest/gtest.h>

#include <string>
#include <type_traits>

#include <mhc/gated_residual.hpp>
#include <mhc/mhc.hpp>

#include "support/complex_step.hpp"
#include "support/contract.hpp"
#include "support/gated.hpp"
#include "support/random.hpp"
#include "support/refused.hpp"

namespace {

using mhc::Index;
using mhc_test::randomize_all;
using mhc_test::relative_error;

// Accuracy: the same site in another type compared with double, from the same stored numbers.

template <class Element>
class GatedAccuracy : public testing::Test {};
using Narrow = testing::Types<float, mhc::bf16, mhc::f16>;
struct ElementNames {
  template <class Element>
  static std::string GetName(int) {
    return std::is_same_v<Element, float>       ? "f32"
           : std::is_same_v<Element, mhc::bf16> ? "bf16"
                                                : "f16";
  }
};
TYPED_TEST_SUITE(GatedAccuracy, Narrow, ElementNames);

TYPED_TEST(GatedAccuracy, IsThatOfTheElementType) {
  constexpr Index tokens = 37, channels = 301, rank = 40;
  using Site = mhc::GatedResidual<4, TypeParam>;
  using Wide = mhc::GatedResidual<4, double>;
  typename Site::Parameters parameters(channels, rank), grads(channels, rank);
  Wide::Parameters wide_parameters(channels, rank), wide_grads(channels, rank);
  randomize_all(parameters, 1);
  for (Index i = 0; i < parameters.span().size; ++i) {
    wide_parameters.span().data[i] = static_cast<double>(parameters.span().data[i]);
  }
  const auto widen = [](const auto& from, auto to) {
    for (Index i = 0; i < from.size(); ++i) {
      to.data()[i] = static_cast<double>(static_cast<float>(from.data()[i]));
    }
    return to;
  };
  mhc_test::Random random(2);
  mhc::Streams<TypeParam> x(tokens, 4, channels), dx_next(tokens, 4, channels);
  mhc::Tokens<TypeParam> v(tokens, channels), du(tokens, channels);
  mhc_test::fill(random, x.view());
  mhc_test::fill(random, dx_next.view());
  mhc_test::fill(random, v.view());
  mhc_test::fill(random, du.view());

  const auto run = [&](const auto& site, auto& into, const auto& of_x, const auto& of_dx_next,
                       const auto& of_v, const auto& of_du, auto& result) {
    using Saved = typename std::decay_t<decltype(site)>::Saved;
    Saved saved(tokens, rank), dsaved(tokens, rank);
    site.prepare(of_x, result.u, saved);
    site.finish(of_x, of_v, saved, result.x_next);
    site.finish_backward(of_x, of_v, saved, of_dx_next, result.dv, dsaved);
    site.prepare_backward(of_x, saved, of_dx_next, of_du, dsaved, result.dx, into);
  };
  struct Results {
    mhc::Tokens<TypeParam> u{tokens, channels}, dv{tokens, channels};
    mhc::Streams<TypeParam> x_next{tokens, 4, channels}, dx{tokens, 4, channels};
  } narrow;
  struct WideResults {
    mhc::Tokens<double> u{tokens, channels}, dv{tokens, channels};
    mhc::Streams<double> x_next{tokens, 4, channels}, dx{tokens, 4, channels};
  } wide;
  run(Site(parameters), grads, x, dx_next, v, du, narrow);
  const mhc::Tokens<double> tokens_of_double(tokens, channels);
  const mhc::Streams<double> streams_of_double(tokens, 4, channels);
  run(Wide(wide_parameters), wide_grads, widen(x, streams_of_double),
      widen(dx_next, streams_of_double), widen(v, tokens_of_double), widen(du, tokens_of_double),
      wide);

  const double rounding = std::is_same_v<TypeParam, float>       ? 1e-6
                          : std::is_same_v<TypeParam, mhc::bf16> ? 0x1p-8
                                                                 : 0x1p-11;
  const auto expect_near = [&](const auto& a, const auto& b, const char* what) {
    for (Index t = 0; t < tokens; ++t)
      EXPECT_LE(relative_error(a.token(t), b.token(t)), rounding) << what;
  };
  expect_near(narrow.u, wide.u, "u");
  expect_near(narrow.x_next, wide.x_next, "x_next");
  expect_near(narrow.dv, wide.dv, "dv");
  expect_near(narrow.dx, wide.dx, "dx");
  EXPECT_LE(relative_error(grads.norm(), wide_grads.norm()), 1e-6);
  EXPECT_LE(relative_error(grads.down(), wide_grads.down()), 1e-6);
  EXPECT_LE(relative_error(grads.inject(), wide_grads.inject()), 1e-6);
  EXPECT_LE(relative_error(grads.up(), wide_grads.up()), 1e-6);
}

TEST(GatedResidual, SaturatesWithoutNaN) {
  constexpr Index tokens = 2, channels = 9, rank = 5;
  mhc::GatedResidual<2>::Parameters parameters(channels, rank), grads(channels, rank);
  randomize_all(parameters, 1);
  for (float& value : parameters.span()) value *= 1e4F;
  const auto x = mhc_test::random_streams<float>(tokens, 2, channels, 2);
  mhc::Tokens<float> u(tokens, channels), dv(tokens, channels);
  mhc::Streams<float> dx(tokens, 2, channels);
  mhc::GatedResidual<2>::Saved saved(tokens, rank), dsaved(tokens, rank);
  const mhc::GatedResidual<2> site(parameters);
  site.prepare(x, u, saved);
  site.finish_backward(x, u, saved, x, dv, dsaved);
  site.prepare_backward(x, saved, x, u, dsaved, dx, grads);
  EXPECT_TRUE(mhc_test::all_finite(u.data(), u.size()));
  EXPECT_TRUE(mhc_test::all_finite(dx.data(), dx.size()));
  EXPECT_TRUE(mhc_test::all_finite(grads.span().data, grads.span().size));
}

TEST(GatedResidual, StartsAsAnOrdinaryResidual) {
  constexpr Index tokens = 3, channels = 33, rank = 8;
  mhc::GatedResidual<4>::Parameters parameters(channels, rank);
  randomize_all(parameters, 1);
  mhc::initialize(parameters, 2);
  const auto x = mhc_test::random_streams<float>(tokens, 4, channels, 3);
  const auto v = mhc_test::random_tokens<float>(tokens, channels, 4);
  mhc::Streams<float> x_next(tokens, 4, channels);
  mhc::GatedResidual<4>::Saved saved(tokens, rank);
  const mhc::GatedResidual<4> site(parameters);
  site.prepare(x, {}, saved);
  site.finish(x, v, saved, x_next);
  for (Index t = 0; t < tokens; ++t) {
    for (Index i = 0; i < 4; ++i) EXPECT_EQ(x_next.token(t).row(i), x.token(t).row(i) + v.token(t));
  }
  EXPECT_FALSE(parameters.down().isApprox(parameters.up()));
}

TEST(GatedResidual, ParametersAreContiguous) {
  constexpr Index channels = 7, rank = 3;
  const mhc::GatedParameters<4> parameters(channels, rank);
  const auto view = parameters.view();
  EXPECT_EQ(view.span().size, view.norm().size() + view.phi().size() + view.up().size());
  EXPECT_EQ(view.inject().data(), view.phi().data() + rank);
  EXPECT_EQ(view.span().end(), view.up().data() + view.up().size());
}

/// A site with a fixed rank, so that it can be constructed like a block.
template <int N, class Element, int Rank>
struct OfRank : mhc::GatedResidual<N, Element> {
  using Base = mhc::GatedResidual<N, Element>;
  using Base::Base;
  struct Parameters : Base::Parameters {
    explicit Parameters(Index channels) : Base::Parameters(channels, Rank) {}
  };
  struct Saved : Base::Saved {
    explicit Saved(Index tokens) : Base::Saved(tokens, Rank) {}
  };
};

// Wrong arguments are rejected before anything is written.

class GatedErrors : public testing::Test {
 protected:
  static constexpr Index tokens = 4, channels = 10, rank = 6;
  using Site = OfRank<3, float, rank>;
  using Collapse = mhc::GatedCollapse<3>;

  GatedErrors()
      : problem(tokens, channels, 1),
        results(tokens, channels),
        untouched(tokens, channels),
        site(problem.parameters),
        in(problem.inputs()),
        out(results.outputs()) {}

  ~GatedErrors() override {
    if (mhc_test::exceptions) mhc_test::expect_same(results.outputs(), untouched.outputs());
  }

  void prepare() const { site.prepare(in.x, out.u, out.saved); }
  void finish() const { site.finish(in.x, in.v, out.saved, out.x_next); }
  void finish_backward() const {
    site.finish_backward(in.x, in.v, out.saved, in.dx_next, out.dv, out.dsaved);
  }
  void prepare_backward() const {
    site.prepare_backward(in.x, out.saved, in.dx_next, in.du, out.dsaved, out.dx, out.grads);
  }

  mhc_test::Problem<Site> problem;
  mhc_test::Results<Site> results;
  mhc_test::Results<Site> untouched;
  Site site;
  mhc_test::Inputs<Site> in;
  mhc_test::Outputs<Site> out;
};

TEST_F(GatedErrors, InvalidSizes) {
  using Parameters = mhc::GatedParameters<4>;
  EXPECT_REFUSED(Parameters(0, 3), "GatedParameters", "channels is 0", "at least 1");
  EXPECT_REFUSED(Parameters(5, 0), "rank is 0", "at least 1");
  EXPECT_REFUSED(Parameters(Index{1} << 40, Index{1} << 40), "does not fit");
  using Saved = mhc::GatedSaved<4>;
  EXPECT_REFUSED(Saved(-1, 3), "GatedSaved", "negative");
  EXPECT_REFUSED(Saved(5, 0), "rank is 0");
  EXPECT_REFUSED(Saved(Index{1} << 40, Index{1} << 40), "does not fit");
}

TEST_F(GatedErrors, InvalidSite) {
  const Site::ConstParametersView none, no_data(nullptr, 5, 3);
  const Collapse::ConstParametersView no_collapse;
  EXPECT_REFUSED(Site{none}, "GatedResidual", "0 channels");
  EXPECT_REFUSED(Site{no_data}, "no data");
  EXPECT_REFUSED(Site(problem.parameters, {-1.0}), "norm_eps", "-1");
  EXPECT_REFUSED(Collapse{no_collapse}, "GatedCollapse", "0 channels");
}

TEST_F(GatedErrors, WrongShapes) {
  in.x.channels = 9;
  EXPECT_REFUSED(prepare(), "GatedResidual::prepare", "x has 9 channels", "have 10");
  EXPECT_REFUSED(finish(), "GatedResidual::finish", "x has 9 channels");
  in = problem.inputs();
  in.x.streams = 2;
  EXPECT_REFUSED(prepare(), "x is 4 x 2 x 10", "expected 4 x 3 x 10");
  in = problem.inputs();
  in.x.data = nullptr;
  EXPECT_REFUSED(prepare(), "x has no data");
  in = problem.inputs();
  in.v.tokens = 3;
  EXPECT_REFUSED(finish(), "v is 3 x 10", "expected 4 x 10");
  EXPECT_REFUSED(finish_backward(), "GatedResidual::finish_backward", "v is 3 x 10");
  in = problem.inputs();
  in.du.channels = 8;
  EXPECT_REFUSED(prepare_backward(), "GatedResidual::prepare_backward", "du is 4 x 8");
  in = problem.inputs();
  in.dx_next.tokens = 5;
  EXPECT_REFUSED(finish_backward(), "dx_next is 5 x 3 x 10");
  EXPECT_REFUSED(prepare_backward(), "dx_next is 5 x 3 x 10");
  in = problem.inputs();
  out.u.channels = 11;
  EXPECT_REFUSED(prepare(), "u is 4 x 11");
  out.x_next.streams = 4;
  EXPECT_REFUSED(finish(), "x_next is 4 x 4 x 10");
  out.dv.tokens = 2;
  EXPECT_REFUSED(finish_backward(), "dv is 2 x 10");
  out.dx.channels = 1;
  EXPECT_REFUSED(prepare_backward(), "dx is 4 x 3 x 1");
}

TEST_F(GatedErrors, WrongSavedAndGrads) {
  out.saved.tokens = 3;
  EXPECT_REFUSED(prepare(), "saved has room for 3 tokens of rank 6", "expected 4 of rank 6");
  out.saved = results.saved;
  out.saved.rank = 7;
  EXPECT_REFUSED(prepare(), "saved", "of rank 7", "expected 4 of rank 6");
  EXPECT_REFUSED(finish(), "saved", "of rank 7");
  out.saved = results.saved;
  out.saved.data = nullptr;
  EXPECT_REFUSED(prepare(), "saved has no data");
  out.saved = results.saved;
  out.dsaved.rank = 5;
  EXPECT_REFUSED(finish_backward(), "dsaved", "of rank 5");
  EXPECT_REFUSED(prepare_backward(), "dsaved", "of rank 5");
  out.dsaved = results.saved;
  EXPECT_REFUSED(finish_backward(), "dsaved overlaps saved");
  EXPECT_REFUSED(prepare_backward(), "dsaved overlaps saved");
  out.dsaved = results.dsaved;
  out.grads.rank = 5;
  EXPECT_REFUSED(prepare_backward(), "grads has 10 channels and rank 5", "expected 10 and 6");
  out.grads = {};
  EXPECT_REFUSED(prepare_backward(), "grads", "no data");
  out.grads = problem.parameters;
  EXPECT_REFUSED(prepare_backward(), "grads overlaps the parameters");
}

TEST_F(GatedErrors, OverlappingMemory) {
  out.u.data = problem.x.data();
  EXPECT_REFUSED(prepare(), "u overlaps x");
  out.x_next.data = problem.x.data() + 1;
  EXPECT_REFUSED(finish(), "x_next partly overlaps x");
  out.x_next = results.outputs().x_next;
  out.x_next.token_stride = 1;
  EXPECT_REFUSED(finish(), "x_next is written, but its rows overlap");
  out.dv.data = problem.v.data();
  EXPECT_REFUSED(finish_backward(), "dv overlaps v");
  out.dx.data = problem.x.data();
  EXPECT_REFUSED(prepare_backward(), "dx overlaps x");
  out.dx.data = problem.dx_next.data() + 1;
  EXPECT_REFUSED(prepare_backward(), "dx partly overlaps dx_next");
}

}  // namespace

namespace mhc_test {

using GatedSites = testing::Types<OfRank<4, float, 77>, OfRank<3, mhc::bf16, 21>,
                                  OfRank<2, double, 37>, OfRank<1, float, 1>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Gated, BlockContract, GatedSites, BlockNames);

}  // namespace mhc_test
