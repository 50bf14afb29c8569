// SPDX-License-Identifier: MIT
// What cuda::Block promises beside the numbers: the bits, streams, graphs, and NaN.

#include <limits>

#include "site.hpp"

namespace {

using mhc::Index;
using namespace mhc_test;

struct Stream {
  Stream() { mhc::cuda::check("Stream", cudaStreamCreateWithFlags(&get, cudaStreamNonBlocking)); }
  ~Stream() { cudaStreamDestroy(get); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  void wait() const { mhc::cuda::check("Stream", cudaStreamSynchronize(get)); }
  cudaStream_t get = nullptr;
};

template <class S>
void run(S& site, cudaStream_t stream, mhc::cuda::Workspace workspace) {
  const auto block = site.block();
  block.prepare(site.x_view(), site.u_view(), site.saved_view(), workspace, stream);
  block.finish(site.x_view(), site.v_view(), site.saved_view(), site.x_next_view(), stream);
}

template <class S>
void run(S& site) {
  Workspace workspace(site.block().workspace_bytes(site.tokens));
  run(site, nullptr, workspace);
  mhc::cuda::check("run", cudaDeviceSynchronize());
}

/// A token has the same bits alone, in a slice and in the whole batch.
template <class S>
void expect_batch_independent(Index channels) {
  constexpr Index tokens = 301;  // few and many tokens go by other kernels
  S whole(tokens, channels, 11);
  run(whole);
  const auto saved = whole.saved.get();
  const auto u = whole.u.get();
  const auto x_next = whole.x_next.get();
  for (const auto& range :
       {std::pair<Index, Index>{0, 1}, {5, 6}, {13, 46}, {0, 290}, {200, 301}}) {
    const Index begin = range.first;
    const Index end = range.second;
    S part(tokens, channels, 11);
    const auto block = part.block();
    Workspace workspace(block.workspace_bytes(end - begin));
    block.prepare(part.x_view().slice(begin, end), part.u_view().slice(begin, end),
                  part.saved_view().slice(begin, end), workspace, nullptr);
    block.finish(part.x_view().slice(begin, end), part.v_view().slice(begin, end),
                 part.saved_view().slice(begin, end), part.x_next_view().slice(begin, end),
                 nullptr);
    const auto cut = [&](const auto& all, Index size) {
      return std::vector(all.begin() + begin * size, all.begin() + end * size);
    };
    constexpr int N = S::Block::streams;
    EXPECT_TRUE(
        same_bits(cut(part.saved.get(), S::SavedView::record), cut(saved, S::SavedView::record)));
    EXPECT_TRUE(same_bits(cut(part.u.get(), channels), cut(u, channels)));
    EXPECT_TRUE(same_bits(cut(part.x_next.get(), N * channels), cut(x_next, N * channels)));
  }
}

TEST(CudaContract, TokensDoNotDependOnTheirBatch) {
  expect_batch_independent<Site<4, mhc::bf16>>(1280);
  expect_batch_independent<Site<4, mhc::bf16>>(129);
  expect_batch_independent<Site<4, mhc::bf16>>(4096);
  expect_batch_independent<Site<2, mhc::bf16>>(264);
  expect_batch_independent<Site<3, mhc::bf16, mhc::Unconstrained<mhc::FromToken>>>(64);
  expect_batch_independent<Site<2, float>>(256);
  expect_batch_independent<Site<8, mhc::f16>>(64);
  expect_batch_independent<Site<4, double>>(64);
  expect_batch_independent<Site<4, float, mhc::HyperConnections>>(256);
}

template <class S>
void expect_layout_independent(Index channels) {
  S plain(33, channels, 4);
  run(plain);
  for (const Layout& layout : {Layout{8, 0, false}, Layout{0, 1, false}, Layout{3, 2, true}}) {
    S other(33, channels, 4, layout);
    run(other);
    EXPECT_TRUE(same_bits(other.saved.get(), plain.saved.get()));
    EXPECT_TRUE(same_bits(other.packed_tokens(other.u.get()), plain.packed_tokens(plain.u.get())));
    EXPECT_TRUE(same_bits(other.packed_streams(other.x_next.get()),
                          plain.packed_streams(plain.x_next.get())));
  }
}

TEST(CudaContract, TokensDoNotDependOnTheLayout) {
  expect_layout_independent<Site<4, mhc::bf16>>(256);
  expect_layout_independent<Site<4, mhc::bf16>>(1288);
  expect_layout_independent<Site<2, mhc::bf16>>(72);
  expect_layout_independent<Site<4, float>>(129);
  expect_layout_independent<Site<3, mhc::f16>>(64);
}

/// finish and prepare of the site that follows, in one call or two; and with x_next = x.
template <class S, class Next>
void expect_fused(Index tokens, Index channels) {
  S site(tokens, channels, 21);
  Next next(tokens, channels, 22);
  run(site);
  const auto next_block = next.block();
  Workspace workspace(next_block.workspace_bytes(tokens));
  next_block.prepare(site.x_next_view(), next.u_view(), next.saved_view(), workspace, nullptr);
  const auto x_next = site.x_next.get();
  const auto u = next.u.get();
  const auto saved = next.saved.get();

  S fused(tokens, channels, 21);
  Next fused_next(tokens, channels, 22);
  run(fused);
  fused.block().finish_and_prepare(
      fused.x_view(), fused.v_view(), fused.saved_view(), fused.stream_view(fused.x.data()),
      fused_next.block(), fused_next.u_view(), fused_next.saved_view(), workspace, nullptr);
  EXPECT_TRUE(same_bits(fused.packed_streams(fused.x.get()), site.packed_streams(x_next)));
  EXPECT_TRUE(same_bits(fused_next.packed_tokens(fused_next.u.get()), next.packed_tokens(u)));
  EXPECT_TRUE(same_bits(fused_next.saved.get(), saved));
}

TEST(CudaContract, FusedCallsHaveTheSameBits) {
  using mhc::bf16;
  expect_fused<Site<4, bf16>, Site<4, bf16>>(33, 256);
  expect_fused<Site<4, bf16>, Site<4, bf16>>(1, 4096);
  expect_fused<Site<4, bf16>, Site<4, bf16>>(300, 264);
  expect_fused<Site<4, float>, Site<4, float, mhc::HyperConnections>>(17, 129);
  expect_fused<Site<4, bf16, mhc::OrdinaryResidual>, Site<4, bf16>>(17, 64);
}

TEST(CudaContract, DelayedReadsWithThePreOfTheSiteBefore) {
  using S = Site<4, mhc::bf16>;
  S site(33, 256, 1);
  S next(33, 256, 2);
  run(site);
  const auto block = next.block();
  Workspace workspace(block.workspace_bytes(33));
  block.prepare_delayed(site.x_next_view(), site.saved_view().pre(), next.u_view(),
                        next.saved_view(), workspace, nullptr);
  const auto u = next.u.get();
  const auto saved = next.saved.get();
  const auto pre = site.saved.get();
  const auto x_next = site.x_next.get();
  for (Index t = 0; t < 33; ++t) {
    for (Index c = 0; c < 256; ++c) {
      float sum = 0;
      for (int i = 0; i < 4; ++i) {
        const float weight =
            pre[static_cast<std::size_t>(t * S::SavedView::record + S::SavedView::pre_offset + i)];
        const auto x = static_cast<float>(x_next[static_cast<std::size_t>((t * 4 + i) * 256 + c)]);
        sum = i == 0 ? weight * x : std::fma(weight, x, sum);
      }
      ASSERT_EQ(static_cast<float>(u[static_cast<std::size_t>(t * 256 + c)]),
                static_cast<float>(mhc::bf16(sum)));
    }
  }
  S fused_next(33, 256, 2);
  site.block().finish_and_prepare_delayed(
      site.x_view(), site.v_view(), site.saved_view(), site.x_next_view(), fused_next.block(),
      fused_next.u_view(), fused_next.saved_view(), workspace, nullptr);
  EXPECT_TRUE(same_bits(fused_next.packed_tokens(fused_next.u.get()), next.packed_tokens(u)));
  EXPECT_TRUE(same_bits(fused_next.saved.get(), saved));
}

TEST(CudaContract, NanStaysInItsToken) {
  using S = Site<4, mhc::bf16>;
  S clean(67, 256, 9);
  run(clean);
  for (const Index bad : {0, 13, 66}) {
    S site(67, 256, 9);
    auto x = site.host_x;
    x[static_cast<std::size_t>(bad * 1024 + 300)] =
        mhc::bf16(std::numeric_limits<float>::quiet_NaN());
    site.x.set(x);
    run(site);
    auto saved = site.saved.get();
    auto u = site.packed_tokens(site.u.get());
    auto expected = clean.saved.get();
    auto expected_u = clean.packed_tokens(clean.u.get());
    EXPECT_TRUE(std::isnan(
        saved[static_cast<std::size_t>(bad * S::SavedView::record + S::SavedView::res_offset)]));
    EXPECT_TRUE(std::isnan(static_cast<float>(u[static_cast<std::size_t>(bad * 256)])));
    const auto forget = [&](auto& values, Index size) {
      values.erase(values.begin() + bad * size, values.begin() + (bad + 1) * size);
    };
    forget(saved, S::SavedView::record);
    forget(expected, S::SavedView::record);
    forget(u, 256);
    forget(expected_u, 256);
    EXPECT_TRUE(same_bits(saved, expected));
    EXPECT_TRUE(same_bits(u, expected_u));
  }
}

TEST(CudaContract, GraphsReplayWithChangedInputs) {
  using S = Site<4, mhc::bf16>;
  S captured(64, 264, 31);
  S direct(64, 264, 32);
  run(direct);
  const Stream stream;
  Workspace workspace(captured.block().workspace_bytes(64));
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  // No call came before that could have warmed anything up in this instance of the kernels' shapes.
  mhc::cuda::check("capture", cudaStreamBeginCapture(stream.get, cudaStreamCaptureModeGlobal));
  run(captured, stream.get, workspace);
  mhc::cuda::check("capture", cudaStreamEndCapture(stream.get, &graph));
  mhc::cuda::check("capture", cudaGraphInstantiate(&exec, graph, 0));
  captured.x.set(direct.host_x);
  captured.v.set(direct.host_v);
  captured.parameters.set(direct.host_parameters);
  mhc::cuda::check("replay", cudaGraphLaunch(exec, stream.get));
  stream.wait();
  EXPECT_TRUE(same_bits(captured.saved.get(), direct.saved.get()));
  EXPECT_TRUE(
      same_bits(captured.packed_tokens(captured.u.get()), direct.packed_tokens(direct.u.get())));
  EXPECT_TRUE(same_bits(captured.packed_streams(captured.x_next.get()),
                        direct.packed_streams(direct.x_next.get())));
  cudaGraphExecDestroy(exec);
  cudaGraphDestroy(graph);
}

TEST(CudaContract, TwoStreamsAtOnce) {
  using S = Site<4, mhc::bf16>;
  S first(257, 1280, 41);
  S second(257, 1280, 42);
  run(first);
  run(second);
  const auto expect_first = first.saved.get();
  const auto expect_second = second.saved.get();
  const Stream a;
  const Stream b;
  Workspace room_a(first.block().workspace_bytes(257));
  Workspace room_b(first.block().workspace_bytes(257));
  for (int repeat = 0; repeat < 20; ++repeat) {
    run(first, a.get, room_a);
    run(second, b.get, room_b);
  }
  a.wait();
  b.wait();
  EXPECT_TRUE(same_bits(first.saved.get(), expect_first));
  EXPECT_TRUE(same_bits(second.saved.get(), expect_second));
}

TEST(CudaContract, MappingsAlone) {
  using S = Site<4, mhc::bf16>;
  S with(33, 256, 51);
  S without(33, 256, 51);
  run(with);
  const auto block = without.block();
  Workspace workspace(block.workspace_bytes(33));
  block.prepare(without.x_view(), {}, without.saved_view(), workspace, nullptr);
  EXPECT_TRUE(same_bits(without.saved.get(), with.saved.get()));
}

}  // namespace
