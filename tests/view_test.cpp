// SPDX-License-Identifier: MIT
// Views of streams: strides, Eigen's types, slices and owned memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#include <Eigen/Core>

#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/refused.hpp"

namespace {

using mhc::Index;
using mhc::StreamView;
using mhc::TokenView;

/// 0, 1, 2, ...: each value is its position.
std::vector<float> counting(std::size_t size) {
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<float>(i);
  return values;
}

TEST(StreamView, ContiguousIsTokensStreamsChannels) {
  auto memory = counting(2 * 3 * 4);
  const StreamView<float> x(memory.data(), 2, 3, 4);
  EXPECT_EQ(x.token_stride, 12);
  EXPECT_EQ(x.stream_stride, 4);
  EXPECT_EQ(x.row(1, 2)[3], 12 + 8 + 3);
  EXPECT_EQ(x.token(1)(2, 3), 12 + 8 + 3);
  EXPECT_EQ(x.token(1).rows(), 3);
  EXPECT_EQ(x.token(1).cols(), 4);
}

TEST(StreamView, StreamsMayBeOutermost) {
  auto memory = counting(3 * 2 * 4);
  const StreamView<float> x(memory.data(), 2, 3, 4, 4, 8);  // [n][T][C]
  EXPECT_EQ(x.row(1, 2)[3], 16 + 4 + 3);
  EXPECT_EQ(x.token(1)(2, 3), 16 + 4 + 3);
}

TEST(StreamView, RowsMayBePadded) {
  auto memory = counting(2 * 40);
  const StreamView<float> x(memory.data() + 1, 2, 3, 4, 40, 11);
  EXPECT_EQ(x.row(1, 2)[3], 1 + 40 + 22 + 3);
  EXPECT_EQ(x.token(1)(2, 3), 1 + 40 + 22 + 3);
}

TEST(StreamView, StridesMayBeNegativeOrZero) {
  auto memory = counting(2 * 3 * 4);
  const StreamView<const float> backwards(memory.data() + 20, 2, 3, 4, -12, -4);
  EXPECT_EQ(backwards.row(0, 0)[0], 20);
  EXPECT_EQ(backwards.row(1, 2)[0], 0);
  const StreamView<const float> repeated(memory.data(), 100, 3, 4, 0, 4);
  EXPECT_EQ(repeated.row(99, 2)[1], 9);
}

TEST(StreamView, TokenWritesThroughAndConstDoesNot) {
  auto memory = counting(2 * 3 * 4);
  const StreamView<float> x(memory.data(), 2, 3, 4);
  x.token(1)(2, 3) = -1;
  EXPECT_EQ(memory[23], -1);
  const StreamView<const float> read = x;
  static_assert(std::is_same_v<decltype(read.row(0, 0)), const float*>);
  static_assert(!std::is_assignable_v<decltype(read.token(0)(0, 0)), float>);
  static_assert(!std::is_convertible_v<StreamView<const float>, StreamView<float>>);
  static_assert(!std::is_convertible_v<TokenView<const float>, TokenView<float>>);
  static_assert(!std::is_convertible_v<StreamView<float>, StreamView<double>>);
  EXPECT_EQ(read.token(1)(2, 3), -1);
}

TEST(StreamView, SlicesAreTokens) {
  auto memory = counting(5 * 2 * 3);
  const StreamView<float> x(memory.data(), 5, 2, 3);
  const auto part = x.slice(2, 4);
  EXPECT_EQ(part.tokens, 2);
  EXPECT_EQ(part.row(0, 1)[2], x.row(2, 1)[2]);
  EXPECT_EQ(part.row(1, 0), x.row(3, 0));
  EXPECT_EQ(x.slice(5, 5).tokens, 0);
  EXPECT_FALSE(StreamView<float>().slice(0, 0));
}

TEST(StreamView, OneStreamIsATokenView) {
  auto memory = counting(5 * 2 * 3);
  const StreamView<float> x(memory.data(), 5, 2, 3);
  const TokenView<float> second = x.stream(1);
  EXPECT_EQ(second.tokens, 5);
  EXPECT_EQ(second.row(4), x.row(4, 1));
}

TEST(TokenView, MatrixAndTokens) {
  auto memory = counting(3 * 7);
  const TokenView<float> u(memory.data(), 3, 5, 7);
  EXPECT_EQ(u.matrix().rows(), 3);
  EXPECT_EQ(u.matrix().cols(), 5);
  EXPECT_EQ(u.matrix()(2, 4), 18);
  EXPECT_EQ(u.token(2)(4), 18);
  EXPECT_EQ(u.slice(1, 3).row(1), u.row(2));
  EXPECT_EQ(u.slice(1, 3).tokens, 2);
}

TEST(View, AbsentIsFalse) {
  EXPECT_FALSE(StreamView<float>());
  EXPECT_FALSE(TokenView<const mhc::bf16>());
  float value = 0;
  EXPECT_TRUE(TokenView<float>(&value, 1, 1));
}

// From Eigen.

TEST(TokenViewFromEigen, RowMajorIsTokensByChannels) {
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> matrix(3, 5);
  matrix.setRandom();
  const auto u = mhc::token_view(matrix);
  static_assert(std::is_same_v<decltype(u), const TokenView<float>>);
  EXPECT_EQ(u.tokens, 3);
  EXPECT_EQ(u.channels, 5);
  EXPECT_EQ(u.row(2)[4], matrix(2, 4));
}

TEST(TokenViewFromEigen, ColumnMajorIsChannelsByTokens) {
  Eigen::MatrixXd matrix(5, 3);
  matrix.setRandom();
  const auto u = mhc::token_view(matrix);
  static_assert(std::is_same_v<decltype(u), const TokenView<double>>);
  EXPECT_EQ(u.tokens, 3);
  EXPECT_EQ(u.channels, 5);
  EXPECT_EQ(u.row(2)[4], matrix(4, 2));
}

TEST(TokenViewFromEigen, ConstGivesConst) {
  const Eigen::MatrixXf matrix = Eigen::MatrixXf::Random(5, 3);
  const auto u = mhc::token_view(matrix);
  static_assert(std::is_same_v<decltype(u), const TokenView<const float>>);
  EXPECT_EQ(u.row(2)[4], matrix(4, 2));
}

TEST(TokenViewFromEigen, MapsKeepTheirStride) {
  auto memory = counting(30);
  Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, 0,
             Eigen::OuterStride<>>
      map(memory.data(), 3, 4, Eigen::OuterStride<>(10));
  const auto u = mhc::token_view(map);
  EXPECT_EQ(u.token_stride, 10);
  EXPECT_EQ(u.row(2)[3], 23);
  const Eigen::Map<const Eigen::MatrixXf> read(memory.data(), 5, 6);
  const auto columns = mhc::token_view(read);
  static_assert(std::is_same_v<decltype(columns), const TokenView<const float>>);
  EXPECT_EQ(columns.tokens, 6);
  EXPECT_EQ(columns.row(1)[0], 5);
}

TEST(TokenViewFromEigen, RefsAndBlocksKeepTheirStride) {
  Eigen::MatrixXf matrix = Eigen::MatrixXf::Random(8, 6);
  Eigen::Ref<Eigen::MatrixXf> ref = matrix.block(1, 2, 5, 3);
  const auto u = mhc::token_view(ref);
  EXPECT_EQ(u.tokens, 3);
  EXPECT_EQ(u.channels, 5);
  EXPECT_EQ(u.token_stride, 8);
  EXPECT_EQ(u.row(2)[4], matrix(5, 4));
  auto block = matrix.middleCols(1, 2);
  EXPECT_EQ(mhc::token_view(block).row(1), matrix.data() + 16);
}

TEST(TokenViewFromEigen, VectorIsOneToken) {
  Eigen::VectorXf column = Eigen::VectorXf::Random(5);
  Eigen::RowVectorXf row = Eigen::RowVectorXf::Random(5);
  for (const auto& u : {mhc::token_view(column), mhc::token_view(row)}) {
    EXPECT_EQ(u.tokens, 1);
    EXPECT_EQ(u.channels, 5);
  }
}

TEST(TokenViewFromEigen, SixteenBitElements) {
  Eigen::Matrix<mhc::bf16, Eigen::Dynamic, Eigen::Dynamic> matrix(5, 3);
  matrix.setConstant(mhc::bf16(1.5F));
  const auto u = mhc::token_view(matrix);
  static_assert(std::is_same_v<decltype(u), const TokenView<mhc::bf16>>);
  EXPECT_EQ(static_cast<float>(u.row(2)[4]), 1.5F);
}

TEST(StreamViewFromEigen, TokenIsItsConcatenatedStreams) {
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows(2, 12);
  rows.setRandom();
  const auto x = mhc::stream_view(rows, 3);
  EXPECT_EQ(x.tokens, 2);
  EXPECT_EQ(x.streams, 3);
  EXPECT_EQ(x.channels, 4);
  EXPECT_EQ(x.row(1, 2)[3], rows(1, 11));
  const Eigen::MatrixXf columns = rows.transpose();
  const auto y = mhc::stream_view(columns, 3);
  static_assert(std::is_same_v<decltype(y), const StreamView<const float>>);
  EXPECT_EQ(y.row(1, 2)[3], rows(1, 11));
}

TEST(StreamViewFromEigen, RejectsStreamsThatDoNotDivideAToken) {
  Eigen::MatrixXf columns(12, 2);
  EXPECT_REFUSED(mhc::stream_view(columns, 5), "mhc::stream_view", "12 elements", "5 streams");
  EXPECT_REFUSED(mhc::stream_view(columns, 0), "mhc::stream_view", "0 streams");
  EXPECT_REFUSED(mhc::stream_view(columns, -3), "mhc::stream_view", "-3 streams");
}

TEST(StreamViewFromEigen, SiteComputesTheSameFromEveryEigenType) {
  constexpr int n = 2;
  constexpr Index tokens = 5;
  constexpr Index channels = 9;
  mhc::Block<n>::Parameters parameters(channels);
  mhc::initialize(parameters, 1);
  const mhc::Block<n> block(parameters);
  Eigen::MatrixXf columns = Eigen::MatrixXf::Random(n * channels, tokens);
  const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows =
      columns.transpose();
  mhc::Streams<float> owned(tokens, n, channels);
  for (Index t = 0; t < tokens; ++t) {
    for (Index i = 0; i < n; ++i) {
      owned.token(t).row(i) = rows.row(t).segment(i * channels, channels);
    }
  }
  const auto input = [&](StreamView<const float> x) {
    mhc::Tokens<float> u(tokens, channels);
    mhc::Block<n>::Saved saved(tokens);
    block.prepare(x, u, saved);
    return u;
  };
  const auto expected = input(owned);
  EXPECT_TRUE(mhc_test::same_bits(input(mhc::stream_view(columns, n)).view(), expected.view()));
  EXPECT_TRUE(mhc_test::same_bits(input(mhc::stream_view(rows, n)).view(), expected.view()));
}

// Owned memory.

template <class Element>
class Owned : public testing::Test {};
using Elements = testing::Types<float, double, mhc::bf16, mhc::f16>;
struct Names {
  template <class Element>
  static std::string GetName(int) {
    return (std::is_floating_point_v<Element> ? "float" : "small") +
           std::to_string(8 * sizeof(Element)) + (std::is_same_v<Element, mhc::bf16> ? "b" : "");
  }
};
TYPED_TEST_SUITE(Owned, Elements, Names);

TYPED_TEST(Owned, IsAlignedAndZero) {
  for (const Index channels : {1, 3, 64, 1001}) {
    const mhc::Streams<TypeParam> x(3, 2, channels);
    const mhc::Tokens<TypeParam> u(3, channels);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(x.data()) % 64, 0u);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(u.data()) % 64, 0u);
    EXPECT_EQ(x.size(), 3 * 2 * channels);
    EXPECT_EQ(u.size(), 3 * channels);
    for (Index i = 0; i < x.size(); ++i) ASSERT_EQ(mhc_test::bits_of(x.data()[i]), 0u);
    for (Index i = 0; i < u.size(); ++i) ASSERT_EQ(mhc_test::bits_of(u.data()[i]), 0u);
  }
}

