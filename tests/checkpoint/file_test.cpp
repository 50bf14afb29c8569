// SPDX-License-Identifier: MIT
// A checkpoint is opened by its path: any format, in one file or in several.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <mhc/checkpoint/file.hpp>
#include <mhc/checkpoint/safetensors_writer.hpp>

#include "../support/checkpoint_bytes.hpp"
#include "../support/files.hpp"
#include "../support/malformed.hpp"
#include "../support/refused.hpp"

namespace {

using mhc::checkpoint::Access;
using mhc::checkpoint::Checkpoint;
using mhc::checkpoint::DType;
using mhc::checkpoint::Format;
using mhc::checkpoint::MappedFile;
using mhc::checkpoint::read_index;
using mhc::checkpoint::write_safetensors;
using mhc_test::Exactly;
using mhc_test::Folder;
using mhc_test::Malformed;
using mhc_test::write_file;

const float numbers[] = {1, 2, 3, 4};

mhc::checkpoint::Tensor tensor(const std::string& name) {
  return {name, DType::f32, {4}, reinterpret_cast<const std::byte*>(numbers), sizeof numbers};
}

float first_of(const Checkpoint& checkpoint, const std::string& name) {
  float values[4] = {};
  const mhc::checkpoint::Tensor* const tensor = checkpoint.find(name);
  if (tensor != nullptr) tensor->copy_to(values);
  return values[0];
}

class AnyAccess : public testing::TestWithParam<Access> {
 protected:
  static Checkpoint open(const std::string& path) { return Checkpoint(path, GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Checkpoint, AnyAccess, testing::Values(Access::map, Access::read),
                         [](const auto& test) {
                           return test.param == Access::map ? "map" : "read";
                         });

TEST_P(AnyAccess, FileWithoutMagicIsSafetensors) {
  const Folder folder;
  write_safetensors(folder / "anything.bin", {tensor("w")}, {{"format", "pt"}});
  const Checkpoint checkpoint = open(folder / "anything.bin");
  EXPECT_EQ(checkpoint.format(), Format::safetensors);
  EXPECT_EQ(checkpoint.path(), folder / "anything.bin");
  EXPECT_EQ(checkpoint.metadata().text("format"), "pt");
  EXPECT_EQ(checkpoint.tensors().size(), 1u);
  EXPECT_EQ(first_of(checkpoint, "w"), 1.0f);
}

TEST_P(AnyAccess, GgufIsRecognizedByItsMagic) {
  const Folder folder;
  mhc_test::Gguf gguf;
  gguf.pair("general.architecture", 8, mhc_test::Gguf::text("deepseek4")).tensor("w", {4}, 0, 0);
  gguf.data.assign(reinterpret_cast<const char*>(numbers), sizeof numbers);
  const Checkpoint checkpoint = open(write_file(folder / "m.safetensors", gguf.bytes()));
  EXPECT_EQ(checkpoint.format(), Format::gguf);
  EXPECT_EQ(checkpoint.metadata().text("general.architecture"), "deepseek4");
  EXPECT_EQ(first_of(checkpoint, "w"), 1.0f);
}

TEST_P(AnyAccess, ShardsAreFoundBesideTheIndex) {
  const Folder folder;
  write_safetensors(folder / "1.safetensors", {tensor("a"), tensor("b")}, {{"format", "pt"}});
  write_safetensors(folder / "2.safetensors", {tensor("c"), tensor("not in the index")});
  const std::string list = write_file(
      folder / "model.safetensors.index.json",
      R"({"metadata": {"total_size": 48, "more": [1.5e3, -0, {"deep": [null, true, false, "x"]}]},
          "weight_map": {"a": "1.safetensors", "c": "2.safetensors", "b": "1.safetensors"}})");
  const Checkpoint checkpoint = open(list);
  EXPECT_EQ(checkpoint.format(), Format::sharded_safetensors);
  EXPECT_EQ(checkpoint.path(), list);
  EXPECT_EQ(checkpoint.tensors().size(), 4u);
  for (const char* name : {"a", "b", "c", "not in the index"}) {
    EXPECT_EQ(first_of(checkpoint, name), 1.0f) << name;
  }
  EXPECT_EQ(checkpoint.metadata().text("format"), "pt");
}

TEST_P(AnyAccess, CheckpointCanBeMoved) {
  const Folder folder;
  write_safetensors(folder / "1", {tensor("a")});
  write_safetensors(folder / "2", {tensor("b")});
  Checkpoint moved = open(folder / "1");
  moved = open(folder / "2");
  const Checkpoint again = std::move(moved);
  EXPECT_EQ(first_of(again, "b"), 1.0f);
  EXPECT_EQ(again.find("a"), nullptr);
}

TEST_P(AnyAccess, NonRegularFilesAreRejected) {
  const Folder folder;
  EXPECT_FILE_REFUSED(open(folder / "absent"), folder / "absent", "cannot be read: No such file");
  EXPECT_FILE_REFUSED(open(folder.path()), folder.path(), "is a directory, expected a file");
  EXPECT_FILE_REFUSED(open("/dev/null"), "/dev/null", "is not a regular file");
  EXPECT_FILE_REFUSED(open(write_file(folder / "m", "")), folder / "m", "is empty");
}

TEST(MappedFile, MovedFromFileIsEmpty) {
  const Folder folder;
  MappedFile file(write_file(folder / "f", "abc"));
  const MappedFile other = std::move(file);
  EXPECT_EQ(other.bytes().text(), "abc");
  EXPECT_EQ(file.bytes().size, 0u);  // NOLINT(bugprone-use-after-move)
  MappedFile third(folder / "f", Access::read);
  third = MappedFile(write_file(folder / "g", "defg"));
  EXPECT_EQ(third.bytes().text(), "defg");
}

class MalformedIndex : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedIndex, IsRejectedWithASentence) {
  const Exactly file(GetParam().file);
  EXPECT_FILE_REFUSED(read_index(file.bytes(), "m.index.json"),
                      "m.index.json: ", GetParam().sentence);
}

std::string shard(const std::string& name) {
  return R"({"weight_map":{"w":")" + name + "\"}}";
}

