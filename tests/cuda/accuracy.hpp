// SPDX-License-Identifier: MIT
#pragma once

// The GPU's mappings, u and x_next against mhc::Block in double on the host.

#include <cmath>
#include <vector>

#include "reference.hpp"
#include "site.hpp"

namespace mhc_test {

using mhc::Index;

/// |a - b| / |b| over columns [first, last) of all records.
template <class Scalar>
double relative(const std::vector<Scalar>& a, const std::vector<double>& b, Index record, int first,
                int last) {
  double error = 0;
  double norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto column = static_cast<int>(static_cast<Index>(i) % record);
    if (column < first || column >= last) continue;
    error += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += b[i] * b[i];
  }
  return error == 0 ? 0 : std::sqrt(error / norm);
}

/// Half the distance between neighbouring numbers of an element, relative to a number.
template <class Element>
constexpr double half_ulp = std::is_same_v<Element, mhc::bf16>  ? 0x1p-8
                            : std::is_same_v<Element, mhc::f16> ? 0x1p-11
                            : std::is_same_v<Element, float>    ? 0x1p-24
                                                                : 0x1p-53;

/// One rounding of the element, and the rounding of the sum before it, of terms as large as
/// `magnitude`.
template <class Element>
void expect_rounded(const std::vector<Element>& got, const std::vector<double>& exact,
                    const std::vector<double>& magnitude, double slack) {
  ASSERT_EQ(got.size(), exact.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double bound = 1.01 * half_ulp<Element> * std::abs(exact[i]) + slack * magnitude[i] +
                         (std::is_same_v<Element, mhc::f16> ? 0x1p-25 : 1e-38);
    ASSERT_NEAR(static_cast<double>(got[i]), exact[i], bound) << "value " << i;
  }
}

template <class S>
void expect_accurate(Index tokens, Index channels, const typename S::Options& options = {},
                     Layout layout = {}, double logits = 1.0, double tolerance = 4e-6,
                     double scale_of_x = 1.0) {
  constexpr int N = S::Block::streams;
  using Scalar = typename S::Scalar;
  using Element = typename S::Element;
  using Connection = typename S::Connection;
  SCOPED_TRACE(::testing::Message() << "n = " << N << ", T = " << tokens << ", C = " << channels
                                    << ", " << sizeof(Element) << " bytes");
  const bool wide = std::is_same_v<Element, double>;
  if (wide) tolerance = 1e-12;
  S site(tokens, channels, 7 + static_cast<std::uint64_t>(tokens * 131 + channels), layout, logits,
         scale_of_x);
  const auto block = site.block(options);
  Workspace workspace(block.workspace_bytes(tokens));
  block.prepare(site.x_view(), site.u_view(), site.saved_view(), workspace, nullptr);
  block.finish(site.x_view(), site.v_view(), site.saved_view(), site.x_next_view(), nullptr);
  mhc::cuda::check("accuracy", cudaDeviceSynchronize());
  const auto saved = site.saved.get();
  const auto u = site.packed_tokens(site.u.get());
  const auto x_next = site.packed_streams(site.x_next.get());

  // The same in double, from the same numbers.
  auto parameters = cast<double>(site.host_parameters);
  const auto x = cast<double>(site.packed_streams(site.host_x));
  const auto v = cast<double>(site.packed_tokens(site.host_v));
  mhc::Saved<N, double, Connection> exact(tokens);
  std::vector<double> exact_u(u.size());
  std::vector<double> exact_next(x_next.size());
  const mhc::StreamView<const double> x_view(x.data(), tokens, N, channels);
  const mhc::TokenView<const double> v_view(v.data(), tokens, channels);
  reference_prepare<N, Connection>({parameters.data(), channels}, options, x_view, exact.view());
  const auto records = exact.view().records();
  const std::vector<double> exact_saved(records.data, records.data + tokens * S::SavedView::record);
  using V = typename S::SavedView;
  const int parts[][2] = {{0, V::raw_offset},
                          {V::raw_offset, V::logits_offset},
                          {V::logits_offset, V::pre_offset},
                          {V::pre_offset, V::post_offset},
                          {V::post_offset, V::res_offset},
                          {V::res_offset, V::record}};
  for (const auto& part : parts) {
    EXPECT_LE(relative(saved, exact_saved, V::record, part[0], part[1]), tolerance)
        << "columns " << part[0] << " to " << part[1];
  }
  // u and x_next, from the mappings that the GPU saved, are sums of n + 1 products at most.
  std::vector<double> next_magnitude(x_next.size());
  std::vector<double> u_magnitude(u.size());
  for (Index t = 0; t < tokens; ++t) {
    const Scalar* record = saved.data() + t * V::record;
    for (Index c = 0; c < channels; ++c) {
      const auto at = static_cast<std::size_t>(t * channels + c);
      exact_u[at] = 0;
      for (int i = 0; i < N; ++i) {
        const double term = static_cast<double>(record[V::pre_offset + i]) * x_view.row(t, i)[c];
        exact_u[at] += term;
        u_magnitude[at] += std::abs(term);
      }
      for (int o = 0; o < N; ++o) {
        const auto to = static_cast<std::size_t>((t * N + o) * channels + c);
        exact_next[to] = static_cast<double>(record[V::post_offset + o]) * v_view.row(t)[c];
        next_magnitude[to] = std::abs(exact_next[to]);
        for (int i = 0; i < N; ++i) {
          const double term =
              static_cast<double>(record[V::res_offset + o * N + i]) * x_view.row(t, i)[c];
          exact_next[to] += term;
          next_magnitude[to] += std::abs(term);
        }
      }
    }
  }
  const double slack = (N + 1) * (wide ? 0x1p-53 : 0x1p-24);
  expect_rounded(u, exact_u, u_magnitude, slack);
  expect_rounded(x_next, exact_next, next_magnitude, slack);
}

template <int N>
void expect_all_elements(Index tokens, Index channels, Layout layout = {}) {
  expect_accurate<Site<N, float>>(tokens, channels, {}, layout);
  expect_accurate<Site<N, mhc::bf16>>(tokens, channels, {}, layout);
  expect_accurate<Site<N, mhc::f16>>(tokens, channels, {}, layout);
  expect_accurate<Site<N, double>>(tokens, channels, {}, layout);
}

}  // namespace mhc_test