TYPED_TEST(Owned, CopiesAreDeepAndMovesKeepTheMemory) {
  mhc::Streams<TypeParam> x(2, 3, 4);
  x.token(1)(2, 3) = TypeParam(1.5F);
  auto copy = x;
  EXPECT_NE(copy.data(), x.data());
  EXPECT_TRUE(mhc_test::same_bits(copy.view(), x.view()));
  copy.token(0)(0, 0) = TypeParam(7.0F);
  EXPECT_EQ(static_cast<double>(x.token(0)(0, 0)), 0.0);
  const TypeParam* memory = copy.data();
  auto moved = std::move(copy);
  EXPECT_EQ(moved.data(), memory);
  EXPECT_EQ(moved.channels(), 4);
  x = moved;
  EXPECT_TRUE(mhc_test::same_bits(moved.view(), x.view()));
  x = std::move(moved);
  EXPECT_EQ(x.data(), memory);
  const auto& self = x;
  x = self;
  EXPECT_EQ(static_cast<double>(x.token(0)(0, 0)), 7.0);
}

TYPED_TEST(Owned, MovedFromObjectCanBeCopiedAndAssigned) {
  mhc::Streams<TypeParam> x(2, 3, 4);
  const auto taken = std::move(x);
  const auto copy = x;  // NOLINT(bugprone-use-after-move): that is the test
  EXPECT_EQ(copy.size(), 0);
  x = taken;
  EXPECT_TRUE(mhc_test::same_bits(x.view(), taken.view()));
}

