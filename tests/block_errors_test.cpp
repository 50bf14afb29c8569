// SPDX-License-Identifier: MIT
// Wrong arguments are rejected before anything is written, with a sentence that names the function,
// the argument, the actual and the expected value.

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include <mhc/diagnostics.hpp>
#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/fill.hpp"
#include "support/refused.hpp"
#include "support/site.hpp"

namespace {

using mhc::Index;
using mhc::StreamView;
using mhc::TokenView;
using mhc_test::Inputs;
using mhc_test::Outputs;
using mhc_test::Problem;
using mhc_test::Results;

constexpr int n = 3;
constexpr Index tokens = 4;
constexpr Index channels = 10;
[[maybe_unused]] constexpr double nan = std::numeric_limits<double>::quiet_NaN();
[[maybe_unused]] constexpr double infinity = std::numeric_limits<double>::infinity();

using Block = mhc::Block<n>;

/// A correct site. A test makes one argument wrong and checks that the call is rejected; the
/// destructor checks that nothing was written.
class BlockErrors : public testing::Test {
 protected:
  BlockErrors()
      : problem(tokens, channels, 1),
        results(tokens, channels),
        untouched(tokens, channels),
        block(problem.parameters),
        in(problem.inputs()),
        out(results.outputs()) {}

  ~BlockErrors() override {
    if (mhc_test::exceptions) {
      mhc_test::expect_same(results.outputs(), untouched.outputs());
    }
  }

  void prepare() const { block.prepare(in.x, out.u, out.saved); }
  void finish() const { block.finish(in.x, in.v, out.saved, out.x_next); }
  void finish_backward() const {
    block.finish_backward(in.x, in.v, out.saved, in.dx_next, out.dv, out.dsaved);
  }
  void prepare_backward() const {
    block.prepare_backward(in.x, out.saved, in.dx_next, in.du, out.dsaved, out.dx, out.grads);
  }

  Problem<Block> problem;
  Results<Block> results;
  Results<Block> untouched;
  Block block;
  Inputs<Block> in;
  Outputs<Block> out;
};

TEST_F(BlockErrors, WrongStreamsOfX) {
  mhc::Streams<float> two(tokens, 2, channels);
  in.x = two.view();
  EXPECT_REFUSED(prepare(), "mhc::Block::prepare: x ", "4 x 2 x 10", "expected 4 x 3 x 10");
  EXPECT_REFUSED(finish(), "mhc::Block::finish: x ", "4 x 2 x 10", "expected 4 x 3 x 10");
  EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: x ", "4 x 2 x 10",
                 "expected 4 x 3 x 10");
  EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: x ", "4 x 2 x 10",
                 "expected 4 x 3 x 10");
}

TEST_F(BlockErrors, WrongChannelsOfX) {
  mhc::Streams<float> wide(tokens, n, 11);
  in.x = wide.view();
  EXPECT_REFUSED(prepare(), "mhc::Block::prepare: x has 11 channels", "10");
  EXPECT_REFUSED(finish(), "mhc::Block::finish: x has 11 channels", "10");
  EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: x has 11 channels", "10");
  EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: x has 11 channels", "10");
  in.x = {problem.x.data(), tokens, n, 0};
  EXPECT_REFUSED(prepare(), "mhc::Block::prepare: x has 0 channels", "at least 1");
  in.x = {problem.x.data(), tokens, n, -10};
  EXPECT_REFUSED(prepare(), "mhc::Block::prepare: x has -10 channels", "at least 1");
}

TEST_F(BlockErrors, WrongTokensOfX) {
  in.x = {problem.x.data(), -1, n, channels};
  EXPECT_REFUSED(prepare(), "mhc::Block::prepare: x has -1 tokens");
  EXPECT_REFUSED(finish(), "mhc::Block::finish: x has -1 tokens");
  EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: x has -1 tokens");
  EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: x has -1 tokens");
}

TEST_F(BlockErrors, AbsentX) {
  in.x = {};
  EXPECT_REFUSED(prepare(), "mhc::Block::prepare: x ");
  EXPECT_REFUSED(finish(), "mhc::Block::finish: x ");
  in.x = {nullptr, tokens, n, channels};
  EXPECT_REFUSED(prepare(), "mhc::Block::prepare: x has no data (null pointer)");
  EXPECT_REFUSED(finish(), "mhc::Block::finish: x has no data (null pointer)");
  EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: x has no data (null pointer)");
  EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: x has no data (null pointer)");
}

