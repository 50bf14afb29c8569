// SPDX-License-Identifier: MIT
// ggml tensors as views, and the custom operators compared with ggml's own and with the block.
#include <mhc/adapters/ggml.hpp>

#include <ggml-alloc.h>
#include <ggml-cpu.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include <mhc/families.hpp>

#include "../support/bits.hpp"
#include "../support/random.hpp"
#include "../support/refused.hpp"

namespace {

using mhc::Index;
using Family = mhc::families::DeepSeekV4;

/// A context that holds its tensors' data or, for graphs, only their descriptions.
class Context {
 public:
  explicit Context(bool holds_data = true)
      : context_(ggml_init({std::size_t{16} << 20, nullptr, !holds_data}), ggml_free) {}
  operator ggml_context*() const { return context_.get(); }

  /// A tensor of values N(0, 1), rounded to its type.
  template <class Element = float>
  ggml_tensor* random(const std::vector<std::int64_t>& ne, std::uint64_t seed, double scale = 1.0) {
    ggml_tensor* const tensor = ggml_new_tensor(*this, mhc::detail::ggml_type_of<Element>(),
                                                static_cast<int>(ne.size()), ne.data());
    const mhc::TokenView<Element> row(static_cast<Element*>(tensor->data), 1,
                                      ggml_nelements(tensor));
    mhc_test::randomize(row.matrix(), seed, scale);
    return tensor;
  }

  void compute(const std::vector<ggml_tensor*>& results, int threads) {
    ggml_cgraph* const graph = ggml_new_graph(*this);
    for (ggml_tensor* result : results) ggml_build_forward_expand(graph, result);
    ASSERT_EQ(ggml_graph_compute_with_ctx(*this, graph, threads), GGML_STATUS_SUCCESS);
  }