TEST(Owned, DefaultIsEmpty) {
  const mhc::Streams<float> x;
  EXPECT_FALSE(x.view());
  EXPECT_EQ(x.size(), 0);
  const mhc::Streams<float> copy = x;
  EXPECT_EQ(copy.tokens(), 0);
}

TEST(Owned, RejectsInvalidSizes) {
  constexpr Index most = std::numeric_limits<Index>::max();
  EXPECT_REFUSED(mhc::Streams<float>(-1, 2, 3), "mhc::Streams", "-1", "negative");
  EXPECT_REFUSED(mhc::Streams<float>(1, -2, 3), "mhc::Streams", "-2", "negative");
  EXPECT_REFUSED(mhc::Streams<float>(1, 2, -3), "mhc::Streams", "-3", "negative");
  EXPECT_REFUSED(mhc::Tokens<float>(3, -4), "mhc::Tokens", "-4", "negative");
  EXPECT_REFUSED(mhc::Streams<float>(most, 2, 3), "mhc::Streams", "does not fit");
  EXPECT_REFUSED(mhc::Tokens<double>(most / 4, 1), "mhc::Tokens", "does not fit");
  EXPECT_REFUSED(mhc::Tokens<mhc::bf16>(Index{1} << 33, Index{1} << 33), "mhc::Tokens",
                 "does not fit");
  EXPECT_REFUSED(mhc::Block<4>::Saved(most / 100), "mhc::Saved", "does not fit");
  EXPECT_REFUSED(mhc::Block<4>::Saved(-1), "mhc::Saved", "-1", "negative");
  EXPECT_REFUSED(mhc::Block<4>::Parameters(0), "mhc::Parameters", "channels is 0", "at least 1");
  EXPECT_REFUSED(mhc::Block<4>::Parameters(-7), "mhc::Parameters", "channels is -7");
  EXPECT_REFUSED((mhc::Block<2, float, mhc::OrdinaryResidual>::Parameters(0)), "mhc::Parameters",
                 "channels is 0");
  volatile Index too_many = most / 2;  // g++ 12 warns about the constant
  EXPECT_REFUSED(const mhc::Block<4>::Parameters parameters(too_many), "mhc::Parameters",
                 "does not fit");
}