TEST_F(BlockErrors, WrongShapesOfRows) {
  mhc::Tokens<float> longer(tokens + 1, channels);
  mhc::Tokens<float> narrow(tokens, channels - 1);
  for (const auto& rows : {longer.view(), narrow.view()}) {
    const auto good_in = in;
    const auto good_out = out;
    const char* came = rows.tokens == 5 ? "5 x 10" : "4 x 9";
    in.v = rows;
    EXPECT_REFUSED(finish(), "mhc::Block::finish: v is ", came, "expected 4 x 10");
    EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: v is ", came,
                   "expected 4 x 10");
    in = good_in;
    in.du = rows;
    EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: du is ", came,
                   "expected 4 x 10");
    in = good_in;
    out.u = rows;
    EXPECT_REFUSED(prepare(), "mhc::Block::prepare: u is ", came, "expected 4 x 10");
    out = good_out;
    out.dv = rows;
    EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: dv is ", came,
                   "expected 4 x 10");
    out = good_out;
  }
}

TEST_F(BlockErrors, WrongShapesOfStreams) {
  mhc::Streams<float> longer(tokens + 1, n, channels);
  mhc::Streams<float> more(tokens, n + 1, channels);
  mhc::Streams<float> narrow(tokens, n, channels - 1);
  for (const auto& streams : {longer.view(), more.view(), narrow.view()}) {
    const char* came = streams.tokens == 5    ? "5 x 3 x 10"
                       : streams.streams == 4 ? "4 x 4 x 10"
                                              : "4 x 3 x 9";
    const auto good_in = in;
    const auto good_out = out;
    in.dx_next = streams;
    EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: dx_next is ", came,
                   "expected 4 x 3 x 10");
    EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: dx_next is ", came,
                   "expected 4 x 3 x 10");
    in = good_in;
    out.x_next = streams;
    EXPECT_REFUSED(finish(), "mhc::Block::finish: x_next is ", came, "expected 4 x 3 x 10");
    out = good_out;
    out.dx = streams;
    EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: dx is ", came,
                   "expected 4 x 3 x 10");
    out = good_out;
  }
}

TEST_F(BlockErrors, NullPointers) {
  const auto good_in = in;
  const auto good_out = out;
  in.v = {nullptr, tokens, channels};
  EXPECT_REFUSED(finish(), "mhc::Block::finish: v has no data (null pointer)");
  EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: v has no data (null pointer)");
  in.v = {};
  EXPECT_REFUSED(finish(), "mhc::Block::finish: v is 0 x 0");
  in = good_in;
  out.x_next = {nullptr, tokens, n, channels};
  EXPECT_REFUSED(finish(), "mhc::Block::finish: x_next has no data (null pointer)");
  out = good_out;
  out.dv = {nullptr, tokens, channels};
  EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: dv has no data (null pointer)");
  out = good_out;
  out.dx = {nullptr, tokens, n, channels};
  EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: dx has no data (null pointer)");
  out.dx = {};
  EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: dx is 0 x 0 x 0");
  out = good_out;
  out.grads = {};
  EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: grads ", "expected 10");
  out.grads = {nullptr, channels};
  EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: grads ", "null pointer");
}

TEST_F(BlockErrors, WrongSizeOfSavedAndItsGradient) {
  Block::Saved other(tokens + 1);
  const auto good = out;
  for (const auto& bad : {other.view(), Block::SavedView()}) {
    out.saved = bad;
    EXPECT_REFUSED(prepare(), "mhc::Block::prepare: saved ", "expected 4");
    EXPECT_REFUSED(finish(), "mhc::Block::finish: saved ", "expected 4");
    EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: saved ", "expected 4");
    EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: saved ", "expected 4");
    out = good;
    out.dsaved = bad;
    EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: dsaved ", "expected 4");
    EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: dsaved ", "expected 4");
    out = good;
  }
}

TEST_F(BlockErrors, NullSavedIsReported) {
  out.saved = {nullptr, tokens};
  EXPECT_REFUSED(prepare(), "mhc::Block::prepare: saved ", "null pointer");
}