std::string nested(int depth, const char* open) {
  std::string text = "{\"metadata\":";
  for (int i = 0; i < depth; ++i) text += open;
  return text;
}

const Malformed malformed[] = {
    {"NotAnObject", "[]", "the index, byte 0: expected '{', found '['"},
    {"NoWeightMap", "{}", "the index has no weight_map"},
    {"EmptyWeightMap", R"({"weight_map":{}})", "the weight_map of the index is empty"},
    {"WeightMapIsText", R"({"weight_map":"a"})", "expected '{', found '\"'"},
    {"ShardIsANumber", R"({"weight_map":{"w":1}})", "expected '\"', found '1'"},
    {"TwoWeightMaps", R"({"weight_map":{"w":"a"},"weight_map":{"v":"a"}})",
     "the key 'weight_map' appears twice"},
    {"TensorTwice", R"({"weight_map":{"w":"a","w":"b"}})", "the key 'w' appears twice"},
    {"Truncated", R"({"weight_map":{"w":"a")", "expected ',', found the end"},
    {"BytesAfterTheEnd", shard("a") + "}", "unexpected text after the end"},
    {"ShardInTheParentFolder", shard("../a"),
     "tensor 'w' is in '../a', expected the name of a file beside"},
    {"ShardIsTheParentFolder", shard(".."), "tensor 'w' is in '..'"},
    {"ShardIsTheFolder", shard("."), "tensor 'w' is in '.'"},
    {"ShardAtTheRoot", shard("/etc/passwd"), "tensor 'w' is in '/etc/passwd'"},
    {"ShardInASubfolder", shard("a/b"), "tensor 'w' is in 'a/b'"},
    {"ShardWithABackslash", shard("..\\\\a"), "tensor 'w' is in '..\\a'"},
    {"ShardWithAZero", shard("a\\u0000b"), "tensor 'w' is in 'a?b'"},
    {"ShardWithAControlCharacter", shard("a\\u001b"), "tensor 'w' is in 'a?'"},
    {"ShardWithALongName", shard(std::string(256, 'a')), "aaa...', expected the name of a file"},
    {"ShardWithoutAName", shard(""), "tensor 'w' is in ''"},
    {"UnknownWord", R"({"metadata":nul})", "expected null"},
    {"NoValue", R"({"metadata":})", "expected a digit"},
    {"NumberWithoutDigits", R"({"metadata":-})", "expected a digit"},
    {"NumberWithLeadingZero", R"({"metadata":-012})", "a number begins with 0"},
    {"FractionWithoutDigits", R"({"metadata":1.})", "expected a digit"},
    {"ExponentWithoutDigits", R"({"metadata":1e+})", "expected a digit"},
    {"DeepArrays", nested(1000000, "["), "objects and arrays are nested more than 16 deep"},
    {"DeepObjects", nested(1000000, "{\"a\":"), "objects and arrays are nested more than 16 deep"},
    {"TrailingComma", R"({"metadata":[1,]})", "expected a digit"},
};

INSTANTIATE_TEST_SUITE_P(Checkpoint, MalformedIndex, testing::ValuesIn(malformed),
                         mhc_test::name_of);

TEST(ShardedCheckpoint, ShardsMustMatchTheIndex) {
  const Folder folder;
  write_safetensors(folder / "1", {tensor("a"), tensor("b")});
  write_safetensors(folder / "2", {tensor("b")});
  write_safetensors(folder / "3", {tensor("c")});
  write_file(folder / "4", "not one");
  const auto open = [&](const std::string& map) {
    Checkpoint(write_file(folder / "m.index.json", "{\"weight_map\":{" + map + "}}"));
  };
  EXPECT_FILE_REFUSED(open(R"("a":"absent")"), folder / "absent", "cannot be read: No such file");
  EXPECT_FILE_REFUSED(open(R"("a":"1","b":"3")"), folder / "3",
                      "has no tensor 'b', which the index lists there");
  EXPECT_FILE_REFUSED(open(R"("a":"1","b":"2")"), folder / "m.index.json",
                      "two tensors have the name 'b'");
  EXPECT_FILE_REFUSED(open(R"("a":"4")"), folder / "4", "has 7 bytes, too few");
  EXPECT_FILE_REFUSED(open(R"("a":"m.index.json")"), folder / "m.index.json",
                      "is not a safetensors file");
}

}  // namespace
