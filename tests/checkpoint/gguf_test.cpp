// SPDX-License-Identifier: MIT
// A valid GGUF file is read correctly, and one that violates the format is rejected.

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <mhc/checkpoint/gguf.hpp>

#include "../support/checkpoint_bytes.hpp"
#include "../support/files.hpp"
#include "../support/malformed.hpp"
#include "../support/refused.hpp"

namespace {

using mhc::Index;
using mhc::checkpoint::Array;
using mhc::checkpoint::Contents;
using mhc::checkpoint::DType;
using mhc::checkpoint::read_gguf;
using mhc::checkpoint::Tensor;
using mhc_test::bytes_of;
using mhc_test::Exactly;
using mhc_test::Gguf;
using mhc_test::little_endian;
using mhc_test::Malformed;

/// The numbers of the value types.
enum : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };
/// The numbers of a few ggml types.
enum : std::uint32_t { ggml_f32 = 0, ggml_f16 = 1, ggml_q4_0 = 2, ggml_q4_k = 12, ggml_bf16 = 30 };

std::string u32_of(std::uint32_t value) {
  return little_endian(value);
}
std::string u64_of(std::uint64_t value) {
  return little_endian(value);
}

TEST(Gguf, TensorsAreRowMajor) {
  Gguf gguf;
  gguf.tensor("blk.0.hc_attn_fn.weight", {4, 2}, ggml_f32, 0)
      .tensor("blk.0.hc_attn_scale.weight", {3}, ggml_bf16, 32)
      .tensor("scalar", {}, ggml_f16, 64);
  for (int i = 0; i < 8; ++i) gguf.data += little_endian(static_cast<float>(i));
  gguf.data += std::string("\x80\x3f\0\x40\x40\x40", 6) + std::string(26, '\0');
  gguf.data += std::string("\0\x3c", 2);
  const std::string file = gguf.bytes();
  const Contents contents = read_gguf(bytes_of(file), "g");

  ASSERT_EQ(contents.tensors.all().size(), 3u);
  const Tensor* const fn = contents.tensors.find("blk.0.hc_attn_fn.weight");
  ASSERT_NE(fn, nullptr);
  EXPECT_EQ(fn->shape, (std::vector<Index>{2, 4}));
  float values[8];
  fn->copy_to(values);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(values[i], static_cast<float>(i));

  contents.tensors.find("blk.0.hc_attn_scale.weight")->copy_to(values);
  EXPECT_EQ(values[0], 1.0f);
  EXPECT_EQ(values[2], 3.0f);
  EXPECT_EQ(contents.tensors.find("scalar")->size(), 1);
  contents.tensors.find("scalar")->copy_to(values);
  EXPECT_EQ(values[0], 1.0f);
}