TEST_F(BlockErrors, WrongGradientsOfTheParameters) {
  Block::Parameters other(channels + 1);
  out.grads = other;
  EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: grads has 11 channels",
                 "expected 10");
  out.grads = problem.parameters;
  EXPECT_REFUSED(prepare_backward(),
                 "mhc::Block::prepare_backward: grads overlaps the parameters in memory");
  out.grads = {problem.parameters.span().data + 1, channels};
  EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: grads ", "parameters");
}

TEST_F(BlockErrors, OverlappingRowsOfOutputs) {
  std::vector<float> memory(1000);
  const auto good = out;
  for (const Index stride : {0, 9, -9, 1}) {
    out.u = {memory.data() + 100, tokens, channels, stride};
    EXPECT_REFUSED(prepare(), "mhc::Block::prepare: u ", "overlap",
                   "token stride " + std::to_string(stride), "10 channels");
    out.dv = out.u;
    EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: dv ", "overlap");
    out = good;
  }
  struct Strides {
    Index token, stream;
  };
  for (const Strides strides :
       {Strides{30, 0}, Strides{30, 9}, Strides{29, 10}, Strides{0, 10}, Strides{9, 40},
        Strides{10, 39}, Strides{-29, 10}, Strides{30, -9}, Strides{20, 15}}) {
    SCOPED_TRACE(testing::Message() << strides.token << ", " << strides.stream);
    const StreamView<float> bad(memory.data() + 300, tokens, n, channels, strides.token,
                                strides.stream);
    out.x_next = bad;
    EXPECT_REFUSED(finish(), "mhc::Block::finish: x_next ", "overlap",
                   "token stride " + std::to_string(strides.token),
                   "stream stride " + std::to_string(strides.stream));
    out.dx = bad;
    EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: dx ", "overlap");
    out = good;
  }
}

TEST_F(BlockErrors, OutputsOverlapInputs) {
  // The smallest overlap: the last element of one is the first of the other.
  std::vector<float> memory(1000, 0.5F);
  const StreamView<float> streams(memory.data(), tokens, n, channels);
  const TokenView<float> rows(memory.data(), tokens, channels);
  const auto touching = [&](Index size) { return memory.data() + size - 1; };
  const Index of_streams = tokens * n * channels;
  const Index of_rows = tokens * channels;
  const auto good_in = in;
  const auto good_out = out;

  in.x = streams;
  out.u = {touching(of_streams), tokens, channels};
  EXPECT_REFUSED(prepare(), "mhc::Block::prepare: u overlaps x in memory");
  out.dv = out.u;
  EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: dv overlaps x in memory");
  out.dx = {touching(of_streams), tokens, n, channels};
  EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: dx overlaps x in memory");
  out.dx = streams;  // nor the same view: the gradient of phi reads x after dx is written
  EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: dx overlaps x in memory");
  out.x_next = {touching(of_streams), tokens, n, channels};
  EXPECT_REFUSED(finish(), "mhc::Block::finish: x_next partly overlaps x in memory");
  out.x_next = {memory.data(), tokens, n, channels, channels, tokens * channels};
  EXPECT_REFUSED(finish(), "mhc::Block::finish: x_next partly overlaps x in memory");
  in = good_in;
  out = good_out;

  in.v = rows;
  out.x_next = {touching(of_rows), tokens, n, channels};
  EXPECT_REFUSED(finish(), "mhc::Block::finish: x_next overlaps v in memory");
  out.dv = rows;
  EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: dv overlaps v in memory");
  in = good_in;
  out = good_out;

  in.dx_next = streams;
  out.dv = {touching(of_streams), tokens, channels};
  EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: dv overlaps dx_next in memory");
  out.dx = {touching(of_streams), tokens, n, channels};
  EXPECT_REFUSED(prepare_backward(),
                 "mhc::Block::prepare_backward: dx partly overlaps dx_next in memory");
  in = good_in;
  out = good_out;

  in.du = rows;
  out.dx = {touching(of_rows), tokens, n, channels};
  EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: dx overlaps du in memory");
}

