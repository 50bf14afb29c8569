// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#if __has_include(<unistd.h>)
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#include <mhc/check.hpp>

MHC_NAMESPACE_BEGIN
namespace files {

/// Writes a file atomically. The bytes go to a temporary FILE.tmpN beside it; commit() flushes it
/// to disk and renames it to FILE. Until then, and if anything fails, FILE is unchanged. An
/// existing file's permissions are kept, and a symbolic link is replaced by a file. The destructor
/// removes the temporary if commit() was not called.
///
/// Throws std::runtime_error "mhc::WRITER: FILE: ..." if FILE exists and is not a regular file, or
/// on a system error: no permission, no space.
class AtomicFile {
 public:
  AtomicFile(std::string path, const char* writer) : path_(std::move(path)), writer_(writer) {
    std::error_code ignored;
    const std::filesystem::file_status status = std::filesystem::status(path_, ignored);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
      refuse("cannot be written: it exists and is not a regular file");
    }
    constexpr int most = 1000;
    for (int i = 0; i < most && file_ == nullptr; ++i) {
      temporary_ = path_ + ".tmp" + std::to_string(i);
      file_ = std::fopen(temporary_.c_str(), "wbx");
      if (file_ == nullptr && errno != EEXIST) break;
    }
    if (file_ == nullptr) refuse("cannot be created: ", std::strerror(errno));
#if __has_include(<unistd.h>)
    if (std::filesystem::exists(status)) {  // a private file stays private
      static_cast<void>(
          ::fchmod(::fileno(file_), static_cast<::mode_t>(status.permissions()) & 0777));
    }
#endif
  }

  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    discard();
  }

  void write(const void* data, std::size_t size) {
    check_open();
    if (size > 0 && std::fwrite(data, 1, size, file_) != size) fail("cannot be written");
  }

  void commit() {
    check_open();
    if (std::fflush(file_) != 0) fail("cannot be written");
#if __has_include(<unistd.h>)
    if (::fsync(::fileno(file_)) != 0) fail("cannot be flushed to disk");
#endif
    std::FILE* const file = std::exchange(file_, nullptr);
    if (std::fclose(file) != 0) fail("cannot be closed");
    std::error_code error;
    std::filesystem::rename(temporary_, path_, error);
    if (error) {
      errno = error.value();
      fail("cannot be renamed from its temporary file");
    }
    temporary_.clear();
    flush_directory();
  }

 private:
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    mhc::detail::refuse_file(writer_, path_, parts...);
  }

  void check_open() const {
    if (file_ == nullptr) refuse("is already closed");
  }

  void discard() {
    if (file_ != nullptr) std::fclose(file_);
    file_ = nullptr;
    if (!temporary_.empty()) std::remove(temporary_.c_str());
    temporary_.clear();
  }

  [[noreturn]] void fail(const char* what) {
    const int reason = errno;
    discard();
    refuse(what, ": ", std::strerror(reason));
  }

  /// Makes the rename durable across a power failure, where the file system supports it; the file
  /// is complete in either case.
  void flush_directory() {
#if __has_include(<unistd.h>)
    std::filesystem::path directory = std::filesystem::path(path_).parent_path();
    if (directory.empty()) directory = ".";
    const int folder = ::open(directory.c_str(), O_RDONLY | O_CLOEXEC);
    if (folder < 0) return;
    static_cast<void>(::fsync(folder));
    ::close(folder);
#endif
  }

  std::string path_;
  const char* writer_;
  std::string temporary_;
  std::FILE* file_ = nullptr;
};

}  // namespace files
MHC_NAMESPACE_END
