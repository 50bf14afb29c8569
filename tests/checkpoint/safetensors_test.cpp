// SPDX-License-Identifier: MIT
// A valid safetensors file is read correctly, and one that violates the format is rejected.

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include <mhc/checkpoint/safetensors.hpp>

#include "../support/checkpoint_bytes.hpp"
#include "../support/files.hpp"
#include "../support/malformed.hpp"
#include "../support/refused.hpp"

namespace {

using mhc::Index;
using mhc::checkpoint::Contents;
using mhc::checkpoint::DType;
using mhc::checkpoint::read_safetensors;
using mhc::checkpoint::Tensor;
using mhc_test::bytes_of;
using mhc_test::Exactly;
using mhc_test::Malformed;
using mhc_test::safetensors;

TEST(Safetensors, HandWrittenFileIsRead) {
  using namespace std::string_literals;
  const std::string file =
      "\xb8\0\0\0\0\0\0\0"s  // the header is 184 bytes long
      R"({"__metadata__":{"format":"pt","n":"4"},)"
      R"("layers.0.hc_attn_scale":{"dtype":"F32","shape":[3],"data_offsets":[4,16]},)"
      R"("x":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]}} )"
      "            "
      "\xc0\x3f\x00\xc0"                      // 1.5, -2 in bf16
      "\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40"s;  // 1, 2, 3 in f32
  ASSERT_EQ(file.size(), 8u + 184u + 16u);
  const Contents contents = read_safetensors(bytes_of(file), "golden");

  ASSERT_EQ(contents.tensors.all().size(), 2u);
  const Tensor& x = contents.tensors.all()[0];
  EXPECT_EQ(x.name, "x");
  EXPECT_EQ(x.dtype, DType::bf16);
  EXPECT_EQ(x.shape, (std::vector<Index>{1, 2}));
  float values[3];
  x.copy_to(values);
  EXPECT_EQ(values[0], 1.5f);
  EXPECT_EQ(values[1], -2.0f);

  const Tensor* const scale = contents.tensors.find("layers.0.hc_attn_scale");
  ASSERT_EQ(scale, &contents.tensors.all()[1]);
  EXPECT_EQ(scale->shape, (std::vector<Index>{3}));
  scale->copy_to(values);
  EXPECT_EQ(values[2], 3.0f);

  EXPECT_EQ(contents.tensors.find("layers.0"), nullptr);
  EXPECT_EQ(contents.tensors.find(""), nullptr);
  EXPECT_EQ(contents.metadata.text("format"), "pt");
  EXPECT_EQ(contents.metadata.text("n"), "4");
  EXPECT_FALSE(contents.metadata.text("absent"));
  EXPECT_FILE_REFUSED(static_cast<void>(contents.metadata.integer("n")), "golden",
                      "key 'n' is a string, expected an integer");
}

TEST(Safetensors, EmptyHeaderMeansNoTensors) {
  EXPECT_TRUE(read_safetensors(bytes_of(safetensors("{}")), "f").tensors.all().empty());
  EXPECT_TRUE(read_safetensors(bytes_of(safetensors("{ \n}\t ")), "f").tensors.all().empty());
}

TEST(Safetensors, EscapesAndUnicodeAreRead) {
  const std::string header =
      R"({"\u0061\"\\\/\b\f\n\r\t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
      R"("\u00e9\u20AC\ud83d\ude00":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
      "\"\u4e2d\u6587 \U0001f600\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}";
  const std::string file = safetensors(header);
  const Contents contents = read_safetensors(bytes_of(file), "f");
  EXPECT_NE(contents.tensors.find("a\"\\/\b\f\n\r\t"), nullptr);
  EXPECT_NE(contents.tensors.find("\u00e9\u20ac\U0001f600"), nullptr);
  EXPECT_NE(contents.tensors.find("\u4e2d\u6587 \U0001f600"), nullptr);
}

TEST(Safetensors, EveryTypeHasItsSize) {
  const struct {
    const char* name;
    int elements;
    int bytes;
  } types[] = {{"BOOL", 3, 3},        {"U8", 3, 3},         {"I8", 3, 3},      {"F8_E4M3", 3, 3},
               {"F8_E5M2", 3, 3},     {"F8_E8M0", 3, 3},    {"U16", 3, 6},     {"I16", 3, 6},
               {"F16", 3, 6},         {"BF16", 3, 6},       {"U32", 3, 12},    {"I32", 3, 12},
               {"F32", 3, 12},        {"U64", 3, 24},       {"I64", 3, 24},    {"F64", 3, 24},
               {"C64", 3, 24},        {"F4", 6, 3},         {"F6_E2M3", 8, 6}, {"F6_E3M2", 8, 6},
               {"F8_E4M3FNUZ", 3, 3}, {"F8_E5M2FNUZ", 3, 3}};
  for (const auto& type : types) {
    const std::string file =
        safetensors(std::string(R"({"w":{"dtype":")") + type.name + R"(","shape":[)" +
                        std::to_string(type.elements) + R"(],"data_offsets":[0,)" +
                        std::to_string(type.bytes) + "]}}",
                    std::string(static_cast<std::size_t>(type.bytes), '\1'));
    const Contents contents = read_safetensors(bytes_of(file), "f");
    EXPECT_STREQ(mhc::checkpoint::name(contents.tensors.find("w")->dtype), type.name);
    EXPECT_EQ(contents.tensors.find("w")->bytes, static_cast<std::size_t>(type.bytes));
  }
}

class MalformedSafetensors : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedSafetensors, IsRejectedWithASentence) {
  const Exactly file(GetParam().file);
  EXPECT_FILE_REFUSED(read_safetensors(file.bytes(), "m.safetensors"),
                      "m.safetensors: ", GetParam().sentence);
}

std::string length(std::uint64_t value) {
  return mhc_test::little_endian(value);
}

/// A file whose header has one member.
std::string member(const std::string& name, const std::string& value, std::size_t data = 0) {
  return safetensors("{\"" + name + "\":" + value + "}", std::string(data, '\0'));
}

/// A file with one tensor, w.
std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets,
                   std::size_t data) {
  return member(
      "w",
      R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}",
      data);
}

