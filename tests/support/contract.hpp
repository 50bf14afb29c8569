// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <type_traits>
#include <vector>

#include "bits.hpp"
#include "executors.hpp"
#include "fill.hpp"
#include "site.hpp"

// The guarantees of block.hpp, bit for bit, for any Block or other site with the same calls: a
// typed suite that a test program instantiates for its list of blocks. The reference is contiguous
// memory, a serial executor and all tokens in one call.

namespace mhc_test {

using mhc::Index;

struct Size {
  Index tokens;
  Index channels;
};

inline std::vector<Size> some_sizes() {
  return {{1, 1}, {2, 3}, {7, 7}, {13, 64}, {17, 129}, {5, 141}, {9, 300}};
}

/// Lengths around the packs (4, 8), the chunks (128) and the tiles of tokens, and some beyond;
/// fewer of them for many streams.
template <class Block>
std::vector<Size> all_sizes() {
  if (Block::streams > 5) return some_sizes();
  std::vector<Size> sizes{{1, 1280}, {13, 1280}};
  for (const Index channels : {1, 3, 7, 64, 127, 128, 129, 141}) {
    for (const Index tokens : {0, 1, 2, 7, 13, 17, 33}) sizes.push_back({tokens, channels});
  }
  return sizes;
}

template <class Block>
class BlockContract : public testing::Test {
 public:
  /// Runs the four calls on `in` and `out` and compares all outputs.
  static void expect_equal_under(const Block& block, const Problem<Block>& problem,
                                 const Outputs<Block>& expected, const Executor& exec) {
    Results<Block> results(problem.x.tokens(), problem.x.channels());
    run(block, problem.inputs(), results.outputs(), exec);
    expect_same(results.outputs(), expected);
  }
};

TYPED_TEST_SUITE_P(BlockContract);

TYPED_TEST_P(BlockContract, ResultsDoNotDependOnTheExecutor) {
  std::uint64_t seed = 1;
  for (const auto [tokens, channels] : all_sizes<TypeParam>()) {
    SCOPED_TRACE(testing::Message() << tokens << " tokens, " << channels << " channels");
    const Problem<TypeParam> problem(tokens, channels, ++seed);
    const TypeParam block(problem.parameters);
    Results<TypeParam> expected(tokens, channels);
    run(block, problem.inputs(), expected.outputs(), serial());
    this->expect_equal_under(block, problem, expected.outputs(), random_ranges(seed));
    this->expect_equal_under(block, problem, expected.outputs(), random_ranges(seed + 1000));
    if (testing::Test::HasFailure()) return;
  }
}

TYPED_TEST_P(BlockContract, BatchCanBeSplitIntoSeveralCalls) {
  // One token at a time, and parts of random lengths; grads accumulate over the calls in order.
  std::uint64_t seed = 100;
  for (const auto [tokens, channels] : all_sizes<TypeParam>()) {
    SCOPED_TRACE(testing::Message() << tokens << " tokens, " << channels << " channels");
    const Problem<TypeParam> problem(tokens, channels, ++seed);
    const TypeParam block(problem.parameters);
    Results<TypeParam> expected(tokens, channels);
    run(block, problem.inputs(), expected.outputs(), serial());
    Random random(seed);
    for (const bool one_at_a_time : {true, false}) {
      Results<TypeParam> results(tokens, channels);
      for (Index begin = 0; begin < tokens;) {
        const Index end = one_at_a_time ? begin + 1 : random.integer(begin, tokens);
        run(block, problem.inputs().slice(begin, end), results.outputs().slice(begin, end),
            serial());
        begin = end;
      }
      expect_same(results.outputs(), expected.outputs());
    }
    if (testing::Test::HasFailure()) return;
  }
}

TYPED_TEST_P(BlockContract, ResultsDoNotDependOnTheThreads) {
  for (const auto [tokens, channels] : {Size{2, 64}, Size{17, 129}, Size{67, 33}}) {
    SCOPED_TRACE(testing::Message() << tokens << " tokens, " << channels << " channels");
    const Problem<TypeParam> problem(tokens, channels, 200);
    const TypeParam block(problem.parameters);
    Results<TypeParam> expected(tokens, channels);
    run(block, problem.inputs(), expected.outputs(), serial());
    for (int workers = 1; workers <= 4; ++workers) {
      SCOPED_TRACE(testing::Message() << workers << " threads");
      this->expect_equal_under(block, problem, expected.outputs(), threads(workers));
    }
  }
}

TYPED_TEST_P(BlockContract, RecomputedMappingsEqualTheSaved) {
  for (const auto [tokens, channels] : some_sizes()) {
    SCOPED_TRACE(testing::Message() << tokens << " tokens, " << channels << " channels");
    const Problem<TypeParam> problem(tokens, channels, 300);
    const TypeParam block(problem.parameters);
    Results<TypeParam> stored(tokens, channels);
    Results<TypeParam> recomputed(tokens, channels);
    const Executor ranges = random_ranges(7);
    block.prepare(problem.x, stored.u, stored.saved, ranges);
    block.prepare(problem.x, {}, recomputed.saved, ranges);
    EXPECT_TRUE(same_bits(stored.saved.view().records(), recomputed.saved.view().records()));
  }
}

TYPED_TEST_P(BlockContract, ZeroTokensWriteNothing) {
  const Problem<TypeParam> problem(0, 5, 400);
  const TypeParam block(problem.parameters);
  Results<TypeParam> untouched(0, 5);
  Results<TypeParam> results(0, 5);
  run(block, problem.inputs(), results.outputs(), serial());
  expect_same(results.outputs(), untouched.outputs());
  // Also with views that have no memory.
  Outputs<TypeParam> out;
  out.u = {nullptr, 0, 5};
  out.x_next = {nullptr, 0, TypeParam::streams, 5};
  out.dv = {nullptr, 0, 5};
  out.dx = {nullptr, 0, TypeParam::streams, 5};
  out.grads = results.grads.view();
  Inputs<TypeParam> in;
  in.x = {nullptr, 0, TypeParam::streams, 5};
  in.dx_next = {nullptr, 0, TypeParam::streams, 5};
  in.v = {nullptr, 0, 5};
  in.du = {nullptr, 0, 5};
  run(block, in, out, serial());
  expect_same(results.outputs(), untouched.outputs());
}

/// Streams in memory with gaps filled with NaN, which can be checked afterwards.
template <class Element>
class Padded {
 public:
  /// `token_stride` and `stream_stride` may be negative; `skew` elements precede the first.
  Padded(Index tokens, Index streams, Index channels, Index token_stride, Index stream_stride,
         Index skew)
      : memory_(static_cast<std::size_t>(skew +
                                         std::abs(token_stride) * std::max<Index>(tokens - 1, 0) +
                                         std::abs(stream_stride) * (streams - 1) + channels + 16),
                from_bits<Element>(nan_bits())) {
    Element* data = memory_.data() + skew;
    if (token_stride < 0 && tokens > 0) data -= token_stride * (tokens - 1);
    if (stream_stride < 0) data -= stream_stride * (streams - 1);
    view_ = {data, tokens, streams, channels, token_stride, stream_stride};
  }

