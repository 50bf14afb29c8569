// SPDX-License-Identifier: MIT
// What cuda::Block does before it reaches a GPU: sizes and refusals. Needs none.

#include <gtest/gtest.h>

#include <string>

#include <mhc/cuda.hpp>

namespace {

using Block = mhc::cuda::Block<4, mhc::bf16>;

/// Addresses far apart that nobody follows.
template <class T>
T* address(std::uintptr_t number) {
  return reinterpret_cast<T*>(number << 40);
}

template <class Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "not refused";
}

struct CudaHost : ::testing::Test {
  Block block{Block::ConstParametersView(address<float>(1), 256)};
  mhc::StreamView<const mhc::bf16> x{address<mhc::bf16>(2), 8, 4, 256};
  mhc::StreamView<mhc::bf16> x_next{address<mhc::bf16>(3), 8, 4, 256};
  mhc::TokenView<mhc::bf16> u{address<mhc::bf16>(4), 8, 256};
  mhc::TokenView<mhc::bf16> v{address<mhc::bf16>(5), 8, 256};
  Block::SavedView saved{address<float>(6), 8};
  mhc::cuda::Workspace workspace{address<float>(7), 8 * 25 * 4};
};

TEST_F(CudaHost, WorkspaceHasTheSumsOfEachPart) {
  EXPECT_EQ(block.workspace_bytes(0), 0u);
  EXPECT_EQ(block.workspace_bytes(8), 8u * 25 * 4);
  EXPECT_EQ(Block({address<float>(1), 4096}).workspace_bytes(3), 3u * 16 * 25 * 4);
  EXPECT_EQ(Block({address<float>(1), 257}).workspace_bytes(1), 2u * 25 * 4);
  using PerStream = mhc::cuda::Block<4, double, mhc::HyperConnections>;
  EXPECT_EQ(PerStream({address<double>(1), 256}).workspace_bytes(2), 2u * 4 * 7 * 8);
  using Ordinary = mhc::cuda::Block<4, float, mhc::OrdinaryResidual>;
  EXPECT_EQ(Ordinary({nullptr, 256}).workspace_bytes(1000), 0u);
}

TEST_F(CudaHost, NoTokensNeedNoGpu) {
  const auto none = x.slice(0, 0);
  const auto no_u = u.slice(0, 0);
  const auto no_v = v.slice(0, 0);
  block.prepare(none, no_u, saved.slice(0, 0), {}, nullptr);
  block.finish(none, no_v, saved.slice(0, 0), x_next.slice(0, 0), nullptr);
}

TEST_F(CudaHost, RefusesASmallWorkspace) {
  workspace.bytes -= 1;
  EXPECT_EQ(refusal([&] { block.prepare(x, u, saved, workspace, nullptr); }),
            "mhc::cuda::Block::prepare: workspace has 799 bytes, expected at least 800");
  EXPECT_EQ(refusal([&] { block.prepare(x, u, saved, {}, nullptr); }),
            "mhc::cuda::Block::prepare: workspace has 0 bytes, expected at least 800");
  workspace = {address<char>(7) + 2, 800};
  EXPECT_EQ(refusal([&] { block.prepare(x, u, saved, workspace, nullptr); }),
            "mhc::cuda::Block::prepare: workspace is not aligned to 4 bytes");
}

TEST_F(CudaHost, RefusesWrongShapes) {
  const mhc::StreamView<const mhc::bf16> narrow(x.data, 8, 4, 255);
  EXPECT_EQ(refusal([&] { block.prepare(narrow, u, saved, workspace, nullptr); }),
            "mhc::cuda::Block::prepare: x has 255 channels, the parameters have 256");
  EXPECT_EQ(refusal([&] { block.finish(x, v, saved.slice(0, 7), x_next, nullptr); }),
            "mhc::cuda::Block::finish: saved has room for 7 tokens, expected 8");
  EXPECT_EQ(refusal([&] { block.finish(x, v.slice(0, 7), saved, x_next, nullptr); }),
            "mhc::cuda::Block::finish: v is 7 x 256 (tokens x channels), expected 8 x 256");
}

TEST_F(CudaHost, RefusesOverlappingMemory) {
  const mhc::TokenView<mhc::bf16> inside(const_cast<mhc::bf16*>(x.data) + 64, 8, 256);
  EXPECT_NE(refusal([&] { block.prepare(x, inside, saved, workspace, nullptr); }), "not refused");
  const mhc::StreamView<mhc::bf16> shifted(const_cast<mhc::bf16*>(x.data) + 64, 8, 4, 256);
  EXPECT_NE(refusal([&] { block.finish(x, v, saved, shifted, nullptr); }), "not refused");
  workspace.data = saved.data;
  EXPECT_NE(refusal([&] { block.prepare(x, u, saved, workspace, nullptr); }), "not refused");
}

TEST_F(CudaHost, RefusesAWorkspaceInWhatOtherArgumentsHave) {
  const auto names_workspace = [](const std::string& sentence) {
    return sentence.find("workspace") != std::string::npos;
  };
  const Block::SavedView before{address<float>(8), 8};
  const mhc::cuda::Workspace in_before{before.data, workspace.bytes};
  const mhc::cuda::Workspace in_x{const_cast<mhc::bf16*>(x.data), workspace.bytes};
  const mhc::cuda::Workspace in_v{v.data, workspace.bytes};
  EXPECT_TRUE(names_workspace(
      refusal([&] { block.prepare_delayed(x, before.pre(), u, saved, in_before, nullptr); })));
  for (const auto& scratch : {in_before, in_x, in_v}) {
    EXPECT_TRUE(names_workspace(refusal([&] {
      block.finish_and_prepare(x, v, before, x_next, block, u, saved, scratch, nullptr);
    })));
    EXPECT_TRUE(names_workspace(refusal([&] {
      block.finish_and_prepare_delayed(x, v, before, x_next, block, u, saved, scratch, nullptr);
    })));
  }
}

TEST_F(CudaHost, RefusesParametersAndOptions) {
  EXPECT_EQ(refusal([&] {
              Block({nullptr, 256});
            }),
            "mhc::cuda::Block: parameters have no data (null pointer)");
  EXPECT_EQ(refusal([&] {
              Block({address<float>(1), 0});
            }),
            "mhc::cuda::Block: parameters have 0 channels, expected at least 1");
  Block::Options options;
  options.residual.iterations = 0;
  EXPECT_NE(refusal([&] { Block({address<float>(1), 256}, options); }), "not refused");
}

}  // namespace