 private:
  std::unique_ptr<ggml_context, decltype(&ggml_free)> context_;
};

const float* data(const ggml_tensor* tensor) {
  return static_cast<const float*>(tensor->data);
}

/// A site's tensors as DeepSeek-V4 stores them.
struct Stored {
  Stored(Context& context, int n, Index channels)
      : fn(context.random({n * channels, n * (n + 2)}, 11,
                          1.0 / std::sqrt(static_cast<double>(n * channels)))),
        scale(context.random({3}, 12)),
        base(context.random({n * (n + 2)}, 13)) {}
  ggml_tensor* fn;
  ggml_tensor* scale;
  ggml_tensor* base;
};

/// A site of DeepSeek-V4 built from ggml's own operators.
struct Theirs {
  Theirs(ggml_context* c, ggml_tensor* x, const Stored& stored) {
    constexpr std::int64_t n = 4;
    ggml_tensor* const flat = ggml_reshape_2d(c, x, n * x->ne[0], x->ne[2]);
    ggml_tensor* const mixes = ggml_mul_mat(c, stored.fn, ggml_rms_norm(c, flat, 1e-6F));
    const auto gate = [&](std::size_t g) {
      const std::size_t offset = g * n * sizeof(float);
      ggml_tensor* const part = ggml_view_2d(c, mixes, n, x->ne[2], mixes->nb[1], offset);
      ggml_tensor* const scale = ggml_view_1d(c, stored.scale, 1, g * sizeof(float));
      ggml_tensor* const base = ggml_view_1d(c, stored.base, n, offset);
      return ggml_sigmoid(c, ggml_add(c, ggml_mul(c, part, scale), base));
    };
    pre = ggml_scale_bias(c, gate(0), 1.0F, 1e-6F);
    post = ggml_scale(c, gate(1), 2.0F);
    comb = ggml_dsv4_hc_comb(c, mixes, stored.scale, stored.base, 1e-6F, 20);
    u = ggml_dsv4_hc_pre(c, x, pre);
    x_next = ggml_dsv4_hc_post(c, u, x, post, comb);  // the sublayer is v = u
  }
  ggml_tensor *pre, *post, *comb, *u, *x_next;
};

TEST(GgmlViews, MatchTheTensor) {
  Context context;
  ggml_tensor* const x = context.random({5, 4, 3, 2}, 1);
  const auto streams = mhc::ggml_streams<const float>("x", x);
  EXPECT_EQ(streams.data, x->data);
  EXPECT_EQ(streams.tokens, 6);
  EXPECT_EQ(streams.streams, 4);
  EXPECT_EQ(streams.channels, 5);
  EXPECT_EQ(streams.stream_stride, 5);
  EXPECT_EQ(streams.token_stride, 20);
  const auto tokens = mhc::ggml_tokens<float>("x", x);
  EXPECT_EQ(tokens.tokens, 24);
  EXPECT_EQ(tokens.row(23), streams.row(5, 3));

  // [n][T][C], and a slice of the channels.
  ggml_tensor* const flat = ggml_reshape_3d(context, x, 5, 4, 6);
  const auto turned = mhc::ggml_streams<float>("x", ggml_permute(context, flat, 0, 2, 1, 3));
  EXPECT_EQ(turned.streams, 6);
  EXPECT_EQ(turned.tokens, 4);
  EXPECT_EQ(turned.stream_stride, 20);
  EXPECT_EQ(turned.token_stride, 5);
  ggml_tensor* const part = ggml_view_3d(context, x, 2, 4, 6, x->nb[1], x->nb[2], 4);
  const auto padded = mhc::ggml_streams<float>("x", part);
  EXPECT_EQ(padded.data, static_cast<float*>(x->data) + 1);
  EXPECT_EQ(padded.channels, 2);
  EXPECT_EQ(padded.stream_stride, 5);
  EXPECT_EQ(padded.token_stride, 20);
  ggml_tensor* const halves = context.random<mhc::bf16>({5, 4}, 1);
  const auto u = mhc::ggml_tokens<mhc::bf16>("u", halves);
  EXPECT_EQ(u.row(3) - u.row(0), 15);
}

TEST(GgmlViews, ErrorsGiveBothNames) {
  Context context;
  ggml_tensor* const x = ggml_set_name(context.random({8, 4, 3}, 1), "blk.0.streams");
  EXPECT_REFUSED(mhc::ggml_streams<mhc::bf16>("x", x),
                 "mhc::ggml_streams: ", "x (tensor 'blk.0.streams') is of type f32, expected bf16");
  EXPECT_REFUSED(mhc::ggml_tokens<float>("u", nullptr), "mhc::ggml_tokens: u is a null pointer");
  ggml_tensor* const odd = ggml_view_3d(context, x, 7, 4, 2, 30, x->nb[2], 0);
  EXPECT_REFUSED(mhc::ggml_streams<float>("x", odd),
                 "has nb[1] = 30, expected a multiple of 4 bytes");
  EXPECT_REFUSED(mhc::ggml_streams<float>("x", ggml_permute(context, x, 1, 0, 2, 3)),
                 "has channels with a stride of 8 elements, expected 1");
  EXPECT_REFUSED(mhc::ggml_tokens<float>("u", ggml_permute(context, x, 0, 2, 1, 3)),
                 "leading dimensions that do not fold into one");
  EXPECT_REFUSED(
      mhc::ggml_streams<float>("x", ggml_new_tensor_3d(Context(false), GGML_TYPE_F32, 8, 4, 3)),
      "has no data (null pointer): was the graph allocated?");
}

TEST(GgmlViews, RejectNonHostMemory) {
  const auto extra =
      reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(ggml_backend_reg_get_proc_address(
          ggml_backend_cpu_reg(), "ggml_backend_dev_get_extra_bufts"));
  ggml_backend_buffer_type_t* types =
      extra == nullptr ? nullptr : extra(ggml_backend_reg_dev_get(ggml_backend_cpu_reg(), 0));
  while (types != nullptr && *types != nullptr && ggml_backend_buft_is_host(*types)) ++types;
  if (types == nullptr || *types == nullptr) {
    GTEST_SKIP() << "this ggml has host memory only";
  }
  Context context(false);
  ggml_tensor* const x = ggml_new_tensor_3d(context, GGML_TYPE_F32, 8, 4, 3);
  const std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)> buffer(
      ggml_backend_buft_alloc_buffer(*types, ggml_nbytes(x)), ggml_backend_buffer_free);
  x->buffer = buffer.get();
  x->data = ggml_backend_buffer_get_base(buffer.get());
  EXPECT_REFUSED(mhc::ggml_streams<float>("x", x), "x is in a buffer of ",
                 ggml_backend_buffer_name(buffer.get()), ", expected host memory");
  EXPECT_REFUSED(mhc::ggml_streams<float>("x", ggml_view_tensor(context, x)),
                 "expected host memory");
}

