// SPDX-License-Identifier: MIT
// A written file reads back bit for bit; a failed write leaves no trace.

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <mhc/checkpoint/file.hpp>
#include <mhc/checkpoint/safetensors_writer.hpp>

#include "../support/files.hpp"
#include "../support/full_disk.hpp"
#include "../support/refused.hpp"

namespace {

using mhc::Index;
using mhc::checkpoint::Checkpoint;
using mhc::checkpoint::DType;
using mhc::checkpoint::Tensor;
using mhc::checkpoint::write_safetensors;
using mhc_test::Folder;

/// 64 KiB of pseudorandom bytes.
const std::vector<std::byte>& noise() {
  static const std::vector<std::byte> bytes = [] {
    std::vector<std::byte> made(1 << 16);
    std::uint32_t state = 1;
    for (std::byte& byte : made) {
      state = state * 1664525u + 1013904223u;
      byte = static_cast<std::byte>(state >> 24);
    }
    return made;
  }();
  return bytes;
}

Tensor tensor(const std::string& name, DType dtype, const std::vector<Index>& shape) {
  Tensor made{name, dtype, shape, noise().data(), 0};
  made.bytes = *mhc::checkpoint::detail::checked_bytes(dtype, made.size());
  return made;
}

void expect_same(const Tensor* read, const Tensor& written) {
  ASSERT_NE(read, nullptr) << written.name;
  EXPECT_EQ(read->name, written.name);
  EXPECT_EQ(read->dtype, written.dtype);
  EXPECT_EQ(read->shape, written.shape);
  ASSERT_EQ(read->bytes, written.bytes);
  EXPECT_TRUE(written.bytes == 0 || std::memcmp(read->data, written.data, written.bytes) == 0);
}

TEST(Writer, EverythingRoundTrips) {
  const Folder folder;
  std::vector<Tensor> tensors;
  for (int i = 0; mhc::checkpoint::detail::is_in_safetensors(static_cast<DType>(i)); ++i) {
    const auto dtype = static_cast<DType>(i);
    tensors.push_back(tensor(std::string("of ") + mhc::checkpoint::name(dtype), dtype, {3, 4}));
  }
  tensors.push_back(tensor("scalar", DType::f32, {}));
  tensors.push_back(tensor("empty", DType::bf16, {0, 5}));
  tensors.push_back(tensor("odd", DType::u8, {3}));
  tensors.push_back(tensor("", DType::i8, {1}));
  tensors.push_back(tensor("\"quotes\"\\\n\t\x01\x7f", DType::i8, {1}));
  tensors.push_back(tensor("\u4e2d\u6587 \u00e9 \U0001f600", DType::f16, {2}));
  tensors.push_back(tensor("large", DType::f32, {128, 64}));
  const std::map<std::string, std::string> metadata{{"format", "pt"}, {"\u00e9\n", "\"\\"}};
  const std::string path = folder / "m.safetensors";
  write_safetensors(path, tensors, metadata);

  for (const auto access : {mhc::checkpoint::Access::map, mhc::checkpoint::Access::read}) {
    const Checkpoint read(path, access);
    ASSERT_EQ(read.tensors().size(), tensors.size());
    for (const Tensor& written : tensors) expect_same(read.find(written.name), written);
    EXPECT_EQ(read.metadata().text("format"), "pt");
    EXPECT_EQ(read.metadata().text("\u00e9\n"), "\"\\");
    EXPECT_EQ(read.metadata().values().size(), 2u);
  }
  EXPECT_EQ(folder.names(), std::vector<std::string>{"m.safetensors"});
}

TEST(Writer, EveryTensorIsAligned) {
  const Folder folder;
  write_safetensors(folder / "m", {tensor("a", DType::u8, {3}), tensor("b", DType::f64, {1}),
                                   tensor("c", DType::f16, {1}), tensor("d", DType::f32, {1})});
  const Checkpoint read(folder / "m");
  for (const Tensor& tensor : read.tensors()) {
    const auto size = static_cast<std::size_t>(mhc::checkpoint::detail::row(tensor.dtype).bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data) % size, 0u) << tensor.name;
  }
}

TEST(Writer, BytesFollowTheFormat) {
  using namespace std::string_literals;
  const Folder folder;
  const std::byte data[] = {std::byte{1}, std::byte{2}};
  write_safetensors(folder / "m", {{"w", DType::u8, {2}, data, 2}}, {{"k", "v"}});
  EXPECT_EQ(mhc_test::read_file(folder / "m"),
            "\x50\0\0\0\0\0\0\0"s
            R"({"__metadata__":{"k":"v"},"w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})"
            "  \1\2");
}

TEST(Writer, EmptyFileCanBeWritten) {
  const Folder folder;
  write_safetensors(folder / "m", {});
  EXPECT_TRUE(Checkpoint(folder / "m").tensors().empty());
}