TEST_F(BlockErrors, OutputsOverlapSaved) {
  float* saved = results.saved.view().data;
  ASSERT_GE(Block::SavedView::size(tokens), tokens * channels);
  const auto good = out;
  out.u = {saved, tokens, channels};
  EXPECT_REFUSED(prepare(), "mhc::Block::prepare: ", "overlap");
  out = good;
  std::vector<float> memory(1000);
  out.saved = {memory.data(), tokens};
  out.x_next = {memory.data() + 10, tokens, n, channels};
  EXPECT_REFUSED(finish(), "mhc::Block::finish: x_next overlaps saved");
  out = good;
  out.dsaved = out.saved;
  EXPECT_REFUSED(finish_backward(), "mhc::Block::finish_backward: dsaved ", "saved");
  EXPECT_REFUSED(prepare_backward(), "mhc::Block::prepare_backward: dsaved ", "saved");
}

TEST(BlockAliasing, InterleavedViewsAreAccepted) {
  // One record per token holds x, x_next, u and v: the spans interleave, but nothing overlaps.
  constexpr Index record = 2 * n * channels + 2 * channels + 1;
  const Problem<Block> problem(tokens, channels, 2);
  const Block block(problem.parameters);
  Results<Block> expected(tokens, channels);
  mhc_test::run(block, problem.inputs(), expected.outputs());

  std::vector<float> memory(static_cast<std::size_t>(tokens * record));
  const StreamView<float> x(memory.data(), tokens, n, channels, record, channels);
  const StreamView<float> x_next(memory.data() + n * channels, tokens, n, channels, record,
                                 channels);
  const TokenView<float> u(memory.data() + 2 * n * channels, tokens, channels, record);
  const TokenView<float> v(memory.data() + (2 * n + 1) * channels, tokens, channels, record);
  for (Index t = 0; t < tokens; ++t) {
    x.token(t) = problem.x.token(t);
    v.token(t) = problem.v.token(t);
  }
  Block::Saved saved(tokens);
  block.prepare(x, u, saved);
  block.finish(x, v, saved, x_next);
  EXPECT_TRUE(mhc_test::same_bits(u, expected.u.view()));
  EXPECT_TRUE(mhc_test::same_bits(x_next, expected.x_next.view()));
}

TEST(BlockAliasing, AdjacentViewsAreAccepted) {
  const Problem<Block> problem(tokens, channels, 3);
  const Block block(problem.parameters);
  std::vector<float> memory(2 * tokens * n * channels);
  const StreamView<float> x(memory.data(), tokens, n, channels);
  const StreamView<float> x_next(memory.data() + tokens * n * channels, tokens, n, channels);
  Block::Saved saved(tokens);
  block.prepare(x, {}, saved);
  block.finish(x, problem.v, saved, x_next);
  block.finish(x_next, problem.v, saved, x);
}

TEST(BlockOptions, MustBeInRange) {
  const Block::Parameters parameters(channels);
  using Options = Block::Options;
  const auto with = [&](auto change) {
    return [&, change] {
      Options options;
      change(options);
      const Block block(parameters, options);
    };
  };
  EXPECT_REFUSED(with([](Options& o) { o.norm_eps = -1e-6; })(), "mhc::Block: ", "norm_eps",
                 "-1e-06", ">= 0");
  EXPECT_REFUSED(with([](Options& o) { o.residual.start_eps = -1; })(), "mhc::Block: ", "start_eps",
                 "-1", ">= 0");
  EXPECT_REFUSED(with([](Options& o) { o.residual.divisor_eps = -1; })(),
                 "mhc::Block: ", "divisor_eps", "-1", ">= 0");
  EXPECT_REFUSED(with([](Options& o) { o.residual.iterations = 0; })(),
                 "mhc::Block: ", "iterations", "is 0", "at least 1");
  EXPECT_REFUSED(with([](Options& o) { o.residual.iterations = -20; })(),
                 "mhc::Block: ", "iterations", "is -20", "at least 1");
  with([](Options& o) { o.residual.iterations = 1; })();
  with([](Options& o) { o.norm_eps = 0; })();
  with([](Options& o) { o.pre_eps = -0.5; })();
#if !defined(__FAST_MATH__)
  EXPECT_REFUSED(with([](Options& o) { o.norm_eps = nan; })(), "mhc::Block: ", "norm_eps", "nan");
  EXPECT_REFUSED(with([](Options& o) { o.norm_eps = infinity; })(), "mhc::Block: ", "norm_eps",
                 "inf");
  EXPECT_REFUSED(with([](Options& o) { o.pre_eps = nan; })(), "mhc::Block: ", "pre_eps", "nan");
  EXPECT_REFUSED(with([](Options& o) { o.post_eps = -infinity; })(), "mhc::Block: ", "post_eps",
                 "inf");
  EXPECT_REFUSED(with([](Options& o) { o.post_scale = nan; })(), "mhc::Block: ", "post_scale",
                 "nan");
  EXPECT_REFUSED(with([](Options& o) { o.residual.start_eps = nan; })(),
                 "mhc::Block: ", "start_eps", "nan");
  EXPECT_REFUSED(with([](Options& o) { o.residual.divisor_eps = infinity; })(),
                 "mhc::Block: ", "divisor_eps", "inf");
#endif
}