TEST(GgmlBlock, MatchesGgmlsOwnOperators) {
  for (const Index channels : {8, 100}) {
    for (const Index tokens : {1, 2, 7, 33}) {
      Context context;
      const Stored stored(context, 4, channels);
      ggml_tensor* const x = context.random({channels, 4, tokens}, 2);
      const Theirs theirs(context, x, stored);
      const mhc::GgmlBlock<4> site(Family::layout(), stored.fn, stored.scale, stored.base,
                                   Family::options());
      const auto ours = site.prepare(context, x);
      ggml_tensor* const x_next = site.finish(context, x, ours.u, ours.saved);
      context.compute({theirs.x_next, x_next}, 2);

      // Both round in float, and sum up to 4 C products in different orders.
      const auto near = [&](const char* name, const float* a, const float* b, Index size) {
        for (Index i = 0; i < size; ++i) {
          ASSERT_NEAR(a[i], b[i], 2e-5F * std::max(1.0F, std::abs(b[i]))) << name << " " << i;
        }
      };
      near("u", data(ours.u), data(theirs.u), ggml_nelements(theirs.u));
      near("x_next", data(x_next), data(theirs.x_next), ggml_nelements(theirs.x_next));
      const mhc::SavedView<4, const float> saved(data(ours.saved), tokens);
      for (Index t = 0; t < tokens; ++t) {
        near("pre", saved.pre().row(t), data(theirs.pre) + 4 * t, 4);
        near("post", saved.post().row(t), data(theirs.post) + 4 * t, 4);
        for (int e = 0; e < 16; ++e) {  // comb is [src][dst], res [out][in]
          ASSERT_NEAR(saved.res().row(t, e % 4)[e / 4], data(theirs.comb)[16 * t + e], 2e-5F);
        }
      }
    }
  }
}

template <int N, class Element>
void expect_the_blocks_bits(Index tokens, bool is_padded) {
  constexpr Index channels = 20;
  using Site = mhc::GgmlBlock<N, Element>;
  for (const int threads : {1, 2, 3}) {
    Context context;
    const Stored stored(context, N, channels);
    const Site site(Family::layout(), stored.fn, stored.scale, stored.base, Family::options());
    const Index pad = is_padded ? 3 : 0;
    ggml_tensor* const wide =
        context.template random<Element>({channels + pad, N + (is_padded ? 1 : 0), tokens}, 2);
    ggml_tensor* const x =
        ggml_view_3d(context, wide, channels, N, tokens, wide->nb[1], wide->nb[2],
                     static_cast<std::size_t>(pad) * sizeof(Element));
    ggml_tensor* const v = context.template random<Element>({channels, tokens}, 3);
    const auto fused = site.prepare(context, x);
    ggml_tensor* const saved = site.mappings(context, x);
    ggml_tensor* const u = site.aggregate(context, x, saved);
    ggml_tensor* const x_next = site.finish(context, x, v, fused.saved);
    context.compute({fused.u, u, x_next}, threads);

    mhc::Saved<N> expected_saved(tokens);
    mhc::Tokens<Element> expected_u(tokens, channels);
    mhc::Streams<Element> expected(tokens, N, channels);
    const auto in = mhc::ggml_streams<const Element>("x", x);
    EXPECT_EQ(in.stream_stride, channels + pad);
    site.block().prepare(in, expected_u, expected_saved);
    site.block().finish(in, mhc::ggml_tokens<const Element>("v", v), expected_saved, expected);
    const auto records = mhc::ggml_tokens<float>("saved", saved);
    EXPECT_TRUE(mhc_test::same_bits(records, expected_saved.view().records()));
    EXPECT_TRUE(mhc_test::same_bits(mhc::ggml_tokens<float>("saved", fused.saved), records));
    EXPECT_TRUE(mhc_test::same_bits(mhc::ggml_tokens<Element>("u", fused.u), expected_u.view()));
    EXPECT_TRUE(mhc_test::same_bits(mhc::ggml_tokens<Element>("u", u), expected_u.view()));
    EXPECT_TRUE(mhc_test::same_bits(mhc::ggml_streams<Element>("x_next", x_next), expected.view()));
  }
}

