// SPDX-License-Identifier: MIT
// cuda::Head: its mappings against double on the host, h against the weights that it saved.

#include "accuracy.hpp"

namespace {

using mhc::Index;
using namespace mhc_test;

template <int N, class Element>
using HeadSite = Site<N, Element, mhc::LearnedCollapse>;

/// h = w x into u_view of the site, on the null stream.
template <int N, class Element>
void run(HeadSite<N, Element>& site, const mhc::LearnedCollapse::Options& options = {}) {
  const mhc::cuda::Head<N, Element> head({site.parameters.data(), site.channels}, options);
  Workspace workspace(head.workspace_bytes(site.tokens));
  head.forward(site.x_view(), site.u_view(), site.saved_view(), workspace, nullptr);
}

template <int N, class Element>
void expect_accurate_head(Index tokens, Index channels,
                          const mhc::LearnedCollapse::Options& options = {}, Layout layout = {}) {
  using S = HeadSite<N, Element>;
  using V = typename S::SavedView;
  SCOPED_TRACE(::testing::Message() << "n = " << N << ", T = " << tokens << ", C = " << channels
                                    << ", " << sizeof(Element) << " bytes");
  const bool wide = std::is_same_v<Element, double>;
  // phi as two bf16 is within 2^-16 of each value: few values, or few sums, average out little.
  const bool few = tokens <= 2 || tokens * channels < 64;
  const double tolerance = wide ? 1e-12 : sizeof(Element) == 2 && few ? 0x1p-15 : 4e-6;
  S site(tokens, channels, 7 + static_cast<std::uint64_t>(tokens * 131 + channels), layout);
  run<N, Element>(site, options);
  const auto saved = site.saved.get();
  const auto h = site.packed_tokens(site.u.get());

  auto parameters = cast<double>(site.host_parameters);
  const auto x = cast<double>(site.packed_streams(site.host_x));
  const mhc::StreamView<const double> x_view(x.data(), tokens, N, channels);
  std::vector<double> exact(static_cast<std::size_t>(V::size(tokens)));
  reference_head<N>({parameters.data(), channels}, options, x_view, {exact.data(), tokens});
  const int parts[][2] = {{0, V::raw_offset},
                          {V::raw_offset, V::logits_offset},
                          {V::logits_offset, V::pre_offset},
                          {V::pre_offset, V::record}};
  for (const auto& part : parts) {
    EXPECT_LE(relative(saved, exact, V::record, part[0], part[1]), tolerance)
        << "columns " << part[0] << " to " << part[1];
  }
  std::vector<double> exact_h(h.size());
  std::vector<double> magnitude(h.size());
  for (Index t = 0; t < tokens; ++t) {
    for (Index c = 0; c < channels; ++c) {
      const auto at = static_cast<std::size_t>(t * channels + c);
      for (int i = 0; i < N; ++i) {
        const double weight =
            static_cast<double>(saved[static_cast<std::size_t>(t * V::record + V::pre_offset + i)]);
        exact_h[at] += weight * x_view.row(t, i)[c];
        magnitude[at] += std::abs(weight * x_view.row(t, i)[c]);
      }
    }
  }
  expect_rounded(h, exact_h, magnitude, (N + 1) * (wide ? 0x1p-53 : 0x1p-24));
}

template <int N>
void expect_all_heads() {
  for (const Index channels : {1, 7, 64, 129, 1280}) {
    for (const Index tokens : {0, 1, 17, 273}) {
      if (tokens > 17 && channels > 129) continue;
      expect_accurate_head<N, float>(tokens, channels);
      expect_accurate_head<N, mhc::bf16>(tokens, channels);
    }
    expect_accurate_head<N, mhc::f16>(17, channels);
    expect_accurate_head<N, double>(17, channels);
  }
}

TEST(CudaHead, SizesAndElements) {
  expect_all_heads<1>();
  expect_all_heads<2>();
  expect_all_heads<3>();
  expect_all_heads<4>();
  expect_all_heads<5>();
  expect_all_heads<8>();
  expect_all_heads<16>();
  expect_accurate_head<4, mhc::bf16>(33, 4096);
}

TEST(CudaHead, OptionsAndLayouts) {
  for (const auto norm : {mhc::NormEps::in_root, mhc::NormEps::on_root, mhc::NormEps::least_root}) {
    mhc::LearnedCollapse::Options options;
    options.norm = norm;
    options.norm_eps = 0.1;
    options.pre_eps = 1e-2;
    options.normalize_pre = norm == mhc::NormEps::on_root;
    expect_accurate_head<4, mhc::bf16>(33, 264, options, {8, 0, true});
    expect_accurate_head<4, float>(33, 129, options, {3, 1, false});
  }
}

template <int N, class Element>
void expect_batch_independent(Index channels) {
  constexpr Index tokens = 301;  // few and many tokens go by other kernels
  using S = HeadSite<N, Element>;
  S whole(tokens, channels, 11);
  run<N, Element>(whole);
  const auto saved = whole.saved.get();
  const auto h = whole.u.get();
  for (const auto& range : {std::pair<Index, Index>{5, 6}, {13, 46}, {0, 290}}) {
    const Index begin = range.first;
    const Index end = range.second;
    S part(tokens, channels, 11);
    const mhc::cuda::Head<N, Element> head({part.parameters.data(), channels});
    Workspace workspace(head.workspace_bytes(end - begin));
    head.forward(part.x_view().slice(begin, end), part.u_view().slice(begin, end),
                 part.saved_view().slice(begin, end), workspace, nullptr);
    const auto cut = [&](const auto& all, Index size) {
      return std::vector(all.begin() + begin * size, all.begin() + end * size);
    };
    EXPECT_TRUE(
        same_bits(cut(part.saved.get(), S::SavedView::record), cut(saved, S::SavedView::record)));
    EXPECT_TRUE(same_bits(cut(part.u.get(), channels), cut(h, channels)));
  }
}

TEST(CudaHead, TokensDoNotDependOnTheirBatch) {
  expect_batch_independent<4, mhc::bf16>(1280);
  expect_batch_independent<4, float>(129);
}

TEST(CudaHead, WeightsAlone) {
  using S = HeadSite<4, mhc::bf16>;
  S with(33, 256, 51);
  S without(33, 256, 51);
  run<4, mhc::bf16>(with);
  const mhc::cuda::Head<4, mhc::bf16> head({without.parameters.data(), 256});
  Workspace workspace(head.workspace_bytes(33));
  head.forward(without.x_view(), {}, without.saved_view(), workspace, nullptr);
  EXPECT_TRUE(same_bits(without.saved.get(), with.saved.get()));
}

/// The final collapse of single-pass mHC.
template <int N, class Element>
void expect_aggregate(Index tokens, Index channels, Layout layout = {}) {
  using S = Site<N, Element>;
  S site(tokens, channels, 61, layout);
  const auto block = site.block();
  Workspace workspace(block.workspace_bytes(tokens));
  block.prepare(site.x_view(), site.u_view(), site.saved_view(), workspace, nullptr);
  DeviceArray<Element> u(site.u.size());
  mhc::cuda::aggregate<N, Element>(site.x_view(), site.saved_view().pre(),
                                   site.token_view(u.data()), nullptr);
  EXPECT_TRUE(same_bits(u.get(), site.u.get()));
}

TEST(CudaAggregate, HasTheBitsOfBlock) {
  expect_aggregate<4, mhc::bf16>(33, 264);
  expect_aggregate<4, mhc::bf16>(300, 129, {3, 1, true});
  expect_aggregate<2, float>(17, 256);
  expect_aggregate<8, mhc::f16>(17, 64);
  expect_aggregate<3, double>(17, 64);
  expect_aggregate<4, float>(0, 64);
}

}  // namespace
