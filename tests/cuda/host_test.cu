// SPDX-License-Identifier: MIT
// What the calls of mhc::cuda do before they reach a GPU: sizes and refusals. Needs none.

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

TEST_F(CudaHost, HeadRefuses) {
  using Head = mhc::cuda::Head<4, mhc::bf16>;
  const Head head({address<float>(1), 256});
  const Head::SavedView weights{address<float>(6), 8};
  EXPECT_EQ(head.workspace_bytes(8), 8u * 5 * 4);
  EXPECT_EQ(refusal([&] {
              Head({nullptr, 256});
            }),
            "mhc::cuda::Head: parameters have no data (null pointer)");
  EXPECT_EQ(refusal([&] { (void)head.workspace_bytes(-1); }),
            "mhc::cuda::Head::workspace_bytes: -1 tokens");
  EXPECT_EQ(refusal([&] { head.forward(x, u.slice(0, 7), weights, workspace, nullptr); }),
            "mhc::cuda::Head::forward: h is 7 x 256 (tokens x channels), expected 8 x 256");
  EXPECT_EQ(refusal([&] { head.forward(x, u, weights, {}, nullptr); }),
            "mhc::cuda::Head::forward: workspace has 0 bytes, expected at least 160");
  const mhc::TokenView<mhc::bf16> inside(const_cast<mhc::bf16*>(x.data) + 64, 8, 256);
  EXPECT_EQ(refusal([&] { head.forward(x, inside, weights, workspace, nullptr); }),
            "mhc::cuda::Head::forward: h overlaps x in memory");
  head.forward(x.slice(0, 0), u.slice(0, 0), weights.slice(0, 0), {}, nullptr);
}

TEST_F(CudaHost, ExpandAndCollapseRefuse) {
  const mhc::TokenView<const mhc::bf16> h = v;
  EXPECT_EQ(refusal([&] { mhc::cuda::expand_repeat(h.slice(0, 7), x_next, nullptr); }),
            "mhc::cuda::expand_repeat: h is 7 x 256 (tokens x channels), expected 8 x 256");
  EXPECT_EQ(refusal([&] { mhc::cuda::expand_one_hot(h, x_next, 4, nullptr); }),
            "mhc::cuda::expand_one_hot: stream is 4, expected 0 to 3");
  EXPECT_EQ(refusal([&] { mhc::cuda::expand_one_hot_backward(x, u, -1, nullptr); }),
            "mhc::cuda::expand_one_hot_backward: stream is -1, expected 0 to 3");
  const mhc::StreamView<mhc::bf16> one_row(x_next.data, 8, 4, 256, 0, 0);
  EXPECT_NE(refusal([&] { mhc::cuda::expand_repeat(h, one_row, nullptr); }), "not refused");
  const mhc::TokenView<mhc::bf16> inside(const_cast<mhc::bf16*>(x.data) + 64, 8, 256);
  EXPECT_EQ(refusal([&] { mhc::cuda::collapse_mean(x, inside, nullptr); }),
            "mhc::cuda::collapse_mean: h overlaps x in memory");
  EXPECT_EQ(refusal([&] { mhc::cuda::collapse_sum(x, u.slice(1, 8), nullptr); }),
            "mhc::cuda::collapse_sum: h is 7 x 256 (tokens x channels), expected 8 x 256");
  mhc::cuda::collapse_mean(x.slice(0, 0), u.slice(0, 0), nullptr);
  mhc::cuda::expand_repeat(h.slice(0, 0), x_next.slice(0, 0), nullptr);
}

TEST_F(CudaHost, SinkhornKnoppRefuses) {
  const mhc::StreamView<const float> logits(address<float>(1), 8, 4, 4);
  const mhc::StreamView<float> res(address<float>(2), 8, 4, 4);
  mhc::SinkhornKnoppOptions options;
  const auto call = [&](const auto& from, const auto& to) {
    return refusal([&] { mhc::cuda::sinkhorn_knopp<4, float>(from, options, to, nullptr); });
  };
  EXPECT_EQ(call(logits, res.slice(0, 7)),
            "mhc::cuda::sinkhorn_knopp: res is 7 x 4 x 4 (tokens x streams x channels), expected 8 "
            "x 4 x 4");
  const mhc::StreamView<float> shifted(const_cast<float*>(logits.data) + 4, 8, 4, 4);
  EXPECT_NE(call(logits, shifted), "not refused");
  EXPECT_EQ(call(logits.slice(0, 0), res.slice(0, 0)), "not refused");
  options.iterations = 0;
  EXPECT_EQ(call(logits, res),
            "mhc::cuda::sinkhorn_knopp: option sinkhorn iterations is 0, expected at least 1");
}

TEST_F(CudaHost, AggregateRefuses) {
  const mhc::TokenView<const float> pre(address<float>(8), 8, 4);
  const auto call = [&](const auto& weights, const auto& to) {
    return refusal([&] { mhc::cuda::aggregate<4, mhc::bf16>(x, weights, to, nullptr); });
  };
  EXPECT_EQ(call(pre.slice(0, 7), u),
            "mhc::cuda::aggregate: pre is 7 x 4 (tokens x channels), expected 8 x 4");
  EXPECT_EQ(call(pre, u.slice(0, 7)),
            "mhc::cuda::aggregate: u is 7 x 256 (tokens x channels), expected 8 x 256");
  const mhc::TokenView<mhc::bf16> inside(const_cast<mhc::bf16*>(x.data) + 64, 8, 256);
  EXPECT_EQ(call(pre, inside), "mhc::cuda::aggregate: u overlaps x in memory");
  EXPECT_EQ(refusal([&] {
              mhc::cuda::aggregate<4, mhc::bf16>(x.slice(0, 0), pre.slice(0, 0), u.slice(0, 0),
                                                 nullptr);
            }),
            "not refused");
}

}  // namespace