TEST(BlockOptions, MustBeInRangeForAllConnectionsAndTheHead) {
  const mhc::Parameters<n, float, mhc::HyperConnections> of_hc(channels);
  const mhc::Parameters<n, float, mhc::LearnedCollapse> of_head(channels);
  EXPECT_REFUSED((mhc::Block<n, float, mhc::HyperConnections>(of_hc, {-1.0})),
                 "mhc::Block: ", "norm_eps", "-1");
  EXPECT_REFUSED((mhc::Head<n>(of_head, {-1.0, 0.0})), "mhc::Head: ", "norm_eps", "-1");
#if !defined(__FAST_MATH__)
  EXPECT_REFUSED((mhc::Head<n>(of_head, {0.0, nan})), "mhc::Head: ", "pre_eps", "nan");
#endif
}

TEST(BlockParameters, NeedMemoryAndChannels) {
  float number = 0;
  EXPECT_REFUSED((Block{Block::ConstParametersView()}), "mhc::Block: parameters have 0 channels",
                 "at least 1");
  EXPECT_REFUSED((Block{Block::ConstParametersView(&number, -2)}),
                 "mhc::Block: parameters have -2 channels");
  EXPECT_REFUSED((Block{Block::ConstParametersView(nullptr, 4)}), "mhc::Block: parameters ",
                 "null pointer");
  // The ordinary residual has no parameters, but it has channels.
  using Plain = mhc::Block<n, float, mhc::OrdinaryResidual>;
  const Plain plain(Plain::ConstParametersView(nullptr, 4));
  EXPECT_EQ(plain.channels(), 4);
}

TEST(HeadErrors, RejectedCallWritesNothing) {
  using Head = mhc::Head<n>;
  Head::Parameters parameters(channels);
  Head::Parameters grads(channels);
  Head::Parameters wrong(channels + 1);
  const Head head(parameters);
  mhc::Streams<float> x(tokens, n, channels);
  mhc::Streams<float> dx(tokens, n, channels);
  mhc::Tokens<float> h(tokens, channels);
  mhc::Tokens<float> narrow(tokens, channels - 1);
  Head::Saved saved(tokens);
  Head::Saved dsaved(tokens);
  Head::Saved other(tokens + 1);
  EXPECT_REFUSED(head.forward(x, narrow, saved), "mhc::Head::forward: h", "4 x 9",
                 "expected 4 x 10");
  EXPECT_REFUSED(head.forward(x, h, other), "mhc::Head::forward: saved ", "5", "expected 4");
  EXPECT_REFUSED(head.backward(x, saved, narrow, dsaved, dx, grads),
                 "mhc::Head::backward: ", "4 x 9", "expected 4 x 10");
  EXPECT_REFUSED(head.backward(x, saved, h, other, dx, grads), "mhc::Head::backward: dsaved ", "5",
                 "expected 4");
  EXPECT_REFUSED(head.backward(x, saved, h, dsaved, x, grads),
                 "mhc::Head::backward: dx overlaps x in memory");

  const Index size = Head::SavedView::size(tokens);
  for (Index i = 0; i < size; ++i) dsaved.view().data[i] = 0.5F;
  EXPECT_REFUSED(head.backward(x, saved, h, dsaved, dx, wrong), "mhc::Head::backward: grads ", "11",
                 "expected 10");
  if (mhc_test::exceptions) {
    for (Index i = 0; i < size; ++i) ASSERT_EQ(dsaved.view().data[i], 0.5F) << "dsaved, " << i;
  }
}