TEST(Writer, InvalidTensorsAreRejected) {
  const Folder folder;
  const std::string path = folder / "m";
  const auto write = [&](const Tensor& tensor) { write_safetensors(path, {tensor}); };
  Tensor wrong = tensor("w", DType::f32, {2});
  wrong.bytes = 7;
  EXPECT_FILE_REFUSED(write(wrong), path, "'w' has 7 bytes, expected 8 for 2 of F32");
  wrong.shape = {-2};
  EXPECT_FILE_REFUSED(write(wrong),
                      "'w' has 7 bytes, expected a whole number below 2^63 for -2 of F32");
  wrong = tensor("w", DType::f32, {2});
  wrong.data = nullptr;
  EXPECT_FILE_REFUSED(write(wrong), "'w' has no data (null pointer)");
  EXPECT_FILE_REFUSED(write(tensor("w", DType::q4_k, {256})),
                      "'w' is Q4_K, which is not a safetensors dtype");
  EXPECT_FILE_REFUSED(write(tensor("__metadata__", DType::u8, {1})),
                      "has the name of the metadata");
  EXPECT_FILE_REFUSED(write(tensor("\xff", DType::u8, {1})), "is not UTF-8");
  EXPECT_FILE_REFUSED(
      write_safetensors(path, {tensor("w", DType::u8, {1}), tensor("w", DType::f32, {2})}),
      "two tensors have the name 'w'");
  EXPECT_FILE_REFUSED(write_safetensors(path, {}, {{"k", "\xc3"}}), "is not UTF-8");
  EXPECT_TRUE(folder.names().empty());
}

TEST(Writer, MissingFolderIsReported) {
  const Folder folder;
  const std::string path = folder / "absent/m";
  EXPECT_FILE_REFUSED(write_safetensors(path, {}), path, "cannot be created: No such file");
}

TEST(Writer, NonRegularFileIsLeftAlone) {
  const Folder folder;
  std::filesystem::create_directory(folder / "m");
  EXPECT_FILE_REFUSED(write_safetensors(folder / "m", {}), "it exists and is not a regular file");
  EXPECT_FILE_REFUSED(write_safetensors("/dev/full", {}), "/dev/full", "not a regular file");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST(Writer, LeftoverTemporaryIsNotTouched) {
  const Folder folder;
  mhc_test::write_file(folder / "m.tmp0", "someone else's");
  write_safetensors(folder / "m", {tensor("w", DType::u8, {1})});
  EXPECT_EQ(mhc_test::read_file(folder / "m.tmp0"), "someone else's");
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"m", "m.tmp0"}));
}

#if defined(__cpp_exceptions)

/// Drops root's privileges, if the test has them, for its lifetime.
class Unprivileged {
 public:
  Unprivileged() : user_(::geteuid()) {
    if (user_ == 0 && ::seteuid(nobody) != 0) ADD_FAILURE() << "cannot drop privileges";
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;
  ~Unprivileged() {
    if (::seteuid(user_) != 0) ADD_FAILURE() << "cannot be " << user_ << " again";
  }

 private:
  static constexpr uid_t nobody = 65534;
  uid_t user_;
};

TEST(Writer, OldFileIsKeptWithoutPermission) {
  const Folder folder;
  const std::string path = folder / "m";
  write_safetensors(path, {tensor("old", DType::f32, {4})});
  ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
  {
    const Unprivileged user;
    EXPECT_FILE_REFUSED(write_safetensors(path, {}), path, "cannot be created: Permission denied");
  }
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  EXPECT_NE(Checkpoint(path).find("old"), nullptr);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"m"});
}

TEST(Reader, MissingPermissionIsReported) {
  const Folder folder;
  const std::string path = mhc_test::write_file(folder / "m", "{}");
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0), 0);
  const Unprivileged user;
  using mhc::checkpoint::Access;
  EXPECT_FILE_REFUSED(Checkpoint(path, Access::map), path, "cannot be read: Permission denied");
  EXPECT_FILE_REFUSED(Checkpoint(path, Access::read), path, "cannot be read: Permission denied");
}

TEST(Writer, OldFileIsKeptOnAFullDisk) {
  const Folder folder;
  const std::string path = folder / "m";
  write_safetensors(path, {tensor("old", DType::f32, {4})});
  const std::string old = mhc_test::read_file(path);
  // Fails in the header, in the data and at its last byte: stdio's buffering makes these differ.
  for (const rlim_t bytes : std::vector<rlim_t>{0, 4, 100, 4096, 20000, 65600}) {
    {
      const mhc_test::FullDisk disk(bytes);
      EXPECT_FILE_REFUSED(write_safetensors(path, {tensor("new", DType::u8, {1 << 16})}), path,
                          "cannot be written: File too large");
    }
    EXPECT_EQ(mhc_test::read_file(path), old) << bytes;
    EXPECT_EQ(folder.names(), std::vector<std::string>{"m"}) << bytes;
  }
}

TEST(Writer, UncommittedFileLeavesNoTrace) {
  const Folder folder;
  mhc_test::write_file(folder / "m", "old");
  {
    mhc::files::AtomicFile file(folder / "m", "checkpoint");
    file.write("new", 3);
    EXPECT_EQ(mhc_test::read_file(folder / "m"), "old");
  }
  EXPECT_EQ(mhc_test::read_file(folder / "m"), "old");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"m"});
}

TEST(Writer, FailedRenameIsReported) {
  const Folder folder;
  mhc::files::AtomicFile file(folder / "m", "checkpoint");
  file.write("new", 3);
  std::filesystem::create_directory(folder / "m");
  EXPECT_FILE_REFUSED(file.commit(), folder / "m",
                      "cannot be renamed from its temporary file: Is a dir");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"m"});
}

TEST(Writer, ReaderKeepsTheOldFileDuringReplacement) {
  const Folder folder;
  const Tensor first = tensor("w", DType::f32, {4});
  write_safetensors(folder / "m", {first});
  const Checkpoint reader(folder / "m");
  write_safetensors(folder / "m", {tensor("other", DType::f32, {1})});
  expect_same(reader.find("w"), first);
  EXPECT_NE(Checkpoint(folder / "m").find("other"), nullptr);
}

#endif

}  // namespace