TEST(GgmlBlock, MatchesTheBlockBitForBitOnAnyThreads) {
  for (const Index tokens : {1, 2, 9, 50}) {
    expect_the_blocks_bits<4, float>(tokens, false);
    expect_the_blocks_bits<4, float>(tokens, true);
  }
  expect_the_blocks_bits<2, float>(9, true);
  expect_the_blocks_bits<4, mhc::bf16>(1, false);
  expect_the_blocks_bits<4, mhc::bf16>(30, true);
}

TEST(GgmlBlock, RoundsBf16StreamsOnce) {
  constexpr Index channels = 64, tokens = 10;
  Context context;
  const Stored stored(context, 4, channels);
  const mhc::GgmlBlock<4> wide(Family::layout(), stored.fn, stored.scale, stored.base,
                               Family::options());
  const mhc::GgmlBlock<4, mhc::bf16> narrow(Family::layout(), stored.fn, stored.scale, stored.base,
                                            Family::options());
  ggml_tensor* const x = context.random<mhc::bf16>({channels, 4, tokens}, 2);
  ggml_tensor* const x32 = ggml_cast(context, x, GGML_TYPE_F32);
  const auto prepared = narrow.prepare(context, x);
  const auto prepared32 = wide.prepare(context, x32);
  ggml_tensor* const x_next = narrow.finish(context, x, prepared.u, prepared.saved);
  ggml_tensor* const u32 = ggml_cast(context, prepared.u, GGML_TYPE_F32);  // the same v
  ggml_tensor* const x_next32 = wide.finish(context, x32, u32, prepared32.saved);
  context.compute({x_next, x_next32}, 2);
  const auto got = mhc::ggml_tokens<mhc::bf16>("x_next", x_next);
  const auto want = mhc::ggml_tokens<float>("x_next", x_next32);
  for (Index t = 0; t < got.tokens; ++t) {
    for (Index c = 0; c < channels; ++c) {
      const float expected = want.row(t)[c];  // half a unit of 8 bits is at most 2^-8
      ASSERT_NEAR(static_cast<float>(got.row(t)[c]), expected,
                  std::abs(expected) * 0x1p-8F + 1e-5F);
    }
  }
}