TEST(HeadErrors, NameTheArgumentsOfTheHead) {
  using Head = mhc::Head<n>;
  Head::Parameters parameters(channels);
  const Head head(parameters);
  mhc::Streams<float> x(tokens, n, channels);
  mhc::Streams<float> dx(tokens, n, channels);
  mhc::Tokens<float> narrow(tokens, channels - 1);
  Head::Saved saved(tokens);
  Head::Saved dsaved(tokens);
  Head::Parameters grads(channels);
  EXPECT_REFUSED(head.forward(x, narrow, saved), "mhc::Head::forward: h is 4 x 9");
  EXPECT_REFUSED(head.backward(x, saved, narrow, dsaved, dx, grads),
                 "mhc::Head::backward: dh is 4 x 9");
}

TEST(ExecutorErrors, ExceptionIsPassedOnAndTheNextCallWorks) {
#if defined(__cpp_exceptions)
  const Problem<Block> problem(tokens, channels, 4);
  const Block block(problem.parameters);
  Results<Block> expected(tokens, channels);
  mhc_test::run(block, problem.inputs(), expected.outputs());

  for (int good_calls = 0; good_calls < 5; ++good_calls) {
    int calls = 0;
    const mhc_test::Executor failing = [&](Index count, Index, const mhc_test::Range& range) {
      if (calls++ == good_calls) {
        range(0, count / 2, 0);
        throw std::runtime_error("no thread");
      }
      range(0, count, 0);
    };
    Results<Block> results(tokens, channels);
    try {
      mhc_test::run(block, problem.inputs(), results.outputs(), failing);
      FAIL() << "the exception was swallowed";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "no thread");
    }
    Results<Block> again(tokens, channels);
    mhc_test::run(block, problem.inputs(), again.outputs());
    mhc_test::expect_same(again.outputs(), expected.outputs());
  }
#else
  GTEST_SKIP() << "this build has no exceptions";
#endif
}

// The operations.

TEST(OperationErrors, Aggregate) {
  mhc::Streams<float> x(tokens, n, channels);
  mhc::Tokens<float> pre(tokens, n);
  mhc::Tokens<float> u(tokens, channels);
  mhc::Tokens<float> wrong(tokens, n + 1);
  mhc::Streams<float> dx(tokens, n, channels);
  EXPECT_REFUSED((mhc::aggregate<2>(x, pre, u)), "mhc::aggregate: x is 4 x 3 x 10",
                 "expected 4 x 2 x 10");
  EXPECT_REFUSED((mhc::aggregate<n>(x, wrong, u)), "mhc::aggregate: pre is 4 x 4",
                 "expected 4 x 3");
  EXPECT_REFUSED((mhc::aggregate<n>(x, pre, wrong)), "mhc::aggregate: u is 4 x 4",
                 "expected 4 x 10");
  EXPECT_REFUSED((mhc::aggregate<n>(x, pre, x.view().stream(1))),
                 "mhc::aggregate: u overlaps x in memory");
  EXPECT_REFUSED((mhc::aggregate_backward<n>(x, pre, u, x, pre)),
                 "mhc::aggregate_backward: dx overlaps x in memory");
  EXPECT_REFUSED((mhc::aggregate_backward<n>(x, pre, u, dx, pre)),
                 "mhc::aggregate_backward: dpre overlaps pre in memory");
  EXPECT_REFUSED((mhc::aggregate_backward<n>(x, pre, u, dx, dx.view().stream(0))),
                 "mhc::aggregate_backward: dpre ");
}