/// A file with two tensors of bytes, a and b.
std::string two(const std::string& a, const std::string& b, std::size_t data) {
  const auto bytes = [](const std::string& offsets) {
    const auto comma = offsets.find(',');
    const int size = std::stoi(offsets.substr(comma + 1)) - std::stoi(offsets);
    return R"({"dtype":"U8","shape":[)" + std::to_string(size) + R"(],"data_offsets":[)" + offsets +
           "]}";
  };
  return safetensors("{\"a\":" + bytes(a) + ",\"b\":" + bytes(b) + "}", std::string(data, '\0'));
}

/// A file whose metadata is this value.
std::string metadata(const std::string& value) {
  return member("__metadata__", value);
}

const std::string half_empty = R"({"dtype":"U8","shape":[0],"data_offsets":[0,0])";

const Malformed malformed[] = {
    // the prefix
    {"Nothing", "", "has 0 bytes, too few for a safetensors file"},
    {"SevenBytes", "1234567", "has 7 bytes, too few"},
    {"HeaderPastTheEnd", length(3) + "{}",
     "is truncated: the header has 3 bytes, but only 2 are left"},
    {"HeaderTooLarge", length(100'000'001) + "{}",
     "the header has 100000001 bytes, expected at most"},
    {"HeaderOfAllBits", length(~std::uint64_t(0)) + "{}",
     "the header has 18446744073709551615 bytes"},
    {"EmptyHeader", length(0) + "{}", "the header does not begin with '{'"},
    {"HeaderBeginsWithSpace", safetensors(" {}"), "the header does not begin with '{'"},
    {"HeaderIsAnArray", safetensors("[]"), "the header does not begin with '{'"},
    // JSON
    {"NoEnd", safetensors("{"), "byte 1: expected a key in quotes"},
    {"KeyIsNotAString", safetensors("{1:2}"), "byte 1: expected a key in quotes"},
    {"NoColon", safetensors(R"({"w" 1})"), "byte 5: expected ':', found '1'"},
    {"NoComma", safetensors("{\"w\":" + half_empty + "} \"v\":1}"), "expected ',', found '\"'"},
    {"TrailingComma", safetensors("{\"w\":" + half_empty + "},}"), "expected a key in quotes"},
    {"BytesAfterTheEnd", safetensors("{}x"), "byte 2: unexpected text after the end"},
    {"ZeroAfterTheEnd", safetensors(std::string("{}\0", 3)), "unexpected text after the end"},
    {"UnterminatedString", safetensors(R"({"w)"), "unterminated string"},
    {"StringEndsInAnEscape", safetensors("{\"w\\"), "unknown escape in a string"},
    {"UnknownEscape", metadata(R"({"a":"\x41"})"), "unknown escape in a string"},
    {"ShortEscape", metadata(R"({"a":"\u12"})"), "expected four digits after \\u"},
    {"LoneHighSurrogate", metadata(R"({"a":"\ud800 "})"), "unpaired surrogate"},
    {"LoneLowSurrogate", metadata(R"({"a":"\udc00"})"), "unpaired surrogate"},
    {"TwoHighSurrogates", metadata(R"({"a":"\ud800\ud800"})"), "unpaired surrogate"},
    {"ControlCharacter", metadata("{\"a\":\"\n\"}"), "a control character in a string"},
    {"LoneContinuation", metadata("{\"a\":\"\x80\"}"), "a string is not UTF-8"},
    {"OverlongUtf8", metadata("{\"a\":\"\xc0\xaf\"}"), "a string is not UTF-8"},
    {"OverlongUtf8OfThree", metadata("{\"a\":\"\xe0\x80\xaf\"}"), "a string is not UTF-8"},
    {"SurrogateInUtf8", metadata("{\"a\":\"\xed\xa0\x80\"}"), "a string is not UTF-8"},
    {"Utf8AboveTheLast", metadata("{\"a\":\"\xf4\x90\x80\x80\"}"), "a string is not UTF-8"},
    {"TruncatedUtf8", metadata("{\"a\":\"\xe4\xb8\"}"), "a string is not UTF-8"},
    {"DuplicateTensor", safetensors("{\"w\":" + half_empty + "},\"w\":" + half_empty + "}}"),
     "the key 'w' appears twice"},
    {"DuplicateByEscape",
     safetensors("{\"w\":" + half_empty + "},\"\\u0077\":" + half_empty + "}}"),
     "the key 'w' appears twice"},
    {"DuplicateField", member("w", half_empty + ",\"dtype\":\"U8\"}"),
     "the key 'dtype' appears twice"},
    {"DuplicateMetadata", safetensors(R"({"__metadata__":{},"__metadata__":{}})"),
     "the key '__metadata__' appears twice"},
    {"DuplicateMetadataKey", metadata(R"({"a":"b","a":"c"})"), "the key 'a' appears twice"},
    {"MetadataIsNotAnObject", metadata("[]"), "expected '{', found '['"},
    {"MetadataOfNumbers", metadata(R"({"a":1})"), "expected '\"', found '1'"},
    {"DeepBrackets", member("w", std::string(100000, '[')), "expected '{', found '['"},
    {"ShapeTooLong",
     tensor("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]",
            1),
     "tensor 'w' has more than 32 dimensions"},
    {"DeepShape", tensor("U8", std::string(100000, '['), "[0,0]", 0), "expected a digit"},
    // the tensor
    {"TensorIsNotAnObject", member("w", "1"), "expected '{', found '1'"},
    {"NoDtype", member("w", R"({"shape":[0],"data_offsets":[0,0]})"), "tensor 'w' has no dtype"},
    {"NoShape", member("w", R"({"dtype":"U8","data_offsets":[0,0]})"), "tensor 'w' has no shape"},
    {"NoOffsets", member("w", R"({"dtype":"U8","shape":[0]})"), "tensor 'w' has no data_offsets"},
    {"UnknownField", member("w", half_empty + ",\"strides\":[1]}"),
     "tensor 'w' has the unknown field 'strides'"},
    {"UnknownDtype", tensor("F33", "[0]", "[0,0]", 0), "tensor 'w' has the unknown dtype 'F33'"},
    {"GgmlDtype", tensor("Q4_0", "[0]", "[0,0]", 0), "has the unknown dtype 'Q4_0'"},
    {"LowerCaseDtype", tensor("f32", "[0]", "[0,0]", 0), "has the unknown dtype 'f32'"},
    {"NegativeExtent", tensor("U8", "[-1]", "[0,0]", 0), "the number '-1' is not an integer"},
    {"FractionalExtent", tensor("U8", "[1.5]", "[0,0]", 0), "the number '1.5' is not an integer"},
    {"ExtentWithExponent", tensor("U8", "[1e3]", "[0,0]", 0), "the number '1e3' is not an integer"},
    {"ExtentWithLeadingZero", tensor("U8", "[01]", "[0,1]", 1), "a number begins with 0"},
    {"HugeExtent", tensor("U8", "[9223372036854775808]", "[0,0]", 0),
     "'9223372036854775808' is not an integer from 0 to 9223372036854775807"},
    {"ExtentInQuotes", tensor("U8", "[\"1\"]", "[0,0]", 0), "expected a digit"},
    {"ProductTooLarge", tensor("U8", "[4294967296,4294967296]", "[0,0]", 0),
     "tensor 'w' is 4294967296 x 4294967296, whose size overflows"},
    {"ProductTooLargeBesideZero", tensor("U8", "[4294967296,0,4294967296]", "[0,0]", 0),
     "whose size overflows"},
    {"BytesTooLarge", tensor("F64", "[9223372036854775807]", "[0,0]", 0),
     "has 0 bytes, expected a whole number below 2^63 for 9223372036854775807 of F64"},
    {"HalfAByte", tensor("F4", "[3]", "[0,2]", 2),
     "has 2 bytes, expected a whole number below 2^63 for 3 of F4"},
    {"TooFewBytes", tensor("F32", "[2,3]", "[0,20]", 20),
     "tensor 'w' has 20 bytes, expected 24 for 2 x 3 of F32"},
    {"TooManyBytes", tensor("F32", "[]", "[0,8]", 8),
     "has 8 bytes, expected 4 for a scalar of F32"},
    // the offsets
    {"OneOffset", tensor("U8", "[0]", "[0]", 0), "tensor 'w' has 1 data_offsets, expected 2"},
    {"EmptyOffsets", tensor("U8", "[0]", "[]", 0), "tensor 'w' has 0 data_offsets, expected 2"},
    {"ThreeOffsets", tensor("U8", "[0]", "[0,0,0]", 0), "has 3 data_offsets, expected 2"},
    {"OffsetsReversed", tensor("U8", "[1]", "[2,1]", 2), "begins at byte 2 but ends at byte 1"},
    {"NegativeOffset", tensor("U8", "[1]", "[-1,0]", 0), "the number '-1' is not an integer"},
    {"EndsPastTheData", tensor("U8", "[4]", "[0,4]", 3), "ends at byte 4 of the data, which has 3"},
    {"Overlap", two("0,4", "3,6", 6), "tensor 'b' overlaps the tensor before it by 1 bytes"},
    {"SameBytesTwice", two("0,4", "0,4", 4), "tensor 'b' overlaps the tensor before it by 4 bytes"},
    {"Hole", two("0,4", "5,6", 6), "1 bytes before tensor 'b' belong to no tensor"},
    {"HoleAtTheBeginning", two("2,4", "4,6", 6), "2 bytes before tensor 'a' belong to no tensor"},
    {"EmptyInsideAnother", two("0,4", "2,2", 4), "tensor 'b' overlaps the tensor before it"},
    {"TrailingBytes", two("0,4", "4,6", 9), "3 bytes after the last tensor"},
    {"DataWithoutTensors", safetensors("{}", "x"), "1 bytes after the last tensor"},
};

INSTANTIATE_TEST_SUITE_P(Safetensors, MalformedSafetensors, testing::ValuesIn(malformed),
                         mhc_test::name_of);

TEST(Safetensors, EveryTruncationIsRejected) {
  const std::string whole = two("0,4", "4,6", 6);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string file = whole.substr(0, size);
    EXPECT_FILE_REFUSED(read_safetensors(bytes_of(file), "cut"), "cut: ");
  }
}

}  // namespace
