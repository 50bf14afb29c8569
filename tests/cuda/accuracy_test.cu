// SPDX-License-Identifier: MIT
// Options, connections, layouts and extremes: the GPU against double on the host.

#include "accuracy.hpp"

namespace {

using mhc::Index;
using namespace mhc_test;

TEST(CudaAccuracy, LargeSites) {
  for (const Index channels : {2048, 4096, 5120, 7168}) {
    expect_accurate<Site<4, mhc::bf16>>(33, channels);
    expect_accurate<Site<4, float>>(3, channels);
  }
  expect_accurate<Site<4, mhc::bf16>>(1040, 1280);
}

/// Tiles of 16 tokens, boxes of 64 channels, parts of 256, and the kernels of few and many tokens.
TEST(CudaAccuracy, Tiles) {
  using S = Site<4, mhc::bf16>;
  for (const Index tokens : {0, 1, 15, 16, 17, 63, 257}) {
    for (const Index channels : {8, 64, 129, 256, 2048}) expect_accurate<S>(tokens, channels);
  }
  expect_accurate<S>(1040, 129);
  expect_accurate<S>(1040, 264);
  for (const Index channels : {4096, 7168}) expect_accurate<S>(1, channels);
  for (const Index tokens : {17, 273}) {
    expect_accurate<Site<2, mhc::bf16>>(tokens, 2048);
    expect_accurate<Site<3, mhc::bf16>>(tokens, 264);
    expect_accurate<Site<4, mhc::bf16, mhc::Unconstrained<mhc::FromToken>>>(tokens, 264);
  }
}

TEST(CudaAccuracy, Layouts) {
  for (const Layout& layout : {Layout{8, 0, false}, Layout{3, 0, false}, Layout{0, 1, false},
                               Layout{8, 0, true}, Layout{5, 3, true}}) {
    expect_all_elements<4>(9, 264, layout);
    expect_all_elements<3>(9, 129, layout);
  }
}

TEST(CudaAccuracy, SinkhornOptions) {
  using S = Site<4, float>;
  for (const auto first : {mhc::Axis::columns, mhc::Axis::rows}) {
    for (const auto divisor : {mhc::Divisor::plus_eps, mhc::Divisor::at_least_eps}) {
      for (const double eps : {0.0, 1e-6, 1e-3}) {
        for (const int iterations : {1, 3, 20}) {
          S::Options options;
          options.residual.first = first;
          options.residual.divisor = divisor;
          options.residual.divisor_eps = eps;
          options.residual.start_eps = eps;
          options.residual.iterations = iterations;
          expect_accurate<S>(33, 64, options);
        }
      }
    }
  }
}

TEST(CudaAccuracy, OtherOptions) {
  using S = Site<4, mhc::bf16>;
  for (const auto norm : {mhc::NormEps::in_root, mhc::NormEps::on_root, mhc::NormEps::least_root}) {
    S::Options options;
    options.norm = norm;
    options.norm_eps = 0.1;
    options.pre_eps = 1e-2;
    options.post_scale = 1.5;
    options.post_eps = 1e-2;
    options.normalize_pre = true;
    expect_accurate<S>(33, 256, options);
  }
}

TEST(CudaAccuracy, Connections) {
  using mhc::Constrained;
  expect_accurate<Site<4, mhc::bf16, mhc::HyperConnections>>(33, 256);
  expect_accurate<Site<4, float, mhc::Unconstrained<mhc::FromToken>>>(33, 256);
  expect_accurate<Site<4, float, mhc::Unconstrained<mhc::Static>>>(33, 256);
  expect_accurate<Site<4, mhc::bf16, mhc::OrdinaryResidual>>(33, 256);
  expect_accurate<Site<4, mhc::bf16, Constrained<mhc::PermutationSoftmax>>>(33, 256);
  expect_accurate<Site<5, float, Constrained<mhc::PermutationSoftmax>>>(33, 129);
  expect_accurate<Site<8, mhc::f16, Constrained<mhc::Kronecker>>>(33, 256);
  expect_accurate<Site<4, float, Constrained<mhc::Kronecker>>>(33, 256);
  expect_accurate<Site<4, mhc::bf16, Constrained<mhc::IdentityResidual>>>(33, 256);
  expect_accurate<Site<4, mhc::bf16, Constrained<mhc::SinkhornKnopp, mhc::FromStreams>>>(33, 256);
  expect_accurate<Site<4, mhc::bf16, Constrained<mhc::SinkhornKnopp, mhc::Static>>>(33, 256);
  expect_accurate<Site<4, float, Constrained<mhc::BirkhoffProjection>>>(33, 256);
  expect_accurate<Site<3, double, Constrained<mhc::BirkhoffProjection>>>(33, 64);
}

/// Logits so far apart that rows underflow: the log domain. Their own rounding, some 1e-7 of 1e4,
/// moves what they map to by as much as 1e-3: the logits are compared relatively, the rest to that.
TEST(CudaAccuracy, LogitsFarApart) {
  using S = Site<4, double>;
  for (const double eps : {0.0, 1e-6}) {
    S::Options options;
    options.residual.divisor_eps = eps;
    options.residual.start_eps = eps;
    expect_accurate<S>(33, 64, options, {}, 300.0);
  }
  S site(257, 64, 5, {}, 1e4);
  const auto block = site.block();
  Workspace workspace(block.workspace_bytes(site.tokens));
  block.prepare(site.x_view(), site.u_view(), site.saved_view(), workspace, nullptr);
  for (const double value : site.saved.get()) ASSERT_TRUE(std::isfinite(value));
  using F = Site<4, mhc::bf16>;
  F narrow(257, 64, 5, {}, 1e4);
  const auto narrow_block = narrow.block();
  Workspace narrow_workspace(narrow_block.workspace_bytes(narrow.tokens));
  narrow_block.prepare(narrow.x_view(), narrow.u_view(), narrow.saved_view(), narrow_workspace,
                       nullptr);
  const auto saved = narrow.saved.get();
  for (const float value : saved) ASSERT_TRUE(std::isfinite(value));
  for (Index t = 0; t < narrow.tokens; ++t) {
    for (int o = 0; o < 4; ++o) {
      float row = 0;
      for (int i = 0; i < 4; ++i) {
        row += saved[static_cast<std::size_t>(t * F::SavedView::record + F::SavedView::res_offset +
                                              o * 4 + i)];
      }
      ASSERT_NEAR(row, 1.0f, 1e-5f);
    }
  }
}

template <class S>
void expect_finite(double scale_of_x) {
  for (const Index tokens : {17, 300}) {
    S site(tokens, 256, 3, {}, 1.0, scale_of_x);
    const auto block = site.block();
    Workspace workspace(block.workspace_bytes(site.tokens));
    block.prepare(site.x_view(), site.u_view(), site.saved_view(), workspace, nullptr);
    block.finish(site.x_view(), site.v_view(), site.saved_view(), site.x_next_view(), nullptr);
    for (const auto value : site.saved.get()) ASSERT_TRUE(std::isfinite(value));
    for (const auto value : site.packed_tokens(site.u.get())) {
      ASSERT_TRUE(std::isfinite(static_cast<double>(value)));
    }
    for (const auto value : site.packed_streams(site.x_next.get())) {
      ASSERT_TRUE(std::isfinite(static_cast<double>(value)));
    }
  }
}

/// Above 1e19 the squares overflow in float: r is 0, and the mappings are those of b.
TEST(CudaAccuracy, HugeValuesStayFinite) {
  for (const double scale : {1e15, 2e29}) {
    expect_finite<Site<4, float>>(scale);
    expect_finite<Site<4, mhc::bf16>>(scale);
    expect_finite<Site<2, mhc::bf16>>(scale);
    expect_finite<Site<8, mhc::bf16>>(scale);
    expect_finite<Site<4, float, mhc::HyperConnections>>(scale);
  }
  expect_accurate<Site<4, float>>(33, 256, {}, {}, 1.0, 4e-6, 1e15);
  expect_accurate<Site<4, mhc::bf16>>(33, 256, {}, {}, 1.0, 4e-6, 1e15);
  expect_accurate<Site<4, double>>(33, 256, {}, {}, 1.0, 4e-6, 1e30);
  using S = Site<4, mhc::bf16>;
  S site(17, 256, 3, {}, 1.0, 2e29);
  const auto block = site.block();
  Workspace workspace(block.workspace_bytes(17));
  block.prepare(site.x_view(), {}, site.saved_view(), workspace, nullptr);
  const auto saved = site.saved.get();
  const auto b = site.host_parameters.end() - 24;
  for (Index t = 0; t < 17; ++t) {
    const auto logits = saved.begin() + t * S::SavedView::record + S::SavedView::logits_offset;
    for (int l = 0; l < 24; ++l) ASSERT_EQ(logits[l], b[l]);
  }
}

}  // namespace
