// SPDX-License-Identifier: MIT
// Expansion and collapse, the operations between them, and a site around a callable: each matches
// its formula, and its backward is tested with random cotangents.

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>
#include <Eigen/Core>

#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/complex_step.hpp"
#include "support/fill.hpp"
#include "support/kernel_instances.hpp"
#include "support/refused.hpp"
#include "support/site.hpp"

namespace {

using mhc::Index;
using mhc_test::Complex;
using mhc_test::complex_step;
using mhc_test::ComplexMatrix;
using mhc_test::ComplexRow;
using mhc_test::inner;
using mhc_test::relative_error;
using mhc_test::same_bits;

constexpr double tolerance = 1e-12;
constexpr Index tokens = 5;
constexpr Index channels = 11;

mhc::Streams<double> random_streams(Index streams, Index of_channels, std::uint64_t seed) {
  mhc_test::Random random(seed);
  mhc::Streams<double> x(tokens, streams, of_channels);
  mhc_test::fill(random, x.view());
  return x;
}

mhc::Tokens<double> random_tokens(Index of_channels, std::uint64_t seed) {
  mhc_test::Random random(seed);
  mhc::Tokens<double> h(tokens, of_channels);
  mhc_test::fill(random, h.view());
  return h;
}

/// The sum of a b. A linear map and its backward must satisfy <A h, dx> = <h, A^T dx>.
template <class A, class B>
double product(const A& a, const B& b) {
  double sum = 0;
  for (Index i = 0; i < a.size(); ++i) sum += a.data()[i] * b.data()[i];
  return sum;
}

TEST(Expand, RepeatMatchesTheFormulaAndItsTranspose) {
  for (const Index n : {1, 2, 3, 7, 16}) {
    const auto h = random_tokens(channels, 1);
    auto x = random_streams(n, channels, 2);
    mhc::expand_repeat(h, x);
    for (Index t = 0; t < tokens; ++t) {
      for (Index i = 0; i < n; ++i) EXPECT_EQ(x.token(t).row(i), h.token(t));
    }
    const auto dx = random_streams(n, channels, 3);
    auto dh = random_tokens(channels, 4);
    mhc::expand_repeat_backward(dx, dh);
    for (Index t = 0; t < tokens; ++t) {
      EXPECT_LE(relative_error(dh.token(t), dx.token(t).colwise().sum()), 1e-14);
    }
    EXPECT_NEAR(product(x, dx), product(h, dh), tolerance * 100);
  }
}

TEST(Expand, OneHotMatchesTheFormulaAndItsTranspose) {
  const Index n = 3;
  for (Index stream = 0; stream < n; ++stream) {
    const auto h = random_tokens(channels, 1);
    auto x = random_streams(n, channels, 2);
    mhc::expand_one_hot(h, x, stream);
    for (Index t = 0; t < tokens; ++t) {
      for (Index i = 0; i < n; ++i) {
        const Eigen::RowVectorXd expected = i == stream ? h.token(t).eval() : 0.0 * h.token(t);
        EXPECT_EQ(x.token(t).row(i), expected);
      }
    }
    const auto dx = random_streams(n, channels, 3);
    auto dh = random_tokens(channels, 4);
    mhc::expand_one_hot_backward(dx, dh, stream);
    EXPECT_EQ(dh.matrix(), dx.view().stream(stream).matrix());
  }
}

TEST(Collapse, MeanMatchesTheFormulaAndItsTranspose) {
  for (const Index n : {1, 2, 3, 7, 16}) {
    const auto x = random_streams(n, channels, 1);
    auto h = random_tokens(channels, 2);
    mhc::collapse_mean(x, h);
    for (Index t = 0; t < tokens; ++t) {
      EXPECT_LE(relative_error(h.token(t), x.token(t).colwise().mean()), 1e-14);
    }
    const auto dh = random_tokens(channels, 3);
    auto dx = random_streams(n, channels, 4);
    mhc::collapse_mean_backward(dh, dx);
    for (Index t = 0; t < tokens; ++t) {
      for (Index i = 0; i < n; ++i) {
        EXPECT_LE(relative_error(dx.token(t).row(i), dh.token(t) / static_cast<double>(n)), 1e-15);
      }
    }
    EXPECT_NEAR(product(h, dh), product(x, dx), tolerance * 100);
  }
}

TEST(Collapse, SumMatchesTheFormulaAndItsTranspose) {
  const auto x = random_streams(3, channels, 1);
  auto h = random_tokens(channels, 2);
  mhc::collapse_sum(x, h);
  for (Index t = 0; t < tokens; ++t) {
    EXPECT_LE(relative_error(h.token(t), x.token(t).colwise().sum()), 1e-14);
  }
  const auto dh = random_tokens(channels, 3);
  auto dx = random_streams(3, channels, 4);
  mhc::collapse_sum_backward(dh, dx);
  for (Index i = 0; i < 3; ++i) EXPECT_EQ(dx.view().stream(i).matrix(), dh.matrix());
}

TEST(Collapse, OfARepeatedTokenIsTheToken) {
  const auto h = random_tokens(channels, 1);
  mhc::Streams<double> x(tokens, 4, channels);
  mhc::Tokens<double> back(tokens, channels);
  mhc::expand_repeat(h, x);
  mhc::collapse_mean(x, back);
  EXPECT_EQ(back.matrix(), h.matrix());
}

TEST(Streams, DoNotDependOnTheSplitAndAcceptZeroTokens) {
  const auto x = random_streams(3, channels, 1);
  mhc::Tokens<double> whole(tokens, channels);
  mhc::Tokens<double> split(tokens, channels);
  mhc::collapse_mean(x, whole);
  mhc::collapse_mean(x, split, mhc_test::random_ranges(3));
  EXPECT_TRUE(same_bits(whole.view(), split.view()));
  mhc::Streams<double> of_whole(tokens, 3, channels);
  mhc::Streams<double> of_split(tokens, 3, channels);
  mhc::expand_repeat(whole, of_whole);
  mhc::expand_repeat(whole, of_split, mhc_test::threads(3));
  EXPECT_TRUE(same_bits(of_whole.view(), of_split.view()));

  mhc::Streams<double> none(0, 3, channels);
  mhc::Tokens<double> no_tokens(0, channels);
  mhc::expand_repeat(no_tokens, none);
  mhc::collapse_mean(none, no_tokens);
}

constexpr int n = 3;

TEST(Aggregate, MatchesTheReferenceAndItsGradient) {
  const auto x = random_streams(n, channels, 1);
  const auto pre = random_tokens(n, 2);
  auto u = random_tokens(channels, 3);
  mhc::aggregate<n>(x, pre, u);
  const auto du = random_tokens(channels, 4);
  auto dx = random_streams(n, channels, 5);
  auto dpre = random_tokens(n, 6);
  mhc::aggregate_backward<n>(x, pre, du, dx, dpre);
  for (Index t = 0; t < tokens; ++t) {
    EXPECT_LE(relative_error(u.token(t), pre.token(t) * x.token(t)), 1e-14);
    EXPECT_LE(relative_error(dpre.token(t), du.token(t) * x.token(t).transpose()), 1e-14);
    EXPECT_LE(relative_error(dx.token(t), pre.token(t).transpose() * du.token(t)), 1e-14);
  }
}

TEST(Merge, MatchesTheReferenceAndItsGradient) {
  const auto x = random_streams(n, channels, 1);
  const auto v = random_tokens(channels, 2);
  const auto post = random_tokens(n, 3);
  const auto res = random_streams(n, n, 4);
  auto x_next = random_streams(n, channels, 5);
  mhc::merge<n>(x, v, post, res, x_next);
  const auto dx_next = random_streams(n, channels, 6);
  auto dx = random_streams(n, channels, 7);
  auto dv = random_tokens(channels, 8);
  auto dpost = random_tokens(n, 9);
  auto dres = random_streams(n, n, 10);
  mhc::merge_backward<n>(mhc::MergeInputs<double>{x, v, post, res}, dx_next,
                         mhc::MergeGradients<double>{dx, dv, dpost, dres});
  for (Index t = 0; t < tokens; ++t) {
    EXPECT_LE(relative_error(x_next.token(t),
                             res.token(t) * x.token(t) + post.token(t).transpose() * v.token(t)),
              1e-14);
    EXPECT_LE(relative_error(dx.token(t), res.token(t).transpose() * dx_next.token(t)), 1e-14);
    EXPECT_LE(relative_error(dv.token(t), post.token(t) * dx_next.token(t)), 1e-14);
    EXPECT_LE(relative_error(dpost.token(t), v.token(t) * dx_next.token(t).transpose()), 1e-14);
    EXPECT_LE(relative_error(dres.token(t), dx_next.token(t) * x.token(t).transpose()), 1e-14);
  }
  // In place, forward and backward.
  auto same = x;
  mhc::merge<n>(same, v, post, res, same);
  EXPECT_TRUE(same_bits(same.view(), x_next.view()));
  auto dsame = dx_next;
  mhc::merge_backward<n>(mhc::MergeInputs<double>{x, v, post, res}, dsame,
                         mhc::MergeGradients<double>{dsame, dv, dpost, dres});
  EXPECT_TRUE(same_bits(dsame.view(), dx.view()));
}

// The learned collapse.

template <int N>
struct HeadCase {
  using Head = mhc::Head<N, double>;

