// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

#include <mhc/files/atomic_file.hpp>

namespace report {

namespace detail {

/// Who writes, in the error sentences of mhc::files::AtomicFile: they begin with "mhc::files: ".
inline constexpr const char* writer = "files";

}  // namespace detail

/// Creates the folder of `path` if it is missing. Throws std::runtime_error if that fails.
inline void create_folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) {
    throw std::runtime_error("report: " + path +
                             ": its folder cannot be created: " + error.message());
  }
}

/// Writes the file atomically; missing folders are created. Throws std::runtime_error if it cannot
/// be written.
inline void write_file(const std::string& path, const std::string& bytes) {
  create_folder_of(path);
  mhc::files::AtomicFile file(path, detail::writer);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

}  // namespace report