  mhc::StreamView<Element> view() const { return view_; }
  mhc::TokenView<Element> rows() const { return view_.stream(0); }

  Padded& operator=(const mhc::StreamView<const Element>& from) {
    for (Index i = 0; i < from.streams; ++i) copy(from.stream(i), view_.stream(i));
    return *this;
  }
  Padded& operator=(const mhc::TokenView<const Element>& from) {
    copy(from, rows());
    return *this;
  }

  /// Checks that the gaps are unchanged.
  testing::AssertionResult gaps_are_untouched() const {
    std::vector<Element> gaps = memory_;
    const auto of_gaps = [&](Index t, Index i) {
      return gaps.data() + (view_.row(t, i) - memory_.data());
    };
    for (Index t = 0; t < view_.tokens; ++t) {
      for (Index i = 0; i < view_.streams; ++i) {
        std::fill_n(of_gaps(t, i), view_.channels, from_bits<Element>(nan_bits()));
      }
    }
    const std::vector<Element> expected(gaps.size(), from_bits<Element>(nan_bits()));
    return same_bits(gaps.data(), expected.data(), static_cast<Index>(gaps.size()));
  }

  static bits_t<Element> nan_bits() {  // quiet, with a payload
    constexpr auto exponent = exponent_bits<Element>();
    return static_cast<bits_t<Element>>(exponent | (exponent >> 1) | 5u);
  }

