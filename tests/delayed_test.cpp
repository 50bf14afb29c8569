// SPDX-License-Identifier: MIT
// Single-pass mHC: a site reads its streams with the pre of the previous site. Everything else
// equals the ordinary calls, bit for bit, for all batches, splits and numbers of threads. Its
// gradients are tested in families_test.cpp (DeepSeek-V4.1).

#include <gtest/gtest.h>

#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/executors.hpp"
#include "support/fill.hpp"
#include "support/refused.hpp"
#include "support/site.hpp"

namespace {

using mhc::Index;
using mhc_test::Executor;
using mhc_test::Problem;
using mhc_test::same_bits;

constexpr int n = 4;

template <class Element>
struct Delayed {
  using Block = mhc::Block<n, Element>;
  using Scalar = typename Block::Scalar;

  Delayed(Index tokens_, Index channels_)
      : tokens(tokens_),
        channels(channels_),
        problem(tokens, channels, 1),
        next_problem(0, channels, 2),
        site(problem.parameters, mhc::families::DeepSeekV41::options()),
        next(next_problem.parameters, mhc::families::DeepSeekV41::options()),
        pre(tokens, n),
        dpre(tokens, n) {
    mhc_test::Random random(3);
    mhc_test::fill(random, pre.view());
    mhc_test::fill(random, dpre.view());
  }

  Index tokens;
  Index channels;
  Problem<Block> problem;
  Problem<Block> next_problem;
  Block site;
  Block next;
  mhc::Tokens<Scalar> pre;
  mhc::Tokens<Scalar> dpre;
};

template <class Element>
void expect_forward(Index tokens, Index channels) {
  SCOPED_TRACE(testing::Message() << tokens << " tokens of " << channels);
  const Delayed<Element> at(tokens, channels);
  using Block = typename Delayed<Element>::Block;
  typename Block::Saved own(tokens);
  at.site.prepare(at.problem.x, {}, own);
  mhc::Tokens<Element> expected_u(tokens, channels);
  mhc::aggregate<n>(at.problem.x, at.pre, expected_u);

  for (const Executor& exec :
       {mhc_test::serial(), mhc_test::random_ranges(5), mhc_test::threads(3)}) {
    typename Block::Saved saved(tokens);
    mhc::Tokens<Element> u(tokens, channels);
    at.site.prepare_delayed(at.problem.x, at.pre, u, saved, exec);
    EXPECT_TRUE(same_bits(saved.view().records(), own.view().records()));
    EXPECT_TRUE(same_bits(u.view(), expected_u.view()));

    mhc::Streams<Element> x_next(tokens, n, channels);
    mhc::Tokens<Element> next_u(tokens, channels);
    typename Block::Saved next_saved(tokens);
    at.site.finish(at.problem.x, at.problem.v, saved, x_next);
    at.next.prepare_delayed(x_next, saved.pre(), next_u, next_saved);
    mhc::Streams<Element> fused_x(tokens, n, channels);
    mhc::Tokens<Element> fused_u(tokens, channels);
    typename Block::Saved fused_saved(tokens);
    at.site.finish_and_prepare_delayed(at.problem.x, at.problem.v, saved, fused_x, at.next, fused_u,
                                       fused_saved, exec);
    EXPECT_TRUE(same_bits(fused_x.view(), x_next.view()));
    EXPECT_TRUE(same_bits(fused_u.view(), next_u.view()));
    EXPECT_TRUE(same_bits(fused_saved.view().records(), next_saved.view().records()));
  }
}

TEST(Delayed, OnlyTheReadingUsesTheGivenPre) {
  for (const Index tokens : {0, 1, 3, 33}) expect_forward<float>(tokens, 67);
  for (const Index tokens : {1, 17}) expect_forward<mhc::bf16>(tokens, 141);
}

template <class Element>
struct Gradients {
  explicit Gradients(const Delayed<Element>& at)
      : dpre(at.dpre), dx(at.tokens, n, at.channels), dsaved(at.tokens), grads(at.channels) {}