TEST(OperationErrors, Merge) {
  mhc::Streams<float> x(tokens, n, channels);
  mhc::Streams<float> x_next(tokens, n, channels);
  mhc::Streams<float> dx(tokens, n, channels);
  mhc::Tokens<float> v(tokens, channels);
  mhc::Tokens<float> dv(tokens, channels);
  mhc::Tokens<float> post(tokens, n);
  mhc::Tokens<float> dpost(tokens, n);
  mhc::Streams<float> res(tokens, n, n);
  mhc::Streams<float> dres(tokens, n, n);
  EXPECT_REFUSED((mhc::merge<n>(x, post, post, res, x_next)), "mhc::merge: v is 4 x 3",
                 "expected 4 x 10");
  EXPECT_REFUSED((mhc::merge<n>(x, v, v, res, x_next)), "mhc::merge: post is 4 x 10",
                 "expected 4 x 3");
  EXPECT_REFUSED((mhc::merge<n>(x, v, post, x, x_next)), "mhc::merge: res is 4 x 3 x 10",
                 "expected 4 x 3 x 3");
  const StreamView<const float> transposed(res.data(), tokens, n, n, n * n, 1);
  EXPECT_REFUSED((mhc::merge<n>(x, v, post, transposed, x_next)), "mhc::merge: ", "res",
                 "stream stride 1", "expected 3");
  EXPECT_REFUSED((mhc::merge<n>(x, v, post, res, x.view().slice(0, 3))),
                 "mhc::merge: x_next is 3 x 3 x 10", "expected 4 x 3 x 10");
  const mhc::MergeInputs<float> in{x, v, post, res};
  EXPECT_REFUSED(
      (mhc::merge_backward<n>(in, x_next, mhc::MergeGradients<float>{x, dv, dpost, dres})),
      "mhc::merge_backward: dx overlaps x in memory");
  EXPECT_REFUSED(
      (mhc::merge_backward<n>(in, x_next, mhc::MergeGradients<float>{dx, v, dpost, dres})),
      "mhc::merge_backward: dv overlaps v in memory");
  EXPECT_REFUSED(
      (mhc::merge_backward<n>(in, x_next, mhc::MergeGradients<float>{dx, dv, post, dres})),
      "mhc::merge_backward: dpost overlaps post");
  EXPECT_REFUSED(
      (mhc::merge_backward<n>(in, x_next, mhc::MergeGradients<float>{dx, dv, dpost, res})),
      "mhc::merge_backward: dres overlaps res");
}

TEST(OperationErrors, SinkhornKnopp) {
  mhc::Streams<double> logits(tokens, n, n);
  mhc::Streams<double> res(tokens, n, n);
  mhc::Streams<double> wrong(tokens, n, n + 1);
  mhc::SinkhornKnoppOptions options;
  EXPECT_REFUSED((mhc::sinkhorn_knopp<n>(logits, options, wrong)),
                 "mhc::sinkhorn_knopp: res is 4 x 3 x 4", "expected 4 x 3 x 3");
  EXPECT_REFUSED((mhc::sinkhorn_knopp<n>(wrong, options, res)),
                 "mhc::sinkhorn_knopp: logits is 4 x 3 x 4", "expected 4 x 3 x 3");
  EXPECT_REFUSED((mhc::sinkhorn_knopp<n>(logits, options,
                                         StreamView<double>(logits.data() + 1, tokens - 1, n, n))),
                 "mhc::sinkhorn_knopp: res is 3 x 3 x 3");
  EXPECT_REFUSED((mhc::sinkhorn_knopp_backward<n>(logits, options, res, logits)),
                 "mhc::sinkhorn_knopp_backward: dlogits overlaps logits");
  EXPECT_REFUSED((mhc::sinkhorn_knopp_backward<n>(logits, options, wrong, res)),
                 "mhc::sinkhorn_knopp_backward: dres is 4 x 3 x 4");
  EXPECT_REFUSED(
      (mhc::sinkhorn_knopp<n>({nullptr, -1, n, n}, options, StreamView<double>(nullptr, -1, n, n))),
      "mhc::sinkhorn_knopp: logits ", "-1");
  options.iterations = 0;
  EXPECT_REFUSED((mhc::sinkhorn_knopp<n>(logits, options, res)),
                 "mhc::sinkhorn_knopp: ", "iterations is 0", "at least 1");
  EXPECT_REFUSED((mhc::sinkhorn_knopp_backward<n>(logits, options, res, res)),
                 "mhc::sinkhorn_knopp_backward: ", "iterations is 0", "at least 1");
  EXPECT_REFUSED(mhc::reference::sinkhorn_knopp(mhc::reference::Matrix<double>(2, 2), options),
                 "sinkhorn_knopp: ", "iterations is 0", "at least 1");
}

