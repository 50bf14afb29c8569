// SPDX-License-Identifier: MIT
// Tensors of other libraries as views: shapes, strides and errors.
#include <mhc/adapters/eigen_tensor.hpp>
#include <mhc/adapters/tensor.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "../support/refused.hpp"

namespace {

using Sizes = std::vector<std::int64_t>;

mhc::StreamView<float> streams(const Sizes& sizes, const Sizes& strides = {}) {
  static float data[1] = {};
  return mhc::stream_view(
      "f", "x", data,
      {static_cast<int>(sizes.size()), sizes.data(), strides.empty() ? nullptr : strides.data()});
}

mhc::TokenView<float> tokens(const Sizes& sizes, const Sizes& strides = {}) {
  static float data[1] = {};
  return mhc::token_view(
      "f", "u", data,
      {static_cast<int>(sizes.size()), sizes.data(), strides.empty() ? nullptr : strides.data()});
}

void expect_view(const mhc::StreamView<float>& view, const std::array<mhc::Index, 5>& expected) {
  EXPECT_EQ((std::array<mhc::Index, 5>{view.tokens, view.streams, view.channels, view.token_stride,
                                       view.stream_stride}),
            expected);
}

TEST(StreamView, ContiguousTensors) {
  expect_view(streams({7, 4, 5}), {7, 4, 5, 20, 5});
  expect_view(streams({2, 3, 4, 5}), {6, 4, 5, 20, 5});
  expect_view(streams({2, 3, 4, 5}, {60, 20, 5, 1}), {6, 4, 5, 20, 5});
}

TEST(StreamView, StridedTensors) {
  expect_view(streams({7, 4, 5}, {64, 8, 1}), {7, 4, 5, 64, 8});              // padded rows
  expect_view(streams({7, 4, 5}, {5, 35, 1}), {7, 4, 5, 5, 35});              // [n][T][C]
  expect_view(streams({2, 3, 4, 5}, {96, 32, 8, 1}), {6, 4, 5, 32, 8});       // both padded
  expect_view(streams({1, 3, 1, 4, 5}, {9, 20, 7, 5, 1}), {3, 4, 5, 20, 5});  // size 1: any stride
  expect_view(streams({6, 4, 5}, {0, 0, 1}), {6, 4, 5, 0, 0});                // expanded
  expect_view(streams({6, 4, 1}, {4, 1, 99}), {6, 4, 1, 4, 1});               // one channel
}

TEST(StreamView, EmptyTensors) {
  expect_view(streams({0, 4, 5}), {0, 4, 5, 0, 5});
  expect_view(streams({2, 0, 4, 5}, {1, 1, 5, 1}), {0, 4, 5, 0, 5});
}

TEST(StreamView, RejectsOtherShapes) {
  EXPECT_REFUSED(streams({4, 5}), "mhc::f: x has 2 dimensions, expected (..., streams, channels)");
  EXPECT_REFUSED(streams({7, 4, 5}, {40, 10, 2}),
                 "mhc::f: x has channels with a stride of 2 elements, expected 1");
  EXPECT_REFUSED(streams({7, 4, 5}, {0, 0, 0}), "x has channels with a stride of 0");
  EXPECT_REFUSED(streams({2, 3, 4, 5}, {20, 40, 5, 1}),
                 "mhc::f: x of sizes (2, 3, 4, 5) and strides (20, 40, 5, 1) has leading "
                 "dimensions that do not fold into one: pass it contiguous");
  EXPECT_REFUSED(streams({7, -4, 5}), "x has impossible sizes (7, -4, 5)");
  const auto huge = std::numeric_limits<std::int64_t>::max() / 2;
  EXPECT_REFUSED(streams({huge, 4, 5}), "x has impossible sizes (", ", 4, 5)");
  EXPECT_REFUSED(streams({huge, 0, 4, huge}), "x has impossible sizes");
}

TEST(StreamView, RejectsOverflowingStrides) {
  constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t most = largest / 16;
  for (const std::int64_t stride : {largest, least, most / 2, -(most / 2)}) {
    EXPECT_REFUSED(streams({4, 4, 5}, {stride, 5, 1}),
                   "mhc::f: x of sizes (4, 4, 5) has impossible strides (" +
                       std::to_string(stride) + ", 5, 1)");
  }
  // 1 (size 2) + 4 (channels) in addition to the longest stride.
  EXPECT_REFUSED(streams({2, 2, 5}, {most - 4, 1, 1}), "impossible strides");
  expect_view(streams({2, 2, 5}, {most - 5, 1, 1}), {2, 2, 5, most - 5, 1});
  expect_view(streams({2, 2, 5}, {-(most - 5), 1, 1}), {2, 2, 5, -(most - 5), 1});
  expect_view(streams({1, 2, 5}, {largest, 5, 1}), {1, 2, 5, 0, 5});  // size 1: any stride
  EXPECT_REFUSED(tokens({3, 5}, {least, 1}), "u of sizes (3, 5) has impossible strides");
}

TEST(TokenView, FoldsLeadingDimensions) {
  const auto view = tokens({2, 3, 5}, {24, 8, 1});
  EXPECT_EQ(view.tokens, 6);
  EXPECT_EQ(view.channels, 5);
  EXPECT_EQ(view.token_stride, 8);
  EXPECT_REFUSED(tokens({5}), "mhc::f: u has 1 dimensions, expected (..., channels)");
}

TEST(EigenTensor, ChannelsAreContiguousInBothOrders) {
  Eigen::Tensor<float, 3, Eigen::RowMajor> rows(7, 4, 5);
  Eigen::Tensor<float, 3> columns(5, 4, 7);
  for (const auto& view : {mhc::tensor_stream_view(rows), mhc::tensor_stream_view(columns)}) {
    expect_view(view, {7, 4, 5, 20, 5});
  }
  EXPECT_EQ(mhc::tensor_stream_view(rows).row(3, 2), &rows(3, 2, 0));
  EXPECT_EQ(mhc::tensor_stream_view(columns).row(3, 2), &columns(0, 2, 3));

  const Eigen::Tensor<float, 2, Eigen::RowMajor> u(7, 5);
  const mhc::TokenView<const float> view = mhc::tensor_token_view(u);
  EXPECT_EQ(view.row(6), &u(6, 0));
  EXPECT_EQ(view.channels, 5);
  std::vector<double> memory(35);
  Eigen::TensorMap<Eigen::Tensor<double, 2>> map(memory.data(), 5, 7);
  EXPECT_EQ(mhc::tensor_token_view(map).row(1), &memory[5]);
}

}  // namespace