  mhc::Tokens<typename Delayed<Element>::Scalar> dpre;
  mhc::Streams<Element> dx;
  typename Delayed<Element>::Block::Saved dsaved;
  typename Delayed<Element>::Block::Parameters grads;
};

template <class Element>
Gradients<Element> backward(const Delayed<Element>& at, Index begin, Index end,
                            const Executor& exec) {
  const Index count = end - begin;
  typename Delayed<Element>::Block::Saved saved(count);
  const auto in = at.problem.inputs().slice(begin, end);
  Gradients<Element> result(at);
  mhc::Tokens<Element> dv(count, at.channels);
  at.site.prepare_delayed(in.x, at.pre.view().slice(begin, end), {}, saved);
  at.site.finish_backward(in.x, in.v, saved, in.dx_next, dv,
                          result.dsaved.view().slice(begin, end));
  at.site.prepare_backward_delayed({in.x, at.pre.view().slice(begin, end), saved}, in.dx_next,
                                   in.du, result.dpre.view().slice(begin, end),
                                   result.dsaved.view().slice(begin, end),
                                   result.dx.view().slice(begin, end), result.grads, exec);
  return result;
}

TEST(Delayed, GradientsDoNotDependOnBatchSplitOrThreads) {
  const Delayed<float> at(37, 67);
  const auto whole = backward(at, 0, 37, mhc_test::serial());
  for (const Executor& exec : {mhc_test::random_ranges(7), mhc_test::threads(3)}) {
    const auto again = backward(at, 0, 37, exec);
    EXPECT_TRUE(same_bits(again.dpre.view(), whole.dpre.view()));
    EXPECT_TRUE(same_bits(again.dx.view(), whole.dx.view()));
    EXPECT_TRUE(
        same_bits(again.grads.span().data, whole.grads.span().data, whole.grads.span().size));
  }
  for (Index t = 0; t < 37; ++t) {
    const auto alone = backward(at, t, t + 1, mhc_test::serial());
    EXPECT_TRUE(same_bits(alone.dpre.view().slice(t, t + 1), whole.dpre.view().slice(t, t + 1)));
    EXPECT_TRUE(same_bits(alone.dx.view().slice(t, t + 1), whole.dx.view().slice(t, t + 1)));
  }
}

TEST(Delayed, GradientOfTheGivenPre) {
  // dpre_i = <du, x_i>, independent of the mappings.
  const Delayed<float> at(5, 67);
  const auto gradients = backward(at, 0, 5, mhc_test::serial());
  for (Index t = 0; t < 5; ++t) {
    const auto expected = at.problem.du.token(t) * at.problem.x.token(t).transpose();
    EXPECT_LE((gradients.dpre.token(t) - expected).cwiseAbs().maxCoeff(), 1e-5);
  }
}

TEST(Delayed, OneHotPreIsExactlyOneStream) {
  const Delayed<float> at(3, 5);
  for (Index stream = 0; stream < n; ++stream) {
    mhc::Tokens<float> u(3, 5);
    mhc::aggregate<n>(at.problem.x, mhc::one_hot_pre<n>(3, stream), u);
    for (Index t = 0; t < 3; ++t) {
      EXPECT_EQ((u.token(t) - at.problem.x.token(t).row(stream)).cwiseAbs().maxCoeff(), 0.0F);
    }
  }
  EXPECT_REFUSED(mhc::one_hot_pre<n>(3, 4), "mhc::one_hot_pre: ", "stream is 4", "0 to 3");
}

TEST(Delayed, WrongViewsAreRejected) {
  Delayed<float> at(3, 5);
  using Block = Delayed<float>::Block;
  Block::Saved saved(3);
  Block::Saved dsaved(3);
  Block::Parameters grads(5);
  mhc::Tokens<float> u(3, 5);
  mhc::Streams<float> dx(3, n, 5);
  const auto& p = at.problem;
  EXPECT_REFUSED(at.site.prepare_delayed(p.x, at.pre.view().slice(0, 2), u, saved),
                 "mhc::Block::prepare_delayed: ", "pre is 2 x 4", "expected 3 x 4");
  EXPECT_REFUSED(at.site.prepare_delayed(p.x, saved.pre(), u, saved),
                 "mhc::Block::prepare_delayed: ", "saved overlaps pre");
  EXPECT_REFUSED(at.site.prepare_backward_delayed({p.x, at.pre, saved}, p.dx_next, p.du, {}, dsaved,
                                                  dx, grads),
                 "mhc::Block::prepare_backward_delayed: ", "dpre has no data");
  EXPECT_REFUSED(at.site.prepare_backward_delayed({p.x, at.pre, saved}, p.dx_next, p.du, at.pre,
                                                  dsaved, dx, grads),
                 "mhc::Block::prepare_backward_delayed: ", "dpre overlaps pre");
  EXPECT_REFUSED(at.site.prepare_backward_delayed({p.x, dsaved.pre(), saved}, p.dx_next, p.du,
                                                  at.dpre, dsaved, dx, grads),
                 "mhc::Block::prepare_backward_delayed: ", "dsaved overlaps pre");
  const mhc::TokenView<float> in_grads(grads.span().data, 3, n);
  EXPECT_REFUSED(at.site.prepare_backward_delayed({p.x, at.pre, saved}, p.dx_next, p.du, in_grads,
                                                  dsaved, dx, grads),
                 "mhc::Block::prepare_backward_delayed: ", "grads overlaps dpre");
  EXPECT_REFUSED(at.site.finish_and_prepare_delayed(p.x, p.v, saved, dx, at.next, u, saved),
                 "mhc::Block::finish_and_prepare_delayed: ", "next_saved overlaps saved");
}

}  // namespace
