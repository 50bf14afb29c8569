// SPDX-License-Identifier: MIT
// Checkpoints with other layouts are permuted once, at load time, and then give the same site.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/fill.hpp"
#include "support/refused.hpp"

namespace {

using mhc::Index;
using mhc::StoredLayout;

constexpr int n = 4;
constexpr Index channels = 5;
constexpr Index K = n * channels;
constexpr Index R = n * (n + 2);

/// The tensors of DeepSeek-V4: hc_attn_fn (24, 4C), hc_attn_scale (3), hc_attn_base (24).
template <class Element>
struct Stored {
  std::vector<Element> fn = std::vector<Element>(static_cast<std::size_t>(R * K));
  std::vector<Element> scale = std::vector<Element>(3);
  std::vector<Element> base = std::vector<Element>(static_cast<std::size_t>(R));

  static Stored random(std::uint64_t seed) {
    Stored stored;
    mhc_test::Random numbers(seed);
    mhc_test::fill(numbers, stored.fn.data(), R * K, 0.3);
    mhc_test::fill(numbers, stored.scale.data(), 3);
    mhc_test::fill(numbers, stored.base.data(), R);
    return stored;
  }
};

template <class Element, class Scalar>
mhc::Parameters<n, Scalar> load(const StoredLayout& layout, const Stored<Element>& stored) {
  mhc::Parameters<n, Scalar> parameters(channels);
  mhc::load_stored(layout, stored.fn.data(), stored.scale.data(), stored.base.data(),
                   parameters.view());
  return parameters;
}

template <class Element>
double at(const std::vector<Element>& values, Index i) {
  return static_cast<double>(values[static_cast<std::size_t>(i)]);
}

TEST(StoredLayout, LoadsEveryNumberOfV4) {
  const auto stored = Stored<double>::random(1);
  const auto parameters = load<double, double>(mhc::families::DeepSeekV4::layout(), stored);
  for (Index k = 0; k < K; ++k) {
    for (Index r = 0; r < 2 * n; ++r) {
      EXPECT_EQ(parameters.phi()(k, r), at(stored.fn, r * K + k));
    }
    for (Index source = 0; source < n; ++source) {
      for (Index target = 0; target < n; ++target) {
        EXPECT_EQ(parameters.phi()(k, 2 * n + target * n + source),
                  at(stored.fn, (2 * n + source * n + target) * K + k));
      }
    }
  }
  for (Index i = 0; i < n; ++i) {
    EXPECT_EQ(parameters.b_pre()(i), at(stored.base, i));
    EXPECT_EQ(parameters.b_post()(i), at(stored.base, n + i));
    for (Index j = 0; j < n; ++j) {
      EXPECT_EQ(parameters.b_res()(i, j), at(stored.base, 2 * n + j * n + i));
    }
  }
  for (Index g = 0; g < 3; ++g) EXPECT_EQ(parameters.alpha()(g), at(stored.scale, g));
}

TEST(StoredLayout, LayoutOfThePaperIsThatOfTheLibrary) {
  const auto stored = Stored<double>::random(2);
  const auto parameters = load<double, double>(mhc::families::Paper::layout(), stored);
  EXPECT_TRUE(mhc_test::same_bits(parameters.phi().data(), stored.fn.data(), R * K));
  EXPECT_TRUE(mhc_test::same_bits(parameters.alpha().data(), stored.scale.data(), 3));
  EXPECT_TRUE(mhc_test::same_bits(parameters.b().data(), stored.base.data(), R));
}

TEST(StoredLayout, EveryLayoutRoundTrips) {
  using Phi = StoredLayout::Phi;
  using Res = StoredLayout::Res;
  const auto stored = Stored<float>::random(3);
  for (const StoredLayout layout :
       {StoredLayout{Phi::rows, Res::out_in}, StoredLayout{Phi::rows, Res::src_dst},
        StoredLayout{Phi::columns, Res::out_in}, StoredLayout{Phi::columns, Res::src_dst}}) {
    const auto parameters = load<float, double>(layout, stored);
    Stored<float> back;
    mhc::save_stored(layout, parameters.view(), back.fn.data(), back.scale.data(),
                     back.base.data());
    EXPECT_EQ(back.fn, stored.fn);
    EXPECT_EQ(back.scale, stored.scale);
    EXPECT_EQ(back.base, stored.base);
  }
}

TEST(StoredLayout, ConstViewCanBeSaved) {
  const auto stored = Stored<float>::random(4);
  const auto parameters = load<float, float>(mhc::families::DeepSeekV4::layout(), stored);
  Stored<float> back;
  mhc::save_stored(mhc::families::DeepSeekV4::layout(), parameters.view(), back.fn.data(),
                   back.scale.data(), back.base.data());
  EXPECT_EQ(back.fn, stored.fn);
}

template <class Element>
void expect_exact_from() {
  const auto stored = Stored<Element>::random(5);
  const auto parameters = load<Element, float>(mhc::families::Paper::layout(), stored);
  for (Index i = 0; i < R * K; ++i) {
    ASSERT_EQ(static_cast<double>(parameters.phi().data()[i]), at(stored.fn, i));
  }
  Stored<Element> back;
  mhc::save_stored(mhc::families::Paper::layout(), parameters.view(), back.fn.data(),
                   back.scale.data(), back.base.data());
  EXPECT_TRUE(mhc_test::same_bits(back.fn.data(), stored.fn.data(), R * K));
  EXPECT_TRUE(mhc_test::same_bits(back.base.data(), stored.base.data(), R));
}

TEST(StoredLayout, SixteenBitTensorsAreExact) {
  expect_exact_from<mhc::bf16>();
  expect_exact_from<mhc::f16>();
  expect_exact_from<float>();
}

// DeepSeek-V4's forward for one token, a transcript of its published recipe in its own layout:
// comb[source][target], softmax over targets plus eps, columns, then 19 times rows and columns.
struct V4 {
  std::vector<double> layer_input = std::vector<double>(static_cast<std::size_t>(channels));
  std::vector<double> output = std::vector<double>(static_cast<std::size_t>(K));
};

V4 v4_forward(const Stored<double>& stored, const double* x, const double* sublayer) {
  constexpr double eps = 1e-6;
  double mean_square = 0;
  for (Index k = 0; k < K; ++k) mean_square += x[k] * x[k] / static_cast<double>(K);
  double logits[R];
  for (Index r = 0; r < R; ++r) {
    double mix = 0;
    for (Index k = 0; k < K; ++k) mix += x[k] * at(stored.fn, r * K + k);
    const Index gate = r < n ? 0 : r < 2 * n ? 1 : 2;
    logits[r] = mix / std::sqrt(mean_square + eps) * at(stored.scale, gate) + at(stored.base, r);
  }
  double comb[n][n];
  for (int s = 0; s < n; ++s) {
    double sum = 0;
    for (int d = 0; d < n; ++d) sum += std::exp(logits[2 * n + s * n + d]);
    for (int d = 0; d < n; ++d) comb[s][d] = std::exp(logits[2 * n + s * n + d]) / sum + eps;
  }
  const auto divide_columns = [&] {
    for (int d = 0; d < n; ++d) {
      double sum = eps;
      for (int s = 0; s < n; ++s) sum += comb[s][d];
      for (int s = 0; s < n; ++s) comb[s][d] /= sum;
    }
  };
  divide_columns();
  for (int iteration = 1; iteration < 20; ++iteration) {
    for (int s = 0; s < n; ++s) {
      double sum = eps;
      for (int d = 0; d < n; ++d) sum += comb[s][d];
      for (int d = 0; d < n; ++d) comb[s][d] /= sum;
    }
    divide_columns();
  }
  V4 result;
  for (Index c = 0; c < channels; ++c) {
    for (int s = 0; s < n; ++s) {
      const double pre = 1 / (1 + std::exp(-logits[s])) + eps;
      result.layer_input[static_cast<std::size_t>(c)] += pre * x[s * channels + c];
    }
    for (int d = 0; d < n; ++d) {
      double& out = result.output[static_cast<std::size_t>(d * channels + c)];
      out = 2 / (1 + std::exp(-logits[n + d])) * sublayer[c];
      for (int s = 0; s < n; ++s) out += comb[s][d] * x[s * channels + c];
    }
  }
  return result;
}

/// The largest difference between a block with these parameters and the transcript.
double difference_from_v4(const StoredLayout& layout, mhc::ManifoldConstrained::Options options) {
  constexpr Index tokens = 6;
  const auto stored = Stored<double>::random(6);
  const auto parameters = load<double, double>(layout, stored);
  const mhc::Block<n, double> block(parameters, options);
  mhc_test::Random random(7);
  mhc::Streams<double> x(tokens, n, channels);
  mhc::Streams<double> x_next(tokens, n, channels);
  mhc::Tokens<double> u(tokens, channels);
  mhc::Tokens<double> v(tokens, channels);
  mhc_test::fill(random, x.view());
  mhc_test::fill(random, v.view());
  mhc::Block<n, double>::Saved saved(tokens);
  block.prepare(x, u, saved);
  block.finish(x, v, saved, x_next);
  double worst = 0;
  for (Index t = 0; t < tokens; ++t) {
    const V4 expected = v4_forward(stored, x.view().row(t, 0), v.view().row(t));
    for (Index c = 0; c < channels; ++c) {
      worst = std::max(worst, std::fabs(u.view().row(t)[c] - at(expected.layer_input, c)));
    }
    for (Index k = 0; k < K; ++k) {
      worst = std::max(worst, std::fabs(x_next.view().row(t, 0)[k] - at(expected.output, k)));
    }
  }
  return worst;
}

TEST(StoredLayout, V4SiteMatchesItsRecipe) {
  EXPECT_LE(
      difference_from_v4(mhc::families::DeepSeekV4::layout(), mhc::families::DeepSeekV4::options()),
      1e-12);
}

TEST(StoredLayout, WrongOrientationOrPresetIsDetected) {
  const StoredLayout transposed{StoredLayout::Phi::rows, StoredLayout::Res::out_in};
  EXPECT_GE(difference_from_v4(transposed, mhc::families::DeepSeekV4::options()), 0.01);
  EXPECT_GE(
      difference_from_v4(mhc::families::Paper::layout(), mhc::families::DeepSeekV4::options()),
      0.01);
  const double of_paper =
      difference_from_v4(mhc::families::DeepSeekV4::layout(), mhc::families::Paper::options());
  EXPECT_GE(of_paper, 1e-8);
  EXPECT_LE(of_paper, 1e-3);
}

TEST(StoredLayout, TakesOwnersAndViews) {
  const auto stored = Stored<float>::random(3);
  const auto layout = mhc::families::DeepSeekV4::layout();
  mhc::Parameters<n> owner(channels);
  mhc::Parameters<n> by_view(channels);
  mhc::load_stored(layout, stored.fn.data(), stored.scale.data(), stored.base.data(), owner);
  mhc::load_stored(layout, stored.fn.data(), stored.scale.data(), stored.base.data(),
                   by_view.view());
  EXPECT_TRUE(mhc_test::same_bits(owner.span().data, by_view.span().data, owner.span().size));
  Stored<float> back;
  const auto& const_owner = owner;
  mhc::save_stored(layout, const_owner, back.fn.data(), back.scale.data(), back.base.data());
  EXPECT_EQ(back.fn, stored.fn);
  EXPECT_EQ(back.base, stored.base);
  std::vector<float> weight(static_cast<std::size_t>(K), 2.0F);
  mhc::fold_norm_weight(const_owner, weight.data(), 0.0, by_view);
  EXPECT_EQ(by_view.phi()(3, 2), 2.0F * owner.phi()(3, 2));
}

TEST(StoredLayout, NullPointersAreReported) {
  auto stored = Stored<float>::random(6);
  mhc::Parameters<n> parameters(channels);
  const auto layout = mhc::families::DeepSeekV4::layout();
  const float* const none = nullptr;
  EXPECT_REFUSED(
      mhc::load_stored(layout, none, stored.scale.data(), stored.base.data(), parameters.view()),
      "mhc::load_stored: phi has no data");
  EXPECT_REFUSED(
      mhc::load_stored(layout, stored.fn.data(), none, stored.base.data(), parameters.view()),
      "mhc::load_stored: alpha has no data");
  EXPECT_REFUSED(
      mhc::load_stored(layout, stored.fn.data(), stored.scale.data(), none, parameters.view()),
      "mhc::load_stored: b has no data");
  EXPECT_REFUSED(mhc::load_stored(layout, stored.fn.data(), stored.scale.data(), stored.base.data(),
                                  mhc::ParametersView<n>()),
                 "mhc::load_stored: parameters have 0 channels");
}

TEST(StoredAlphaBeta, NullPointersAreReported) {
  mhc::Parameters<n, float, mhc::HyperConnections> parameters(channels);
  std::vector<float> numbers(100);
  mhc::StoredAlphaBeta<const float> stored{numbers.data(), numbers.data(), numbers.data(),
                                           numbers.data(), numbers.data(), numbers.data(),
                                           numbers.data()};
  mhc::load_stored(stored, parameters.view());
  stored.static_beta = nullptr;
  EXPECT_REFUSED(mhc::load_stored(stored, parameters.view()),
                 "mhc::load_stored: static_beta has no data");
}

TEST(NormWeight, NullPointersAndOtherChannelsAreReported) {
  using Parameters = mhc::Parameters<n>;
  Parameters parameters(channels);
  Parameters folded(channels);
  Parameters narrow(channels - 1);
  const std::vector<float> weight(static_cast<std::size_t>(K), 1.0F);
  const float* const none = nullptr;
  const Parameters::ConstView from = parameters.view();
  EXPECT_REFUSED(mhc::fold_norm_weight(from, none, 0.0, folded.view()),
                 "mhc::fold_norm_weight: weight has no data");
  EXPECT_REFUSED(mhc::fold_norm_weight(from, weight.data(), 0.0, narrow.view()),
                 "mhc::fold_norm_weight: folded has 4 channels, expected 5");
}

TEST(NormWeight, FoldsInPlace) {
  using Parameters = mhc::Parameters<n>;
  const auto stored = Stored<float>::random(7);
  auto parameters = load<float, float>(mhc::families::Paper::layout(), stored);
  Parameters folded(channels);
  std::vector<float> weight(static_cast<std::size_t>(K));
  for (Index k = 0; k < K; ++k) weight[static_cast<std::size_t>(k)] = 0.1F * static_cast<float>(k);
  mhc::fold_norm_weight(parameters.view(), weight.data(), 1.0, folded.view());
  for (Index k = 0; k < K; ++k) {
    for (Index r = 0; r < R; ++r) {
      EXPECT_EQ(folded.phi()(k, r),
                parameters.phi()(k, r) * (1.0F + weight[static_cast<std::size_t>(k)]));
    }
  }
  EXPECT_TRUE(mhc_test::same_bits(folded.b().data(), parameters.b().data(), R));
  mhc::fold_norm_weight(parameters.view(), weight.data(), 1.0, parameters.view());
  EXPECT_TRUE(mhc_test::same_bits(parameters.span().data, folded.span().data, folded.span().size));
}

}  // namespace
