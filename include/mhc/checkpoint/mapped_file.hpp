// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#if __has_include(<sys/mman.h>)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#define MHC_HAS_MMAP
#endif

#include <mhc/checkpoint/bytes.hpp>
#include <mhc/checkpoint/errors.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

/// How a file is brought into memory.
enum class Access {
  map,   ///< mmap: pages are loaded on first access; the same as `read` where there is no mmap
  read,  ///< copied whole into memory that the object owns
};

/// The read-only bytes of a file.
///
/// Throws std::runtime_error if the file does not exist, is not readable, is a directory or a
/// device, or is empty. If another program truncates a mapped file, access to the missing bytes
/// kills the process (SIGBUS); Access::read is safe from that.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path, Access access = Access::map) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(path, error);
    if (error) detail::refuse(path, "cannot be read: ", error.message());
    if (std::filesystem::is_directory(status)) {
      detail::refuse(path, "is a directory, expected a file");
    }
    if (!std::filesystem::is_regular_file(status)) {
      detail::refuse(path, "is not a regular file");
    }
    size_ = static_cast<std::size_t>(std::filesystem::file_size(path, error));
    if (error) detail::refuse(path, "cannot be read: ", error.message());
    if (size_ == 0) detail::refuse(path, "is empty");
#if defined(MHC_HAS_MMAP)
    if (access == Access::map) {
      map(path);
      return;
    }
#endif
    static_cast<void>(access);
    read(path);
  }

  MappedFile(MappedFile&& other) noexcept
      : mapped_(std::exchange(other.mapped_, nullptr)),
        read_(std::move(other.read_)),
        size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(mapped_, other.mapped_);
    std::swap(read_, other.read_);
    std::swap(size_, other.size_);
    return *this;
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  ~MappedFile() {
#if defined(MHC_HAS_MMAP)
    if (mapped_ != nullptr) ::munmap(mapped_, size_);
#endif
  }

  Bytes bytes() const {
    return {mapped_ != nullptr ? static_cast<const std::byte*>(mapped_) : read_.get(), size_};
  }

 private:
#if defined(MHC_HAS_MMAP)
  void map(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) detail::refuse(path, "cannot be read: ", std::strerror(errno));
    struct ::stat now = {};  // of the opened file, which may have been replaced since the checks
    if (::fstat(file, &now) != 0 || !S_ISREG(now.st_mode) || now.st_size <= 0) {
      ::close(file);
      detail::refuse(path, "was replaced while it was being opened");
    }
    size_ = static_cast<std::size_t>(now.st_size);
    void* const mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    const int reason = errno;
    ::close(file);
    if (mapped == MAP_FAILED) detail::refuse(path, "cannot be mapped: ", std::strerror(reason));
    mapped_ = mapped;
  }
#endif

  void read(const std::string& path) {
    std::FILE* const file = std::fopen(path.c_str(), "rb");
    if (file == nullptr) detail::refuse(path, "cannot be read: ", std::strerror(errno));
    read_ = std::make_unique<std::byte[]>(size_);
    const std::size_t got = std::fread(read_.get(), 1, size_, file);
    std::fclose(file);
    if (got != size_) {
      detail::refuse(path, "ends after ", got, " bytes, expected ", size_);
    }
  }

  void* mapped_ = nullptr;
  std::unique_ptr<std::byte[]> read_;
  std::size_t size_ = 0;
};

}  // namespace checkpoint
MHC_NAMESPACE_END

#undef MHC_HAS_MMAP
