// SPDX-License-Identifier: MIT
// 16-bit elements: copies preserve every bit pattern, and every result is the float result, rounded
// once to nearest even.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/fill.hpp"
#include "support/kernel_instances.hpp"

namespace {

using mhc::bf16;
using mhc::f16;
using mhc::Index;
using mhc_test::bits_of;
using mhc_test::from_bits;
using mhc_test::is_nan;
using mhc_test::same_bits;

/// The parameters of the format, for rounding without bit tricks.
template <class Element>
struct Format;
template <>
struct Format<bf16> {
  static constexpr int precision = 8;  // significant bits, including the hidden bit
  static constexpr int least = -133;   // exponent of the smallest subnormal
  static constexpr int most = 127;     // exponent of the largest number
};
template <>
struct Format<f16> {
  static constexpr int precision = 11;
  static constexpr int least = -24;
  static constexpr int most = 15;
};

/// The nearest number of the format, ties to even, as a float; infinity on overflow.
template <class Element>
float rounded(float value) {
  using F = Format<Element>;
  if (value == 0.0F || std::isinf(value)) return value;
  const int ulp = std::max(std::ilogb(value) - (F::precision - 1), F::least);
  const double nearest = std::nearbyint(std::ldexp(static_cast<double>(value), -ulp));  // to even
  const double result = std::ldexp(nearest, ulp);
  if (std::fabs(result) >= std::ldexp(1.0, F::most + 1)) {
    return std::copysign(std::numeric_limits<float>::infinity(), value);
  }
  return std::copysign(static_cast<float>(result), value);
}

template <class Element>
class ElementTest : public testing::Test {};
using Elements = testing::Types<bf16, f16>;
struct Names {
  template <class Element>
  static std::string GetName(int) {
    return std::is_same_v<Element, bf16> ? "bf16" : "f16";
  }
};
TYPED_TEST_SUITE(ElementTest, Elements, Names);

/// All 65536 bit patterns, in rows of `channels`, so that both packs and remainders process them.
template <class Element>
mhc::Tokens<Element> all_patterns(Index channels) {
  mhc::Tokens<Element> values((65536 + channels - 1) / channels, channels);
  for (Index i = 0; i < values.size(); ++i) {
    values.data()[i] = from_bits<Element>(static_cast<std::uint16_t>(i % 65536));
  }
  return values;
}

template <class Element>
void expect_copied(Element from, Element to) {
  if (is_nan(from)) {
    EXPECT_TRUE(is_nan(to)) << std::hex << bits_of(from) << " became " << bits_of(to);
    const auto quiet = static_cast<std::uint16_t>((1 << (Format<Element>::precision - 2)));
    EXPECT_NE(bits_of(to) & quiet, 0) << std::hex << bits_of(to) << " signals";
    EXPECT_EQ(bits_of(to) >> 15, bits_of(from) >> 15) << "the sign of a NaN";
  } else {
#if defined(__FAST_MATH__)
    // -ffast-math makes the processor flush subnormal numbers to zero.
    if ((bits_of(from) & mhc_test::exponent_bits<Element>()) == 0) return;
#endif
    EXPECT_EQ(bits_of(from), bits_of(to)) << std::hex << bits_of(from);
  }
}

TYPED_TEST(ElementTest, EveryBitPatternSurvivesExpandRepeat) {
  for (const Index channels : {64, 13, 1}) {
    const auto h = all_patterns<TypeParam>(channels);
    mhc::Streams<TypeParam> x(h.tokens(), 2, channels);
    mhc::expand_repeat(h, x);
    for (Index t = 0; t < h.tokens(); ++t) {
      for (Index i = 0; i < 2; ++i) {
        for (Index c = 0; c < channels; ++c) {
          expect_copied(h.view().row(t)[c], x.view().row(t, i)[c]);
        }
      }
    }
  }
}

TYPED_TEST(ElementTest, EveryBitPatternSurvivesOneHotUnchanged) {
  const auto h = all_patterns<TypeParam>(64);
  mhc::Streams<TypeParam> x(h.tokens(), 3, 64);
  mhc::expand_one_hot(h, x, 1);
  EXPECT_TRUE(same_bits(h.view(), x.view().stream(1)));
  mhc::Tokens<TypeParam> back(h.tokens(), 64);
  mhc::expand_one_hot_backward(x, back, 1);
  EXPECT_TRUE(same_bits(h.view(), back.view()));
}

TYPED_TEST(ElementTest, EveryFiniteNumberSurvivesTheIdentityMerge) {
  // x' = 1 x + 0 v: exact for all finite numbers; -0 + 0 v may be +0.
  for (const Index channels : {64, 13}) {
    auto h = all_patterns<TypeParam>(channels);
    for (Index i = 0; i < h.size(); ++i) {
      if (!mhc_test::is_finite(h.data()[i])) h.data()[i] = TypeParam(1.0F);
    }
    const Index tokens = h.tokens();
    const mhc::StreamView<const TypeParam> x(h.data(), tokens, 1, channels);
    mhc::Tokens<TypeParam> v(tokens, channels);
    mhc::Tokens<float> post(tokens, 1);
    mhc::Streams<float> res(tokens, 1, 1);
    for (Index t = 0; t < tokens; ++t) *res.view().row(t, 0) = 1.0F;
    mhc::Streams<TypeParam> x_next(tokens, 1, channels);
    mhc::merge<1>(x, v, post, res, x_next);
    for (Index i = 0; i < h.size(); ++i) {
      if (static_cast<float>(h.data()[i]) == 0.0F) {
        EXPECT_EQ(static_cast<float>(x_next.data()[i]), 0.0F);
      } else {
        expect_copied(h.data()[i], x_next.data()[i]);
      }
    }
  }
}

/// value = 1 * (element + element): the sum of two elements in float, rounded once.
template <class Element>
Element sum_of(Element a, Element b) {
  const Element two[2] = {a, b};
  Element h;
  mhc::collapse_sum(mhc::StreamView<const Element>(two, 1, 2, 1),
                    mhc::TokenView<Element>(&h, 1, 1));
  return h;
}

TYPED_TEST(ElementTest, TiesGoToEven) {
  const int half_ulp = -Format<TypeParam>::precision;  // of 1
  const auto one = TypeParam(1.0F);
  const auto ulp = TypeParam(std::ldexp(1.0F, half_ulp + 1));
  const auto half = TypeParam(std::ldexp(1.0F, half_ulp));
  const auto one_and_ulp = sum_of(one, ulp);
  EXPECT_EQ(bits_of(one_and_ulp), bits_of(one) + 1);
  EXPECT_EQ(bits_of(sum_of(one, half)), bits_of(one));              // down to even
  EXPECT_EQ(bits_of(sum_of(one_and_ulp, half)), bits_of(one) + 2);  // up to even
  const auto more = TypeParam(std::ldexp(1.0F + 0x1p-4F, half_ulp));
  const auto less = TypeParam(std::ldexp(1.0F - 0x1p-4F, half_ulp));
  EXPECT_EQ(bits_of(sum_of(one, more)), bits_of(one) + 1);
  EXPECT_EQ(bits_of(sum_of(one_and_ulp, less)), bits_of(one) + 1);
}

TYPED_TEST(ElementTest, OverflowBecomesInfinity) {
#if defined(__FAST_MATH__)
  GTEST_SKIP() << "-ffast-math assumes that there is no infinity";
#endif
  const auto infinity = mhc_test::exponent_bits<TypeParam>();
  const auto largest = from_bits<TypeParam>(static_cast<std::uint16_t>(infinity - 1));
  const int ulp = Format<TypeParam>::most - (Format<TypeParam>::precision - 1);
  const auto below_half = TypeParam(std::ldexp(1.0F - 0x1p-4F, ulp - 1));
  const auto half = TypeParam(std::ldexp(1.0F, ulp - 1));
  EXPECT_EQ(bits_of(sum_of(largest, below_half)), bits_of(largest));
  EXPECT_EQ(bits_of(sum_of(largest, half)), infinity);
  EXPECT_EQ(bits_of(sum_of(largest, largest)), infinity);
  EXPECT_EQ(bits_of(sum_of(TypeParam(-largest), TypeParam(-half))), infinity | 0x8000);
}

TYPED_TEST(ElementTest, SubnormalNumbersAreExact) {
#if defined(__FAST_MATH__)
  GTEST_SKIP() << "-ffast-math makes the processor flush subnormal numbers to zero";
#endif
  const auto bits = [](int value) {
    return from_bits<TypeParam>(static_cast<std::uint16_t>(value));
  };
  for (const int a : {1, 2, 3, 50, 101}) {
    for (const int b : {1, 2, 77}) {
      EXPECT_EQ(bits_of(sum_of(bits(a), bits(b))), a + b);
      EXPECT_EQ(bits_of(sum_of(bits(a + b), bits(0x8000 + b))), a);
    }
  }
}

/// Random numbers over the whole range of exponents, small next to large.
template <class Element>
void fill_widely(mhc_test::Random& random, Element* values, Index size) {
  for (Index i = 0; i < size; ++i) {
    const auto exponent = static_cast<int>(random.integer(-9, 3));
    values[i] = Element(static_cast<float>(std::ldexp(random.normal(), exponent)));
  }
}

template <class Element>
std::vector<float> as_float(const Element* values, Index size) {
  std::vector<float> result;
  for (Index i = 0; i < size; ++i) result.push_back(static_cast<float>(values[i]));
  return result;
}

/// Every element of `stored` is the corresponding float, rounded.
template <class Element>
testing::AssertionResult is_rounded(const Element* stored, const std::vector<float>& computed) {
  for (std::size_t i = 0; i < computed.size(); ++i) {
    const auto expected = Element(rounded<Element>(computed[i]));
    if (bits_of(stored[i]) != bits_of(expected)) {
      return testing::AssertionFailure()
             << "element " << i << " is " << static_cast<float>(stored[i]) << ", but the float is "
             << computed[i] << ", which rounds to " << static_cast<float>(expected);
    }
  }
  return testing::AssertionSuccess();
}

constexpr int n = 3;

TYPED_TEST(ElementTest, AggregateAndMergeRoundOnce) {
  for (const Index channels : {1, 7, 8, 61, 200}) {
    constexpr Index tokens = 9;
    mhc_test::Random random(static_cast<std::uint64_t>(channels));
    mhc::Streams<TypeParam> x(tokens, n, channels);
    mhc::Tokens<TypeParam> v(tokens, channels);
    mhc::Tokens<float> pre(tokens, n);
    mhc::Tokens<float> post(tokens, n);
    mhc::Streams<float> res(tokens, n, n);
    fill_widely(random, x.data(), x.size());
    fill_widely(random, v.data(), v.size());
    mhc_test::fill(random, pre.view());
    mhc_test::fill(random, post.view());
    mhc_test::fill(random, res.view());
    const auto x_values = as_float(x.data(), x.size());
    const auto v_values = as_float(v.data(), v.size());
    const mhc::StreamView<const float> x_float(x_values.data(), tokens, n, channels);
    const mhc::TokenView<const float> v_float(v_values.data(), tokens, channels);

    mhc::Tokens<TypeParam> u(tokens, channels);
    std::vector<float> u_values(static_cast<std::size_t>(u.size()));
    mhc::aggregate<n>(x, pre, u);
    mhc::aggregate<n>(x_float, pre, mhc::TokenView<float>(u_values.data(), tokens, channels));
    EXPECT_TRUE(is_rounded(u.data(), u_values)) << "aggregate";

    mhc::Streams<TypeParam> x_next(tokens, n, channels);
    std::vector<float> next_values(static_cast<std::size_t>(x.size()));
    mhc::merge<n>(x, v, post, res, x_next);
    mhc::merge<n>(x_float, v_float, post, res,
                  mhc::StreamView<float>(next_values.data(), tokens, n, channels));
    EXPECT_TRUE(is_rounded(x_next.data(), next_values)) << "merge";

    // Backward, with x_next as the cotangent.
    mhc::Streams<TypeParam> dx(tokens, n, channels);
    mhc::Tokens<TypeParam> dv(tokens, channels);
    mhc::Tokens<float> dpost(tokens, n);
    mhc::Streams<float> dres(tokens, n, n);
    mhc::merge_backward<n>(mhc::MergeInputs<TypeParam>{x, v, post, res}, x_next,
                           mhc::MergeGradients<TypeParam>{dx, dv, dpost, dres});
    const auto cotangent = as_float(x_next.data(), x_next.size());
    std::vector<float> dx_values(static_cast<std::size_t>(dx.size()));
    std::vector<float> dv_values(static_cast<std::size_t>(dv.size()));
    mhc::Tokens<float> dpost_float(tokens, n);
    mhc::Streams<float> dres_float(tokens, n, n);
    mhc::merge_backward<n>(mhc::MergeInputs<float>{x_float, v_float, post, res},
                           mhc::StreamView<const float>(cotangent.data(), tokens, n, channels),
                           mhc::MergeGradients<float>{{dx_values.data(), tokens, n, channels},
                                                      {dv_values.data(), tokens, channels},
                                                      dpost_float,
                                                      dres_float});
    EXPECT_TRUE(is_rounded(dx.data(), dx_values)) << "dx of merge";
    EXPECT_TRUE(is_rounded(dv.data(), dv_values)) << "dv of merge";
    EXPECT_TRUE(same_bits(dpost.view(), dpost_float.view())) << "a float from the same numbers";
    EXPECT_TRUE(same_bits(dres.view(), dres_float.view())) << "a float from the same numbers";
  }
}

TYPED_TEST(ElementTest, CollapseRoundsOnce) {
  constexpr Index tokens = 5;
  constexpr Index channels = 37;
  constexpr Index streams = 7;
  mhc_test::Random random(5);
  mhc::Streams<TypeParam> x(tokens, streams, channels);
  fill_widely(random, x.data(), x.size());
  const auto x_values = as_float(x.data(), x.size());
  const mhc::StreamView<const float> x_float(x_values.data(), tokens, streams, channels);
  mhc::Tokens<TypeParam> h(tokens, channels);
  std::vector<float> h_values(static_cast<std::size_t>(h.size()));
  const mhc::TokenView<float> h_float(h_values.data(), tokens, channels);

  mhc::collapse_mean(x, h);
  mhc::collapse_mean(x_float, h_float);
  EXPECT_TRUE(is_rounded(h.data(), h_values)) << "mean";
  mhc::collapse_sum(x, h);
  mhc::collapse_sum(x_float, h_float);
  EXPECT_TRUE(is_rounded(h.data(), h_values)) << "sum";
  mhc::expand_repeat_backward(x, h);
  EXPECT_TRUE(is_rounded(h.data(), h_values)) << "the backward of repeat is the sum";
}

TYPED_TEST(ElementTest, SiteRoundsOnceAndKeepsItsMappingsInFloat) {
  // The mappings of 16-bit streams equal those of the same numbers as floats, bit for bit, and the
  // outputs are the float results, rounded.
  constexpr Index tokens = 11;
  constexpr Index channels = 141;
  using Stored = mhc::Block<n, TypeParam>;
  using Float = mhc::Block<n, float>;
  typename Float::Parameters parameters(channels);
  mhc::InitializationOptions<typename Stored::ConnectionType> options;
  options.phi_stddev = 0.05;
  mhc::initialize(parameters, 3, options);
  parameters.alpha().setConstant(1.0F);
  const Stored stored(parameters);
  const Float computed(parameters);

  mhc_test::Random random(7);
  mhc::Streams<TypeParam> x(tokens, n, channels);
  mhc::Tokens<TypeParam> v(tokens, channels);
  mhc_test::fill(random, x.view());
  mhc_test::fill(random, v.view());
  const auto x_values = as_float(x.data(), x.size());
  const auto v_values = as_float(v.data(), v.size());
  const mhc::StreamView<const float> x_float(x_values.data(), tokens, n, channels);
  const mhc::TokenView<const float> v_float(v_values.data(), tokens, channels);

  mhc::Tokens<TypeParam> u(tokens, channels);
  mhc::Streams<TypeParam> x_next(tokens, n, channels);
  typename Stored::Saved saved(tokens);
  stored.prepare(x, u, saved);
  stored.finish(x, v, saved, x_next);

  std::vector<float> u_values(static_cast<std::size_t>(u.size()));
  std::vector<float> next_values(static_cast<std::size_t>(x.size()));
  typename Float::Saved saved_float(tokens);
  computed.prepare(x_float, {u_values.data(), tokens, channels}, saved_float);
  computed.finish(x_float, v_float, saved_float, {next_values.data(), tokens, n, channels});

  EXPECT_TRUE(
      same_bits(saved.view().data, saved_float.view().data, Stored::SavedView::size(tokens)));
  EXPECT_TRUE(is_rounded(u.data(), u_values)) << "u";
  EXPECT_TRUE(is_rounded(x_next.data(), next_values)) << "x_next";

  // Backward: the cotangents are x_next and u.
  mhc::Streams<TypeParam> dx(tokens, n, channels);
  mhc::Tokens<TypeParam> dv(tokens, channels);
  typename Stored::Saved dsaved(tokens);
  typename Stored::Parameters grads(channels);
  stored.finish_backward(x, v, saved, x_next, dv, dsaved);
  stored.prepare_backward(x, saved, x_next, u, dsaved, dx, grads);

  const auto dx_next_values = as_float(x_next.data(), x_next.size());
  const auto du_values = as_float(u.data(), u.size());
  const mhc::StreamView<const float> dx_next(dx_next_values.data(), tokens, n, channels);
  std::vector<float> dx_values(static_cast<std::size_t>(x.size()));
  std::vector<float> dv_values(static_cast<std::size_t>(v.size()));
  typename Float::Saved dsaved_float(tokens);
  typename Float::Parameters grads_float(channels);
  computed.finish_backward(x_float, v_float, saved_float, dx_next,
                           {dv_values.data(), tokens, channels}, dsaved_float);
  computed.prepare_backward(x_float, saved_float, dx_next, {du_values.data(), tokens, channels},
                            dsaved_float, {dx_values.data(), tokens, n, channels}, grads_float);
  EXPECT_TRUE(is_rounded(dv.data(), dv_values)) << "dv";
  EXPECT_TRUE(is_rounded(dx.data(), dx_values)) << "dx";
  EXPECT_TRUE(same_bits(grads.span().data, grads_float.span().data, grads.span().size)) << "grads";
}

}  // namespace