TEST(Gguf, ValuesOfAllTypesAreRead) {
  Gguf gguf;
  gguf.pair("u8", u8, "\xff")
      .pair("i8", i8, "\xff")
      .pair("u16", u16, "\xff\xff")
      .pair("i16", i16, "\xff\xff")
      .pair("u32", u32, "\xff\xff\xff\xff")
      .pair("i32", i32, "\xff\xff\xff\xff")
      .pair("f32", f32, little_endian(0.5f))
      .pair("yes", boolean, "\1")
      .pair("no", boolean, std::string(1, '\0'))
      .pair("text", text, Gguf::text("deepseek4"))
      .pair("u64", u64, u64_of(20))
      .pair("large", u64, u64_of(std::numeric_limits<std::uint64_t>::max()))
      .pair("i64", i64, little_endian(std::numeric_limits<std::int64_t>::min()))
      .pair("f64", f64, little_endian(1e-6))
      .pair("tokens", array, u32_of(text) + u64_of(2) + Gguf::text("a") + Gguf::text(""))
      .pair("ids", array, u32_of(u16) + u64_of(3) + "123456")
      .pair("nested", array,
            u32_of(array) + u64_of(2) + u32_of(u8) + u64_of(1) + "1" + u32_of(text) + u64_of(0));
  const std::string file = gguf.bytes();
  const Contents contents = read_gguf(bytes_of(file), "g");
  const mhc::checkpoint::Metadata& keys = contents.metadata;

  EXPECT_EQ(keys.integer("u8"), 255);
  EXPECT_EQ(keys.integer("i8"), -1);
  EXPECT_EQ(keys.integer("u16"), 65535);
  EXPECT_EQ(keys.integer("i16"), -1);
  EXPECT_EQ(keys.integer("u32"), 4294967295);
  EXPECT_EQ(keys.integer("i32"), -1);
  EXPECT_EQ(keys.number("f32"), 0.5);
  EXPECT_EQ(keys.boolean("yes"), true);
  EXPECT_EQ(keys.boolean("no"), false);
  EXPECT_EQ(keys.text("text"), "deepseek4");
  EXPECT_EQ(keys.integer("u64"), 20);
  EXPECT_EQ(keys.number("u64"), 20.0);
  EXPECT_EQ(keys.number("large"), 18446744073709551616.0);
  EXPECT_EQ(keys.integer("i64"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(keys.number("f64"), 1e-6);
  EXPECT_EQ(std::get<Array>(*keys.find("tokens")).count, 2u);
  EXPECT_EQ(std::get<Array>(*keys.find("ids")).count, 3u);
  EXPECT_EQ(std::get<Array>(*keys.find("nested")).count, 2u);
  EXPECT_EQ(keys.values().size(), 17u);

  EXPECT_FALSE(keys.integer("absent"));
  EXPECT_FALSE(keys.number("absent"));
  EXPECT_FILE_REFUSED(static_cast<void>(keys.integer("f64")), "g: key 'f64' is a floating-point",
                      "expected an integer");
  EXPECT_FILE_REFUSED(static_cast<void>(keys.integer("large")), "key 'large' is an integer of 64");
  EXPECT_FILE_REFUSED(static_cast<void>(keys.number("text")), "key 'text' is a string",
                      "expected a number");
  EXPECT_FILE_REFUSED(static_cast<void>(keys.text("ids")), "key 'ids' is an array",
                      "expected a string");
  EXPECT_FILE_REFUSED(static_cast<void>(keys.boolean("u8")), "key 'u8' is an integer",
                      "expected a boolean");
}

TEST(Gguf, QuantizedTensorsAreListedWithTheirBytes) {
  Gguf gguf;
  gguf.tensor("q4_0", {64, 2}, ggml_q4_0, 0).tensor("q4_k", {256}, ggml_q4_k, 96);
  gguf.data = std::string(96 + 144, '\1');
  const std::string file = gguf.bytes();
  const Contents contents = read_gguf(bytes_of(file), "g");
  EXPECT_EQ(contents.tensors.find("q4_0")->bytes, 4u * 18);
  EXPECT_EQ(contents.tensors.find("q4_0")->dtype, DType::q4_0);
  EXPECT_EQ(contents.tensors.find("q4_k")->bytes, 144u);
}

TEST(Gguf, ATensorOfUnknownTypeHasTheBytesUpToTheNext) {
  Gguf gguf;
  gguf.tensor("new", {100}, 1000, 0).tensor("f", {1}, ggml_f32, 64).tensor("last", {9}, 4, 96);
  gguf.data = std::string(101, '\1');
  const std::string file = gguf.bytes();
  const Contents contents = read_gguf(bytes_of(file), "g");
  EXPECT_EQ(contents.tensors.find("new")->dtype, DType::unknown);
  EXPECT_EQ(contents.tensors.find("new")->bytes, 64u);
  EXPECT_EQ(contents.tensors.find("last")->bytes, 5u);
}

TEST(Gguf, CustomAlignmentIsUsed) {
  Gguf gguf;
  gguf.alignment = 8;
  gguf.pair("general.alignment", u32, u32_of(8)).tensor("w", {1}, ggml_f32, 8);
  gguf.data = std::string(8, '\0') + little_endian(2.5f);
  const std::string file = gguf.bytes();
  const Contents contents = read_gguf(bytes_of(file), "g");
  float value = 0;
  contents.tensors.find("w")->copy_to(&value);
  EXPECT_EQ(value, 2.5f);
}

TEST(Gguf, FileWithoutTensorsNeedsNoData) {
  const std::string file = Gguf().pair("a", u8, "1").head();
  EXPECT_EQ(read_gguf(bytes_of(file), "g").metadata.integer("a"), '1');
}

TEST(Gguf, VersionTwoIsRead) {
  Gguf gguf;
  gguf.version = 2;
  const std::string file = gguf.bytes();
  EXPECT_TRUE(read_gguf(bytes_of(file), "g").tensors.all().empty());
}

class MalformedGguf : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedGguf, IsRejectedWithASentence) {
  const Exactly file(GetParam().file);
  EXPECT_FILE_REFUSED(read_gguf(file.bytes(), "m.gguf"), "m.gguf: ", GetParam().sentence);
}

std::string version(std::uint32_t value) {
  Gguf gguf;
  gguf.version = value;
  return gguf.bytes();
}

std::string counts(std::uint64_t tensors, std::uint64_t pairs) {
  Gguf gguf;
  gguf.tensor_count = tensors;
  gguf.pair_count = pairs;
  return gguf.bytes();
}

std::string pair(std::uint32_t type, const std::string& value) {
  return Gguf().pair("k", type, value).head();
}

std::string alignment(std::uint32_t value) {
  return Gguf().pair("general.alignment", u32, u32_of(value)).head();
}

std::string with_data(Gguf gguf, std::size_t size) {
  gguf.data = std::string(size, '\0');
  return gguf.bytes();
}

std::string arrays_in_arrays(int depth) {
  std::string value;
  for (int i = 0; i < depth; ++i) value += u32_of(array) + u64_of(1);
  return pair(array, value + u32_of(u8) + u64_of(0));
}

const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

const Malformed malformed[] = {
    {"Nothing", "", "is not a GGUF file"},
    {"OtherMagic", "GGML" + std::string(20, '\0'), "is not a GGUF file"},
    {"OnlyTheMagic", "GGUF",
     "is truncated at byte 4: the version has 4 bytes, but only 0 are left"},
    {"VersionOne", version(1), "has GGUF version 1, expected 2 or 3"},
    {"VersionFour", version(4), "has GGUF version 4, expected 2 or 3"},
    {"BigEndian", version(3u << 24), "is big-endian"},
    {"NoCounts", "GGUF" + u32_of(3), "is truncated at byte 8: the number of tensors"},
    {"NoPairCount", "GGUF" + u32_of(3) + u64_of(0),
     "the number of pairs has 8 bytes, but only 0 are left"},
    {"TooManyPairs", counts(0, most), "18446744073709551615 pairs do not fit into"},
    {"TooManyTensors", counts(most, 0), "18446744073709551615 tensors do not fit into"},
    {"OnePairTooMany", counts(0, 1), "1 pairs do not fit into 8 bytes"},
    // pairs
    {"KeyPastTheEnd", counts(0, 0).substr(0, 16) + u64_of(1) + u64_of(6) + "abcde",
     "a key has 6 bytes, but only 5 are left"},
    {"KeyOfAllBits", counts(0, 0).substr(0, 16) + u64_of(1) + u64_of(most) + "abcde",
     "a key has 18446744073709551615 bytes, but only 5 are left"},
    {"UnknownValueType", pair(13, "1"), "key 'k' has the unknown type 13"},
    {"ValueTruncated", pair(u64, "1"), "a value has 8 bytes, but only 1 are left"},
    {"NotABoolean", pair(boolean, "\2"), "key 'k' is the boolean 2, expected 0 or 1"},
    {"StringPastTheEnd", pair(text, u64_of(2) + "a"), "a value has 2 bytes, but only 1 are left"},
    {"StringOfAllBits", pair(text, u64_of(most)), "a value has 18446744073709551615 bytes"},
    {"DuplicateKey", Gguf().pair("k", u8, "1").pair("k", u8, "1").head(),
     "the key 'k' appears twice"},
    // arrays
    {"ArrayOfUnknownType", pair(array, u32_of(13) + u64_of(0)), "an array of the unknown type 13"},
    {"ArrayWithoutLength", pair(array, u32_of(u8)),
     "the length of an array has 8 bytes, but only 0 are left"},
    {"ArrayTooLong", pair(array, u32_of(u16) + u64_of(2) + "123"),
     "2 elements of an array do not fit into 3 bytes"},
    {"ArrayWhoseBytesOverflow", pair(array, u32_of(u64) + u64_of(std::uint64_t(1) << 61)),
     "2305843009213693952 elements of an array do not fit into 0 bytes"},
    {"TooManyStrings", pair(array, u32_of(text) + u64_of(3) + u64_of(0) + u64_of(0)),
     "3 strings do not fit into 16 bytes"},
    {"StringOfAnArrayPastTheEnd", pair(array, u32_of(text) + u64_of(1) + u64_of(9) + "abc"),
     "a string of an array has 9 bytes, but only 3 are left"},
    {"TooManyArrays", pair(array, u32_of(array) + u64_of(most)), "arrays do not fit into 0 bytes"},
    {"DeepArrays", arrays_in_arrays(1000), "key 'k' has arrays nested more than 4 deep"},
    // alignment
    {"ZeroAlignment", alignment(0), "general.alignment is 0, expected a power of two"},
    {"OddAlignment", alignment(24), "general.alignment is 24, expected a power of two"},
    {"AlignmentIsText", Gguf().pair("general.alignment", text, Gguf::text("32")).head(),
     "key 'general.alignment' is a string, expected an integer"},
    {"NegativeAlignment", Gguf().pair("general.alignment", i8, "\x80").head(),
     "general.alignment is -128, expected a power of two"},
    {"HugeAlignment", Gguf().pair("general.alignment", i64, u64_of(std::uint64_t(1) << 40)).head(),
     "general.alignment is 1099511627776, expected a power of two"},
    // tensors
    {"TensorNamePastTheEnd", counts(1, 0).substr(0, 24) + u64_of(100) + std::string(16, 'x'),
     "the name of a tensor has 100 bytes, but only 16 are left"},
    {"FiveDimensions", Gguf().tensor("w", {1, 1, 1, 1, 1}, 0, 0).head(),
     "tensor 'w' has 5 dimensions, expected at most 4"},
    {"AllBitsOfDimensions",
     counts(1, 0).substr(0, 24) + u64_of(0) + std::string(4, '\xff') + std::string(12, '\0'),
     "tensor '' has 4294967295 dimensions"},
    {"NegativeExtent", Gguf().tensor("w", {most}, 0, 0).head(),
     "tensor 'w' has an extent of 18446744073709551615"},
    {"ProductTooLarge", Gguf().tensor("w", {1u << 31, 1u << 31, 1u << 31}, 0, 0).head(),
     "tensor 'w' is 2147483648 x 2147483648 x 2147483648, whose size overflows"},
    {"BytesTooLarge", Gguf().tensor("w", {std::uint64_t(1) << 62}, 0, 0).head(),
     "tensor 'w' is 4611686018427387904, whose size overflows"},
    {"InvalidGgmlType", Gguf().tensor("w", {1}, 1024, 0).head(),
     "tensor 'w' has the ggml type 1024, expected less than 1024"},
    {"RowsOfPartialBlocks", Gguf().tensor("w", {48, 2}, ggml_q4_0, 0).head(),
     "tensor 'w' has rows of 48 elements, expected a multiple of 32 for Q4_0"},
    {"DuplicateTensor", with_data(Gguf().tensor("w", {1}, 0, 0).tensor("w", {1}, 0, 32), 64),
     "two tensors have the name 'w'"},
    {"MisalignedOffset", with_data(Gguf().tensor("w", {1}, 0, 4), 64),
     "tensor 'w' has the offset 4, expected a multiple of 32"},
    {"OffsetPastTheEnd", with_data(Gguf().tensor("w", {1}, 0, 64), 32),
     "tensor 'w' has 4 bytes at offset 64 of the data, which has 32"},
    {"OffsetOfAllBits", with_data(Gguf().tensor("w", {1}, 0, most - 31), 32),
     "tensor 'w' has 4 bytes at offset 18446744073709551584"},
    {"BytesPastTheEnd", with_data(Gguf().tensor("w", {9}, 0, 0), 32),
     "tensor 'w' has 36 bytes at offset 0 of the data, which has 32"},
    {"MissingData", Gguf().tensor("w", {1}, 0, 0).head(), "of the data, which has 0"},
    {"UnknownTypePastTheEnd", with_data(Gguf().tensor("w", {1}, 500, 64), 32),
     "tensor 'w' has 0 bytes at offset 64 of the data, which has 32"},
    {"Overlap", with_data(Gguf().tensor("b", {9}, 0, 0).tensor("c", {1}, 0, 32), 64),
     "tensor 'b' overlaps tensor 'c' by 4 bytes"},
    {"SameBytesTwice", with_data(Gguf().tensor("b", {8}, 0, 0).tensor("c", {8}, 0, 0), 32),
     "tensor 'b' overlaps tensor 'c' by 32 bytes"},
};

INSTANTIATE_TEST_SUITE_P(Gguf, MalformedGguf, testing::ValuesIn(malformed), mhc_test::name_of);

TEST(Gguf, EveryTruncationIsRejected) {
  const std::string whole = with_data(Gguf()
                                          .pair("general.architecture", text, Gguf::text("x"))
                                          .pair("ids", array, u32_of(u8) + u64_of(2) + "12")
                                          .tensor("w", {8}, ggml_f32, 0),
                                      32);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string file = whole.substr(0, size);
    EXPECT_FILE_REFUSED(read_gguf(bytes_of(file), "cut"), "cut: ");
  }
}

}  // namespace