TEST(ParametersView, PartsAreContiguous) {
  auto memory = counting(2 * 3 * 8 + 3 + 8);
  const mhc::ParametersView<2, float> parameters(memory.data(), 3);
  EXPECT_EQ(parameters.span().size, static_cast<Index>(memory.size()));
  EXPECT_EQ(parameters.size(3), static_cast<Index>(memory.size()));
  EXPECT_EQ(parameters.phi().rows(), 6);
  EXPECT_EQ(parameters.phi().cols(), 8);
  EXPECT_EQ(parameters.phi()(4, 7), 39);
  EXPECT_EQ(parameters.alpha()(2), 50);
  EXPECT_EQ(parameters.b()(0), 51);
  EXPECT_EQ(parameters.b_pre()(1), 52);
  EXPECT_EQ(parameters.b_post()(1), 54);
  EXPECT_EQ(parameters.b_res()(1, 0), 57);
  EXPECT_EQ(parameters.b_res().size(), 4);
}

TEST(ParametersView, HyperConnectionsAndTheOrdinaryResidual) {
  const mhc::Parameters<4, float, mhc::HyperConnections> hc(16);
  EXPECT_EQ(hc.phi().rows(), 16);
  EXPECT_EQ(hc.phi().cols(), 6);
  EXPECT_EQ(hc.alpha().size(), 3);
  EXPECT_EQ(hc.b().size(), 24);
  EXPECT_EQ(hc.span().size, 16 * 6 + 3 + 24);
  const mhc::Parameters<4, float, mhc::OrdinaryResidual> plain(16);
  EXPECT_EQ(plain.span().size, 0);
  EXPECT_EQ(plain.phi().size() + plain.alpha().size() + plain.b().size(), 0);
  EXPECT_EQ(plain.b_pre().size() + plain.b_post().size() + plain.b_res().size(), 0);
  const mhc::Parameters<4, float, mhc::LearnedCollapse> head(16);
  EXPECT_EQ(head.phi().rows(), 64);
  EXPECT_EQ(head.phi().cols(), 4);
  EXPECT_EQ(head.span().size, 64 * 4 + 1 + 4);
  EXPECT_EQ(head.b_post().size() + head.b_res().size(), 0);
}

