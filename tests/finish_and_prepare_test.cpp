// SPDX-License-Identifier: MIT
// The fused call of consecutive sites gives the same bits as the two separate calls.

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
using mhc_test::same_bits;

/// Two consecutive sites and the results of the two separate calls.
template <class Site, class Next>
struct Neighbours {
  using Element = typename Site::ElementType;

  Neighbours(Index tokens_, Index channels_)
      : tokens(tokens_),
        channels(channels_),
        problem(tokens, channels, 1),
        next_problem(0, channels, 2),
        site(problem.parameters),
        next(next_problem.parameters),
        u(tokens, channels),
        saved(tokens),
        next_saved(tokens),
        x_next(tokens, Site::streams, channels),
        next_u(tokens, channels) {
    site.prepare(problem.x, u, saved);
    site.finish(problem.x, problem.v, saved, x_next);
    next.prepare(x_next, next_u, next_saved);
  }

  /// Runs the fused call with `exec` and compares.
  template <class Exec>
  void expect_same(Exec&& exec) const {
    mhc::Streams<Element> fused_x(tokens, Site::streams, channels);
    mhc::Tokens<Element> fused_u(tokens, channels);
    typename Next::Saved fused_saved(tokens);
    site.finish_and_prepare(problem.x, problem.v, saved, fused_x, next, fused_u, fused_saved, exec);
    EXPECT_TRUE(same_bits(fused_x.view(), x_next.view())) << "x_next";
    EXPECT_TRUE(same_bits(fused_u.view(), next_u.view())) << "u";
    EXPECT_TRUE(same_bits(fused_saved.view().records(), next_saved.view().records())) << "saved";
  }

  Index tokens;
  Index channels;
  mhc_test::Problem<Site> problem;
  mhc_test::Problem<Next> next_problem;
  Site site;
  Next next;
  mhc::Tokens<Element> u;
  typename Site::Saved saved;
  typename Next::Saved next_saved;
  mhc::Streams<Element> x_next;
  mhc::Tokens<Element> next_u;
};

template <class Site, class Next>
void expect_two_calls() {
  for (const Index tokens : {0, 1, 2, 4, 5, 31, 32, 33, 70}) {
    for (const Index channels : {1, 7, 129}) {
      SCOPED_TRACE(testing::Message() << tokens << " tokens, " << channels << " channels");
      const Neighbours<Site, Next> sites(tokens, channels);
      sites.expect_same(mhc::serial);
      sites.expect_same(mhc_test::random_ranges(3));
      sites.expect_same(mhc_test::threads(3));
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(FinishAndPrepare, EqualsTheTwoCalls) {
  expect_two_calls<mhc::Block<4>, mhc::Block<4>>();
}
TEST(FinishAndPrepare, EqualsTheTwoCallsInHalfPrecision) {
  expect_two_calls<mhc::Block<4, mhc::bf16>, mhc::Block<4, mhc::bf16>>();
}
TEST(FinishAndPrepare, NextSiteMayHaveAnotherConnection) {
  expect_two_calls<mhc::Block<2>, mhc::Block<2, float, mhc::HyperConnections>>();
  expect_two_calls<mhc::Block<2>, mhc::Block<2, float, mhc::OrdinaryResidual>>();
}

using Site = mhc::Block<4>;

TEST(FinishAndPrepare, WorksInPlace) {
  const Index tokens = 40;
  const Neighbours<Site, Site> sites(tokens, 65);
  mhc::Streams<float> x = sites.problem.x;
  mhc::Tokens<float> v = sites.problem.v;
  Site::Saved next_saved(tokens);
  sites.site.finish_and_prepare(x, v, sites.saved, x, sites.next, v, next_saved);
  EXPECT_TRUE(same_bits(x.view(), sites.x_next.view()));
  EXPECT_TRUE(same_bits(v.view(), sites.next_u.view()));
}

TEST(FinishAndPrepare, ComputesOnlyTheMappingsIfUIsAbsent) {
  const Neighbours<Site, Site> sites(40, 65);
  mhc::Streams<float> x_next(40, 4, 65);
  Site::Saved next_saved(40);
  sites.site.finish_and_prepare(sites.problem.x, sites.problem.v, sites.saved, x_next, sites.next,
                                {}, next_saved);
  EXPECT_TRUE(same_bits(next_saved.view().records(), sites.next_saved.view().records()));
}

TEST(FinishAndPrepare, RejectsOverlapsThatTilesWouldCorrupt) {
  Neighbours<Site, Site> sites(6, 10);
  const auto run = [&sites](mhc::TokenView<float> u, Site::SavedView next_saved) {
    sites.site.finish_and_prepare(sites.problem.x, sites.problem.v, sites.saved, sites.x_next,
                                  sites.next, u, next_saved);
  };
  EXPECT_REFUSED(run(sites.next_u.view(), sites.saved.view()),
                 "Block::finish_and_prepare: next_saved ", "overlaps saved");
  const mhc::TokenView<float> inside_x(sites.problem.x.view().data, 6, 10);
  EXPECT_REFUSED(run(inside_x, sites.next_saved.view()), "Block::finish_and_prepare: u ",
                 "overlaps x");
  mhc::Tokens<float> rows(7, 10);
  EXPECT_REFUSED(sites.site.finish_and_prepare(sites.problem.x, rows.view().slice(0, 6),
                                               sites.saved, sites.x_next, sites.next,
                                               rows.view().slice(1, 7), sites.next_saved),
                 "Block::finish_and_prepare: u partly overlaps v");
}

TEST(FewTokens, BitsDoNotDependOnTheSplitOfChannels) {
  for (Index tokens = 1; tokens <= 5; ++tokens) {
    for (const Index channels : {1, 127, 513, 2049}) {
      SCOPED_TRACE(testing::Message() << tokens << " tokens, " << channels << " channels");
      const mhc_test::Problem<Site> problem(tokens, channels, 5);
      const Site block(problem.parameters);
      mhc::Tokens<float> u(tokens, channels);
      Site::Saved saved(tokens);
      block.prepare(problem.x, u, saved);
      for (const Executor& exec : {mhc_test::serial(), mhc_test::random_ranges(1),
                                   mhc_test::random_ranges(2), mhc_test::threads(3)}) {
        mhc::Tokens<float> other_u(tokens, channels);
        Site::Saved other_saved(tokens);
        block.prepare(problem.x, other_u, other_saved, exec);
        EXPECT_TRUE(same_bits(other_u.view(), u.view()));
        EXPECT_TRUE(same_bits(other_saved.view().records(), saved.view().records()));
      }
    }
  }
}

}  // namespace