 private:
  static void copy(const mhc::TokenView<const Element>& from, const mhc::TokenView<Element>& to) {
    for (Index t = 0; t < from.tokens; ++t) std::copy_n(from.row(t), from.channels, to.row(t));
  }

  std::vector<Element> memory_;
  mhc::StreamView<Element> view_;
};

TYPED_TEST_P(BlockContract, ResultsDoNotDependOnStridesOrAlignment) {
  using Number = typename TypeParam::ElementType;
  constexpr Index n = TypeParam::streams;
  for (const Size& size : some_sizes()) {
    const Index tokens = size.tokens;
    const Index channels = size.channels;
    SCOPED_TRACE(testing::Message() << tokens << " tokens, " << channels << " channels");
    const Problem<TypeParam> problem(tokens, channels, 500);
    const TypeParam block(problem.parameters);
    Results<TypeParam> expected(tokens, channels);
    run(block, problem.inputs(), expected.outputs(), serial());

    const Index row = channels + 3;
    const Index reach = tokens * row + 5;
    struct Layout {
      const char* name;
      Index token_stride, stream_stride, skew;
      bool for_outputs;
    };
    for (const Layout& layout :
         {Layout{"[T][n][C], padded rows", n * row + 1, row, 1, true},
          Layout{"[n][T][C], padded rows", row, reach, 3, true},
          Layout{"[T][n][C], streams reversed", n * row, -row, 1, true},
          Layout{"[n][T][C], tokens and streams reversed", -row, -reach, 2, true}}) {
      SCOPED_TRACE(layout.name);
      const auto streams = [&] {
        return Padded<Number>(tokens, n, channels, layout.token_stride, layout.stream_stride,
                              layout.skew);
      };
      const auto rows = [&] {
        return Padded<Number>(tokens, 1, channels, layout.token_stride, 0, layout.skew);
      };
      auto x = streams(), dx_next = streams(), x_next = streams(), dx = streams();
      auto v = rows(), du = rows(), u = rows(), dv = rows();
      x = mhc::StreamView<const Number>(problem.x);
      dx_next = mhc::StreamView<const Number>(problem.dx_next);
      v = mhc::TokenView<const Number>(problem.v);
      du = mhc::TokenView<const Number>(problem.du);
      Results<TypeParam> results(tokens, channels);
      Outputs<TypeParam> out = results.outputs();
      out.u = u.rows();
      out.dv = dv.rows();
      out.x_next = x_next.view();
      out.dx = dx.view();
      run(block, {x.view(), dx_next.view(), v.rows(), du.rows()}, out, serial());
      expect_same(out, expected.outputs());
      for (const Padded<Number>* memory : {&x, &dx_next, &x_next, &dx, &v, &du, &u, &dv}) {
        EXPECT_TRUE(memory->gaps_are_untouched());
      }
    }
  }
}

TYPED_TEST_P(BlockContract, InputsMayHaveZeroStrides) {
  // Strides of zero: all tokens read the same streams, all streams the same row.
  using Number = typename TypeParam::ElementType;
  constexpr Index n = TypeParam::streams;
  constexpr Index tokens = 5;
  constexpr Index channels = 21;
  Problem<TypeParam> problem(tokens, channels, 600);
  for (Index t = 0; t < tokens; ++t) {
    std::copy_n(problem.v.data(), channels, problem.v.view().row(t));
    std::copy_n(problem.du.data(), channels, problem.du.view().row(t));
    for (Index i = 0; i < n; ++i) {
      std::copy_n(problem.x.data(), channels, problem.x.view().row(t, i));
      std::copy_n(problem.dx_next.view().row(0, i), channels, problem.dx_next.view().row(t, i));
    }
  }
  const TypeParam block(problem.parameters);
  Results<TypeParam> expected(tokens, channels);
  run(block, problem.inputs(), expected.outputs(), serial());

  Inputs<TypeParam> in = problem.inputs();
  in.x = mhc::StreamView<const Number>(problem.x.data(), tokens, n, channels, 0, 0);
  in.dx_next =
      mhc::StreamView<const Number>(problem.dx_next.data(), tokens, n, channels, 0, channels);
  in.v = mhc::TokenView<const Number>(problem.v.data(), tokens, channels, 0);
  in.du = mhc::TokenView<const Number>(problem.du.data(), tokens, channels, 0);
  Results<TypeParam> results(tokens, channels);
  run(block, in, results.outputs(), serial());
  expect_same(results.outputs(), expected.outputs());
}

TYPED_TEST_P(BlockContract, InPlaceEqualsOutOfPlace) {
  for (const auto [tokens, channels] : some_sizes()) {
    SCOPED_TRACE(testing::Message() << tokens << " tokens, " << channels << " channels");
    const Problem<TypeParam> problem(tokens, channels, 700);
    const TypeParam block(problem.parameters);
    Results<TypeParam> expected(tokens, channels);
    run(block, problem.inputs(), expected.outputs(), serial());

    const Executor exec = random_ranges(1);
    Results<TypeParam> results(tokens, channels);
    auto x = problem.x;
    block.prepare(x, results.u, results.saved, exec);
    block.finish(x, problem.v, results.saved, x, exec);
    EXPECT_TRUE(same_bits(x.view(), expected.x_next.view())) << "x_next in x";

    auto dx = problem.dx_next;
    block.finish_backward(problem.x, problem.v, results.saved, dx, results.dv, results.dsaved,
                          exec);
    block.prepare_backward(problem.x, results.saved, dx, problem.du, results.dsaved, dx,
                           results.grads, exec);
    EXPECT_TRUE(same_bits(dx.view(), expected.dx.view())) << "dx in dx_next";
    EXPECT_TRUE(same_bits(results.dv.view(), expected.dv.view()));
    EXPECT_TRUE(same_bits(results.grads.span().data, expected.grads.span().data,
                          expected.grads.span().size));
  }
}

TYPED_TEST_P(BlockContract, AbsentCotangentEqualsZero) {
  // Equal up to the sign of zeros, including the gradients of the parameters.
  using Number = typename TypeParam::ElementType;
  constexpr Index tokens = 5;
  constexpr Index channels = 37;
  Problem<TypeParam> problem(tokens, channels, 800);
  const TypeParam block(problem.parameters);
  const auto equal = [](const auto& a, const auto& b) {
    for (Index i = 0; i < a.size(); ++i) {
      if (!(a.data()[i] == b.data()[i])) return false;
    }
    return true;
  };
  for (const bool with_dx_next : {false, true}) {
    for (const bool with_du : {false, true}) {
      SCOPED_TRACE(testing::Message() << "dx_next " << with_dx_next << ", du " << with_du);
      Problem<TypeParam> zeroed = problem;
      if (!with_dx_next) std::fill_n(zeroed.dx_next.data(), zeroed.dx_next.size(), Number(0));
      if (!with_du) std::fill_n(zeroed.du.data(), zeroed.du.size(), Number(0));
      Results<TypeParam> expected(tokens, channels);
      run(block, zeroed.inputs(), expected.outputs(), serial());

      Inputs<TypeParam> in = problem.inputs();
      if (!with_dx_next) in.dx_next = {};
      if (!with_du) in.du = {};
      Results<TypeParam> results(tokens, channels);
      run(block, in, results.outputs(), serial());
      EXPECT_TRUE(equal(results.dv, expected.dv)) << "dv";
      EXPECT_TRUE(equal(results.dx, expected.dx)) << "dx";
      const auto grads = results.grads.span();
      for (Index i = 0; i < grads.size; ++i) {
        ASSERT_EQ(grads.data[i], expected.grads.span().data[i]) << "grads, number " << i;
      }
    }
  }
}

TYPED_TEST_P(BlockContract, NonFiniteValuesStayInTheirToken) {
#if defined(__FAST_MATH__)
  GTEST_SKIP() << "-ffast-math assumes that there is no NaN and no infinity";
#endif
  using Number = typename TypeParam::ElementType;
  constexpr Index tokens = 19;
  constexpr Index channels = 141;
  constexpr Index bad = 5;
  const Problem<TypeParam> clean(tokens, channels, 900);
  const TypeParam block(clean.parameters);
  Results<TypeParam> expected(tokens, channels);
  run(block, clean.inputs(), expected.outputs(), serial());

  const Number infinity = from_bits<Number>(exponent_bits<Number>());
  const Number nan = from_bits<Number>(Padded<Number>::nan_bits());
  for (const Number value : {nan, infinity, -infinity}) {
    for (const int where : {0, 1, 2, 3}) {
      SCOPED_TRACE(testing::Message() << static_cast<double>(value) << " in input " << where);
      Problem<TypeParam> problem = clean;
      const Index last = TypeParam::streams - 1;
      if (where == 0) problem.x.view().row(bad, last)[channels - 1] = value;
      if (where == 1) problem.dx_next.view().row(bad, 0)[3] = value;
      if (where == 2) problem.v.view().row(bad)[channels - 2] = value;
      if (where == 3) problem.du.view().row(bad)[0] = value;
      Results<TypeParam> results(tokens, channels);
      run(block, problem.inputs(), results.outputs(), serial());
      expect_same_activations(results.outputs().slice(0, bad), expected.outputs().slice(0, bad));
      expect_same_activations(results.outputs().slice(bad + 1, tokens),
                              expected.outputs().slice(bad + 1, tokens));
      // In the token itself the value must show.
      const auto of_token = results.outputs().slice(bad, bad + 1);
      const bool shown = !all_finite(of_token.x_next.data, TypeParam::streams * channels) ||
                         !all_finite(of_token.dx.data, TypeParam::streams * channels);
      EXPECT_TRUE(shown);
    }
  }
}

REGISTER_TYPED_TEST_SUITE_P(BlockContract, ResultsDoNotDependOnTheExecutor,
                            BatchCanBeSplitIntoSeveralCalls, ResultsDoNotDependOnTheThreads,
                            RecomputedMappingsEqualTheSaved, ZeroTokensWriteNothing,
                            ResultsDoNotDependOnStridesOrAlignment, InputsMayHaveZeroStrides,
                            InPlaceEqualsOutOfPlace, AbsentCotangentEqualsZero,
                            NonFiniteValuesStayInTheirToken);

/// Names of the instantiations: "N4_bf16_HyperConnections".
struct BlockNames {
  template <class Block>
  static std::string GetName(int) {
    using Element = typename Block::ElementType;
    using Options = typename Block::Options;
    std::string name = "n" + std::to_string(Block::streams);
    name += std::is_same_v<Element, double>      ? "_f64"
            : std::is_same_v<Element, float>     ? "_f32"
            : std::is_same_v<Element, mhc::bf16> ? "_bf16"
                                                 : "_f16";
    if (std::is_same_v<Options, mhc::HyperConnections::Options>) name += "_HyperConnections";
    if (std::is_same_v<Options, mhc::OrdinaryResidual::Options>) name += "_OrdinaryResidual";
    return name;
  }
};

}  // namespace mhc_test