  explicit HeadCase(const typename Head::Options& options_)
      : options(options_),
        parameters(channels),
        x(random_streams(N, channels, 1)),
        dh(random_tokens(channels, 2)),
        h(tokens, channels),
        dx(random_streams(N, channels, 3)),
        saved(tokens),
        dsaved(tokens),
        grads(channels) {
    mhc_test::Random random(4);
    mhc_test::fill(random, parameters.phi().data(), parameters.phi().size(), 0.3);
    mhc_test::fill(random, parameters.b().data(), N);
    parameters.alpha()(0) = 0.8;
  }

  void expect_gradients() {
    const Head head(parameters, options);
    head.forward(x, h, saved);
    head.backward(x, saved, dh, dsaved, dx, grads);

    mhc::reference::Parameters<Complex> variables{parameters.phi().template cast<Complex>(),
                                                  parameters.alpha().template cast<Complex>(),
                                                  parameters.b().template cast<Complex>()};
    std::vector<ComplexMatrix> streams;
    for (Index t = 0; t < tokens; ++t) {
      streams.push_back(x.token(t).template cast<Complex>());
    }
    const auto output = [&](Index t) -> ComplexRow {
      const ComplexMatrix& of_token = streams[static_cast<std::size_t>(t)];
      return mhc::reference::mappings<mhc::LearnedCollapse>(options, of_token, variables).pre *
             of_token;
    };
    const auto loss = [&] {
      Complex sum = 0;
      for (Index t = 0; t < tokens; ++t) sum += inner(output(t), dh.token(t));
      return sum;
    };
    for (Index t = 0; t < tokens; ++t) {
      EXPECT_LE(relative_error(h.token(t), output(t).real()), 1e-13) << "h";
      EXPECT_LE(
          relative_error(dx.token(t), complex_step(streams[static_cast<std::size_t>(t)], loss)),
          tolerance)
          << "dx, token " << t;
    }
    EXPECT_LE(relative_error(grads.phi(), complex_step(variables.phi, loss)), tolerance) << "dphi";
    EXPECT_LE(relative_error(grads.alpha(), complex_step(variables.alpha, loss)), tolerance)
        << "dalpha";
    EXPECT_LE(relative_error(grads.b(), complex_step(variables.b, loss)), tolerance) << "db";

    // Gradients accumulate: a second call doubles them.
    const Eigen::RowVectorXd once =
        Eigen::Map<Eigen::RowVectorXd>(grads.span().data, grads.span().size);
    head.backward(x, saved, dh, dsaved, dx, grads);
    EXPECT_LE(relative_error(Eigen::Map<Eigen::RowVectorXd>(grads.span().data, grads.span().size),
                             2 * once),
              1e-13);
  }

