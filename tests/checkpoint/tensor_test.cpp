// SPDX-License-Identifier: MIT
// Elements are converted from the file's type, at any address.

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <mhc/checkpoint/tensor.hpp>

#include "../support/bits.hpp"
#include "../support/refused.hpp"

namespace {

using mhc::bf16;
using mhc::f16;
using mhc::Index;
using mhc::checkpoint::DType;
using mhc::checkpoint::Tensor;

/// A tensor of these elements, `shift` bytes past an aligned address.
template <class Element>
class Stored {
 public:
  Stored(const std::vector<Element>& elements, std::size_t shift)
      : bytes_(elements.size() * sizeof(Element) + shift) {
    const auto* const from = reinterpret_cast<const std::byte*>(elements.data());
    std::copy(from, from + elements.size() * sizeof(Element), bytes_.data() + shift);
    tensor = {"w",
              mhc::checkpoint::dtype_of<Element>(),
              {static_cast<Index>(elements.size())},
              bytes_.data() + shift,
              bytes_.size() - shift};
  }

  Tensor tensor;

 private:
  std::vector<std::byte> bytes_;
};

template <class Element>
class TensorOf : public testing::Test {};

struct Names {
  template <class Element>
  static std::string GetName(int) {
    return mhc::checkpoint::name(mhc::checkpoint::dtype_of<Element>());
  }
};

using Elements = testing::Types<double, float, f16, bf16>;
TYPED_TEST_SUITE(TensorOf, Elements, Names);

TYPED_TEST(TensorOf, ConvertsToAnyScalarFromAnyAddress) {
  // Numbers that all four types represent exactly.
  const std::vector<TypeParam> elements{TypeParam(0.5f), TypeParam(-3.0f), TypeParam(0.0f),
                                        TypeParam(240.0f), TypeParam(-0.0078125f)};
  for (std::size_t shift = 0; shift < 8; ++shift) {
    const Stored<TypeParam> stored(elements, shift);
    double doubles[5];
    float floats[5];
    f16 halves[5];
    bf16 brains[5];
    stored.tensor.copy_to(doubles);
    stored.tensor.copy_to(floats);
    stored.tensor.copy_to(halves);
    stored.tensor.copy_to(brains);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const auto expected = static_cast<double>(elements[i]);
      EXPECT_EQ(doubles[i], expected);
      EXPECT_EQ(static_cast<double>(floats[i]), expected);
      EXPECT_EQ(static_cast<double>(halves[i]), expected);
      EXPECT_EQ(static_cast<double>(brains[i]), expected);
    }
  }
}

TYPED_TEST(TensorOf, CopiesTheSameScalarBitForBit) {
  // An infinity, and NaNs with a payload.
  std::vector<TypeParam> elements(16);
  for (unsigned i = 0; i < 16; ++i) {
    elements[i] = mhc_test::from_bits<TypeParam>(
        static_cast<mhc_test::bits_t<TypeParam>>(mhc_test::exponent_bits<TypeParam>() ^ (i * 3)));
  }
  const Stored<TypeParam> stored(elements, 3);
  std::vector<TypeParam> copy(elements.size());
  stored.tensor.copy_to(copy.data());
  EXPECT_TRUE(mhc_test::same_bits(copy.data(), elements.data(), stored.tensor.size()));
}

TEST(Tensor, DoubleIsRoundedOnce) {
  const Stored<double> stored({1.0 / 3.0, 1e300}, 1);
  float floats[2];
  stored.tensor.copy_to(floats);
  EXPECT_EQ(floats[0], 1.0f / 3.0f);
  EXPECT_FALSE(mhc_test::is_finite(floats[1]));
}

TEST(Tensor, ElementsAreVisitedInOrder) {
  const Stored<bf16> stored({bf16(1.0f), bf16(2.0f), bf16(3.0f)}, 1);
  std::vector<float> seen;
  stored.tensor.for_each([&](auto value) { seen.push_back(static_cast<float>(value)); });
  EXPECT_EQ(seen, (std::vector<float>{1, 2, 3}));
}

TEST(Tensor, SizeIsTheProductOfTheExtents) {
  EXPECT_EQ((Tensor{"w", DType::f32, {2, 3, 4}, nullptr, 96}.size()), 24);
  EXPECT_EQ((Tensor{"w", DType::f32, {}, nullptr, 4}.size()), 1);
  EXPECT_EQ((Tensor{"w", DType::f32, {7, 0}, nullptr, 0}.size()), 0);
}

TEST(Tensor, CopyOfAnEmptyTensorWritesNothing) {
  float untouched = 7;
  double untouched_too = 7;
  const Tensor tensor{"w", DType::f32, {0}, nullptr, 0};
  tensor.copy_to(&untouched);
  tensor.copy_to(&untouched_too);
  EXPECT_EQ(untouched, 7.0f);
  EXPECT_EQ(untouched_too, 7.0);
}

TEST(Tensor, OtherTypesAreRejectedByName) {
  float out = 0;
  for (int i = 0; i <= static_cast<int>(DType::unknown); ++i) {
    const auto dtype = static_cast<DType>(i);
    if (mhc::checkpoint::is_number(dtype)) continue;
    const Tensor tensor{"blk.0.ffn", dtype, {1}, nullptr, 0};
    EXPECT_FILE_REFUSED(tensor.copy_to(&out), "tensor 'blk.0.ffn': its elements are ",
                        mhc::checkpoint::name(dtype), ", expected F64, F32, F16 or BF16");
  }
}

TEST(Tensor, UntrustedNamePrintsOnOneShortLine) {
  using mhc::checkpoint::detail::in_quotes;
  EXPECT_EQ(in_quotes("a\nb\033c"), "'a?b?c'");
  EXPECT_EQ(in_quotes("a\xc2\x9b"
                      "b\xc3\xa9"),
            "'a??b\xc3\xa9'");
  EXPECT_EQ(in_quotes("a\xff"
                      "b"),
            "'a?b'");
  EXPECT_EQ(in_quotes(std::string(1000, 'x')), "'" + std::string(100, 'x') + "...'");
}

}  // namespace