TEST(OperationErrors, ExpandAndCollapse) {
  mhc::Streams<float> x(tokens, n, channels);
  mhc::Streams<float> none(tokens, 0, channels);
  mhc::Tokens<float> h(tokens, channels);
  mhc::Tokens<float> narrow(tokens, channels - 1);
  EXPECT_REFUSED(mhc::expand_repeat(narrow, x), "mhc::expand_repeat: h is 4 x 9",
                 "expected 4 x 10");
  EXPECT_REFUSED(mhc::expand_repeat_backward(x, narrow), "mhc::expand_repeat_backward: dh is 4 x 9",
                 "expected 4 x 10");
  EXPECT_REFUSED(mhc::expand_repeat(x.view().stream(2), x),
                 "mhc::expand_repeat: x overlaps h in memory");
  EXPECT_REFUSED(mhc::expand_one_hot(h, x, 3), "mhc::expand_one_hot: stream is 3",
                 "expected 0 to 2");
  EXPECT_REFUSED(mhc::expand_one_hot_backward(x, h, -1),
                 "mhc::expand_one_hot_backward: stream is -1", "expected 0 to 2");
  EXPECT_REFUSED(mhc::collapse_mean(none, h), "mhc::collapse_mean: x has 0 streams", "at least 1");
  EXPECT_REFUSED(mhc::collapse_mean(x, narrow), "mhc::collapse_mean: h is 4 x 9");
  EXPECT_REFUSED(mhc::collapse_sum(x, narrow), "mhc::collapse_sum: h is 4 x 9");
  EXPECT_REFUSED(mhc::collapse_mean_backward(narrow, x),
                 "mhc::collapse_mean_backward: dh is 4 x 9");
  EXPECT_REFUSED(mhc::collapse_sum_backward(narrow, x), "mhc::collapse_sum_backward: dh is 4 x 9");
  const StreamView<float> overlapping(x.data(), tokens, n, channels, n * channels, 1);
  EXPECT_REFUSED(mhc::expand_repeat(h, overlapping), "mhc::expand_repeat: x ", "overlap");
}

TEST(OperationErrors, Diagnostics) {
  mhc::Streams<float> wrong(tokens, n, n + 1);
  EXPECT_REFUSED(mhc::gains(wrong.view()), "mhc::gains: res is 4 x 3 x 4", "expected 4 x 3 x 3");
  mhc::CompositeMapping composite(tokens, n);
  mhc::Streams<float> longer(tokens + 1, n, n);
  EXPECT_REFUSED(composite.apply(longer.view()), "mhc::CompositeMapping::apply: res is 5 x 3 x 3",
                 "expected 4 x 3 x 3");
}

TEST(OperationErrors, Initialization) {
  Block::Parameters parameters(channels);
  mhc::Parameters<n, float, mhc::HyperConnections> of_hc(channels);
  mhc::HomeStreamOptions home;
  home.stream = 3;
  EXPECT_REFUSED(mhc::initialize_one_hot(parameters, 1, home),
                 "mhc::initialize_one_hot: ", "stream is 3", "expected 0 to 2");
  home.stream = -1;
  EXPECT_REFUSED(mhc::initialize_paper(parameters, 1, home),
                 "mhc::initialize_paper: ", "stream is -1", "expected 0 to 2");
  mhc::InitializationOptions<mhc::HyperConnections> options;
  options.stream = 7;
  EXPECT_REFUSED(mhc::initialize(of_hc, 1, options), "mhc::initialize: ", "stream is 7",
                 "expected 0 to 2");
}

TEST(OperationErrors, StoredLayout) {
  Block::Parameters parameters(channels);
  std::vector<float> memory(1000);
  float* some = memory.data();
  float* none = nullptr;
  const auto layout = mhc::families::DeepSeekV4::layout();
  const auto view = parameters.view();
  EXPECT_REFUSED(mhc::load_stored(layout, none, some, some, view), "mhc::load_stored: phi ",
                 "null pointer");
  EXPECT_REFUSED(mhc::load_stored(layout, some, none, some, view), "mhc::load_stored: alpha ",
                 "null pointer");
  EXPECT_REFUSED(mhc::load_stored(layout, some, some, none, view), "mhc::load_stored: b ",
                 "null pointer");
  EXPECT_REFUSED(mhc::load_stored(layout, some, some, some, Block::ParametersView()),
                 "mhc::load_stored: parameters have 0 channels");
  EXPECT_REFUSED(mhc::save_stored(layout, view, none, some, some), "mhc::save_stored: phi ",
                 "null pointer");
}

}  // namespace