TEST(SavedView, OneRecordPerToken) {
  using View = mhc::SavedView<4, float>;
  static_assert(View::record == 73);
  auto memory = counting(2 * View::record);
  const View saved(memory.data(), 2);
  EXPECT_EQ(saved.inverse_rms().row(1)[0], 73);
  EXPECT_EQ(saved.raw().row(1)[0], 73 + 1);
  EXPECT_EQ(saved.logits().row(1)[0], 73 + 25);
  EXPECT_EQ(saved.pre().row(1)[0], 73 + 49);
  EXPECT_EQ(saved.post().row(1)[0], 73 + 53);
  EXPECT_EQ(saved.res().row(1, 2)[3], 73 + 57 + 11);
  EXPECT_EQ(saved.res().token(1)(2, 3), 73 + 57 + 11);
  EXPECT_EQ(saved.slice(1, 2).token(0), saved.token(1));
  EXPECT_EQ(saved.slice(1, 2).tokens, 1);
}

TEST(WithStreams, CallsTheListedValueAndRejectsOthers) {
  const auto twice = [](auto streams) { return 2 * streams(); };
  EXPECT_EQ((mhc::with_streams<1, 2, 4>(4, twice)), 8);
  EXPECT_EQ((mhc::with_streams<1, 2, 4>(1, twice)), 2);
  int called = 0;
  mhc::with_streams<3>(3, [&](auto streams) { called = streams; });
  EXPECT_EQ(called, 3);
  EXPECT_REFUSED((mhc::with_streams<1, 2, 4>(3, twice)), "mhc::with_streams", "is 3");
  EXPECT_REFUSED((mhc::with_streams<1, 2, 4>(-4, twice)), "mhc::with_streams", "is -4");
}

}  // namespace