  typename Head::Options options;
  typename Head::Parameters parameters;
  mhc::Streams<double> x;
  mhc::Tokens<double> dh;
  mhc::Tokens<double> h;
  mhc::Streams<double> dx;
  typename Head::Saved saved;
  typename Head::Saved dsaved;
  typename Head::Parameters grads;
};

TEST(Head, GradientsMatchTheComplexStep) {
  HeadCase<1>({}).expect_gradients();
  HeadCase<3>({}).expect_gradients();
  HeadCase<4>(mhc::families::DeepSeekV4::head_options()).expect_gradients();
}

TEST(Head, DoesNotDependOnTheBatchOrTheSplit) {
  constexpr Index many = 37;
  constexpr Index wide = 141;
  using Of = mhc::Head<4, mhc::bf16>;
  mhc_test::Random random(5);
  Of::Parameters parameters(wide);
  mhc_test::fill(random, parameters.span().data, parameters.span().size, 0.1);
  mhc::Streams<mhc::bf16> x(many, 4, wide);
  mhc::Tokens<mhc::bf16> dh(many, wide);
  mhc_test::fill(random, x.view());
  mhc_test::fill(random, dh.view());
  const Of head(parameters);
  struct Result {
    mhc::Tokens<mhc::bf16> h = {many, wide};
    mhc::Streams<mhc::bf16> dx = {many, 4, wide};
    Of::Saved saved = Of::Saved(many);
    Of::Saved dsaved = Of::Saved(many);
    Of::Parameters grads = Of::Parameters(wide);
  };
  Result whole;
  const mhc_test::Executor exec = mhc_test::random_ranges(6);
  head.forward(x, whole.h, whole.saved, exec);
  head.backward(x, whole.saved, dh, whole.dsaved, whole.dx, whole.grads, exec);
  Result split;
  for (Index begin = 0; begin < many;) {
    const Index end = random.integer(begin + 1, many);
    const auto saved = split.saved.view().slice(begin, end);
    const mhc::StreamView<const mhc::bf16> part = x.view().slice(begin, end);
    head.forward(part, split.h.view().slice(begin, end), saved, exec);
    head.backward(part, saved, dh.view().slice(begin, end), split.dsaved.view().slice(begin, end),
                  split.dx.view().slice(begin, end), split.grads, exec);
    begin = end;
  }
  EXPECT_TRUE(same_bits(whole.h.view(), split.h.view()));
  EXPECT_TRUE(same_bits(whole.dx.view(), split.dx.view()));
  EXPECT_TRUE(same_bits(whole.grads.span().data, split.grads.span().data, whole.grads.span().size));
}

TEST(Head, AbsentCotangentGivesZeroGradient) {
  HeadCase<3> site({});
  const mhc::Head<3, double> head(site.parameters);
  head.forward(site.x, site.h, site.saved);
  head.backward(site.x, site.saved, {}, site.dsaved, site.dx, site.grads);
  for (Index i = 0; i < site.dx.size(); ++i) ASSERT_EQ(site.dx.data()[i], 0.0);
  for (const double gradient : site.grads.span()) ASSERT_EQ(gradient, 0.0);
}

// A site around a callable.

TEST(CallableSite, EqualsTheFourCalls) {
  using Block = mhc::Block<n, double>;
  const mhc_test::Problem<Block> problem(tokens, channels, 1);
  const Block block(problem.parameters);
  const auto sublayer = [](mhc::TokenView<const double> u, mhc::TokenView<double> v) {
    v.matrix() = (2.0 * u.matrix().array() + u.matrix().array().square()).matrix();
  };
  mhc::Activations<Block> kept(tokens, channels);
  const auto sublayer_backward = [&](mhc::TokenView<const double> dv, mhc::TokenView<double> du) {
    du.matrix() = (dv.matrix().array() * (2.0 + 2.0 * kept.u.matrix().array())).matrix();
  };
  mhc::Streams<double> x_next(tokens, n, channels);
  mhc::Streams<double> dx(tokens, n, channels);
  Block::Parameters grads(channels);
  block.forward(problem.x, sublayer, x_next, kept);
  block.backward(problem.x, problem.dx_next, sublayer_backward, kept, dx, grads);

  mhc::Tokens<double> u(tokens, channels);
  mhc::Tokens<double> v(tokens, channels);
  mhc::Tokens<double> du(tokens, channels);
  mhc::Tokens<double> dv(tokens, channels);
  mhc::Streams<double> expected(tokens, n, channels);
  mhc::Streams<double> dexpected(tokens, n, channels);
  Block::Saved saved(tokens);
  Block::Saved dsaved(tokens);
  Block::Parameters expected_grads(channels);
  block.prepare(problem.x, u, saved);
  sublayer(u, v);
  block.finish(problem.x, v, saved, expected);
  block.finish_backward(problem.x, v, saved, problem.dx_next, dv, dsaved);
  sublayer_backward(dv, du);
  block.prepare_backward(problem.x, saved, problem.dx_next, du, dsaved, dexpected, expected_grads);
  EXPECT_TRUE(same_bits(x_next.view(), expected.view()));
  EXPECT_TRUE(same_bits(dx.view(), dexpected.view()));
  EXPECT_TRUE(same_bits(grads.span().data, expected_grads.span().data, grads.span().size));

  // The short form, and both again with an executor.
  mhc::Streams<double> short_form(tokens, n, channels);
  block.forward(problem.x, sublayer, short_form);
  EXPECT_TRUE(same_bits(short_form.view(), expected.view()));
  Block::Parameters threaded_grads(channels);
  block.forward(problem.x, sublayer, x_next, kept, mhc_test::threads(2));
  block.backward(problem.x, problem.dx_next, sublayer_backward, kept, dx, threaded_grads,
                 mhc_test::threads(2));
  EXPECT_TRUE(same_bits(x_next.view(), expected.view()));
  EXPECT_TRUE(same_bits(dx.view(), dexpected.view()));
  EXPECT_TRUE(same_bits(threaded_grads.span().data, expected_grads.span().data, grads.span().size));
}

// Every function takes owners, their views and const views alike.

template <class X, class H>
void expect_entered(const X& x, const H& h) {
  mhc::Streams<double> expected = random_streams(3, channels, 1);
  mhc::Streams<double> streams = random_streams(3, channels, 2);
  mhc::expand_repeat(h, expected);
  mhc::expand_repeat(h, streams.view());
  EXPECT_TRUE(same_bits(expected.view(), streams.view()));
  mhc::Tokens<double> sum = random_tokens(channels, 3);
  mhc::Tokens<double> mean = random_tokens(channels, 3);
  mhc::collapse_sum(x, sum);
  mhc::collapse_mean(x, mean.view());
  EXPECT_LE(relative_error(sum.matrix(), (3.0 * mean.matrix()).eval()), 1e-15);
  mhc::Tokens<double> pre(tokens, 3);
  pre.matrix().setConstant(1.0);
  mhc::aggregate<3>(x, pre.view(), mean.view());
  EXPECT_LE(relative_error(sum.matrix(), mean.matrix()), 1e-15);
}

TEST(Arguments, AreOwnersOrViews) {
  mhc::Streams<double> x = random_streams(3, channels, 4);
  mhc::Tokens<double> h = random_tokens(channels, 5);
  const auto& const_x = x;
  const auto& const_h = h;
  expect_entered(x, h);
  expect_entered(const_x, const_h);
  expect_entered(x.view(), h.view());
  expect_entered(const_x.view(), const_h.view());
}

TEST(OwnedBlock, IsCopiedAndMovedWithItsParameters) {
  mhc::OwnedBlock<4, double> site(channels);
  mhc::initialize(site.parameters(), 1);
  const auto u_of = [](const mhc::OwnedBlock<4, double>& block) {
    const mhc::Streams<double> x = random_streams(4, channels, 1);
    mhc::Tokens<double> u(tokens, channels);
    mhc::Saved<4, double> saved(tokens);
    block.block().prepare(x, u, saved);
    return u;
  };
  const mhc::Tokens<double> expected = u_of(site);
  mhc::OwnedBlock<4, double> copy = site;
  mhc::initialize(site.parameters(), 2);  // the copy has its own
  EXPECT_FALSE(same_bits(u_of(site).view(), expected.view()));
  EXPECT_TRUE(same_bits(u_of(copy).view(), expected.view()));
  const mhc::OwnedBlock<4, double> moved = std::move(copy);
  EXPECT_TRUE(same_bits(u_of(moved).view(), expected.view()));
  mhc::ManifoldConstrained::Options wrong;
  wrong.residual.iterations = 0;
  EXPECT_REFUSED((mhc::OwnedBlock<4, double>(channels, wrong)), "mhc::Block: ", "iterations is 0");
}

}  // namespace