TEST(GgmlBlock, RunsInAGraphWithReusedMemory) {
  constexpr Index channels = 48, tokens = 12;
  constexpr int sites = 3;
  Context inputs;
  const Stored stored(inputs, 4, channels);
  const mhc::GgmlBlock<4> site(Family::layout(), stored.fn, stored.scale, stored.base,
                               Family::options());
  ggml_tensor* const x = inputs.random({channels, 4, tokens}, 2);

  Context context(false);
  ggml_cgraph* const graph = ggml_new_graph(context);
  ggml_tensor* streams = x;
  for (int i = 0; i < sites; ++i) {
    const auto [u, saved] = site.prepare(context, streams);
    streams = site.finish(context, streams, ggml_silu(context, u), saved);
  }
  ggml_set_output(streams);
  ggml_build_forward_expand(graph, streams);
  const std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)> backend(ggml_backend_cpu_init(),
                                                                            ggml_backend_free);
  const std::unique_ptr<ggml_gallocr, decltype(&ggml_gallocr_free)> memory(
      ggml_gallocr_new(ggml_backend_cpu_buffer_type()), ggml_gallocr_free);
  ASSERT_TRUE(ggml_gallocr_alloc_graph(memory.get(), graph));
  ASSERT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_SUCCESS);

  mhc::Streams<float> expected(tokens, 4, channels);
  std::copy_n(data(x), expected.size(), expected.data());
  for (int i = 0; i < sites; ++i) {
    const auto silu = [](auto u, auto v) {
      v.matrix() = u.matrix().array() / (1.0F + (-u.matrix().array()).exp());
    };
    site.block().forward(expected, silu, expected);
  }
  const auto got = mhc::ggml_streams<const float>("x", streams);
  for (Index i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(got.data[i], expected.data()[i], 1e-5F * std::max(1.0F, std::abs(got.data[i])));
  }
}

TEST(GgmlBlock, ReportsErrorsWhenTheGraphIsBuilt) {
  Context context;
  const Stored stored(context, 4, 8);
  const mhc::GgmlBlock<4> site(Family::layout(), stored.fn, stored.scale, stored.base,
                               Family::options());
  ggml_tensor* const x = context.random({8, 4, 3}, 1);
  ggml_tensor* const saved = site.mappings(context, x);
  EXPECT_REFUSED(site.prepare(context, context.random<mhc::bf16>({8, 4, 3}, 1)),
                 "mhc::GgmlBlock::prepare: x is of type bf16, expected f32");
  EXPECT_REFUSED(site.mappings(context, context.random({8, 3, 3}, 1)),
                 "mhc::GgmlBlock::mappings: x is 3 x 3 x 8",
                 "but the site has 4 streams and 8 channels");
  EXPECT_REFUSED(site.aggregate(context, x, context.random({72, 3}, 1)),
                 "mhc::GgmlBlock::aggregate: saved is 3 x 72, expected 3 x 73");
  EXPECT_REFUSED(site.finish(context, x, context.random({8, 2}, 1), saved),
                 "mhc::GgmlBlock::finish: v is 2 x 8", "expected 3 x 8");
  EXPECT_REFUSED(mhc::GgmlBlock<4>(Family::layout(), stored.fn, stored.base, stored.base),
                 "mhc::GgmlBlock: scale has ne = (24, 1), expected (3, 1)");
  EXPECT_REFUSED(
      mhc::GgmlBlock<4>(Family::layout(), context.random({30, 24}, 1), stored.scale, stored.base),
      "mhc::GgmlBlock: fn has ne = (30, 24), expected (28, 24)");
  EXPECT_REFUSED(mhc::GgmlBlock<4>(Family::layout(), context.random<mhc::bf16>({32, 24}, 1),
                                   stored.scale, stored.base),
                 "mhc::GgmlBlock: fn is of type bf16, expected f32");
}

TEST(GgmlBlockDeathTest, FailingOperatorAbortsLikeGgml) {
  Context context;
  const Stored stored(context, 4, 8);
  const mhc::GgmlBlock<4> site(Family::layout(), stored.fn, stored.scale, stored.base,
                               Family::options());
  ggml_tensor* const x = context.random({8, 4, 3}, 1);
  ggml_tensor* const u = site.prepare(context, x).u;
  x->data = nullptr;
  setenv("GGML_NO_BACKTRACE", "1", 1);
  EXPECT_DEATH(context.compute({u}, 1), "mhc::ggml_streams: x .*has no data");
}

}  // namespace
