// SPDX-License-Identifier: MIT
// The training text: a file, or every .txt, .rst and .md file of a folder in the order of their
// paths. A part is held out for validation:
//
//   a folder of at least 20 files     every 20th file, whole
//   anything else                     the last 5%
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <zlib.h>

namespace language_model {

using Bytes = std::vector<std::uint8_t>;

struct Text {
  std::string source;  // where it came from
  std::string split;   // what was held out
  Bytes train;
  Bytes validation;

  std::size_t size() const { return train.size() + validation.size(); }
  std::uint32_t checksum() const {
    uLong sum = crc32_z(0, train.data(), train.size());
    sum = crc32_z(sum, validation.data(), validation.size());
    return static_cast<std::uint32_t>(sum);
  }
};

namespace detail {

constexpr std::size_t held_out = 20;  // one file in 20, or one byte in 20

inline void append_file(const std::filesystem::path& path, Bytes& bytes) {
  // Read in pieces: the reported size of a file is not always right.
  std::ifstream file(path, std::ios::binary);
  char buffer[1 << 16];
  while (file.read(buffer, sizeof buffer) || file.gcount() > 0) {
    bytes.insert(bytes.end(), buffer, buffer + file.gcount());
  }
  if (!file.eof()) {
    throw std::runtime_error("text: cannot read '" + path.string() + "': " + std::strerror(errno));
  }
}

inline std::vector<std::filesystem::path> text_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    const bool is_text = extension == ".txt" || extension == ".rst" || extension == ".md";
    if (is_text && entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.generic_string() < b.generic_string(); });
  return files;
}

}  // namespace detail

inline Text read_text(const std::filesystem::path& path) try {
  namespace fs = std::filesystem;
  Text text;
  if (!fs::exists(path)) {
    throw std::runtime_error("text: '" + path.string() + "' does not exist");
  }
  if (fs::is_directory(path)) {
    const auto files = detail::text_files(path);
    if (files.empty()) {
      throw std::runtime_error("text: the folder '" + path.string() +
                               "' has no .txt, .rst or .md file");
    }
    const bool whole_files = files.size() >= detail::held_out;
    for (std::size_t i = 0; i < files.size(); ++i) {
      const bool is_held_out = whole_files && i % detail::held_out == detail::held_out - 1;
      detail::append_file(files[i], is_held_out ? text.validation : text.train);
    }
    text.source = path.string() + " (" + std::to_string(files.size()) + " files)";
    if (whole_files) text.split = "every 20th file";
  } else if (fs::is_regular_file(path)) {
    detail::append_file(path, text.train);
    text.source = path.string();
  } else {
    throw std::runtime_error("text: '" + path.string() + "' is neither a file nor a folder");
  }
  if (text.size() == 0) {
    throw std::runtime_error("text: '" + path.string() + "' is empty");
  }
  if (text.split.empty()) {
    const auto cut = static_cast<std::ptrdiff_t>(text.train.size() / detail::held_out);
    text.validation.assign(text.train.end() - cut, text.train.end());
    text.train.resize(text.train.size() - text.validation.size());
    text.split = "the last 5%";
  }
  return text;
} catch (const std::filesystem::filesystem_error& error) {
  throw std::runtime_error("text: cannot read '" + error.path1().string() +
                           "': " + error.code().message());
}

// Both parts must hold one sequence and the byte that follows it.
inline void check_length(const Text& text, std::ptrdiff_t context) {
  const std::size_t shorter = std::min(text.train.size(), text.validation.size());
  if (shorter < static_cast<std::size_t>(context) + 1) {
    throw std::runtime_error("text: " + text.source + " has " + std::to_string(text.size()) +
                             " bytes, of which " + std::to_string(text.validation.size()) +
                             " are held out (" + text.split + "), but each part needs at least " +
                             std::to_string(context + 1) +
                             " (--context + 1): take a longer text or a shorter --context");
  }
}

// The manual of the CMake that configured this program, or else of the newest one installed.
inline std::filesystem::path cmake_manual() {
  namespace fs = std::filesystem;
  std::error_code ignored;
#ifdef LANGUAGE_MODEL_CMAKE_ROOT
  const fs::path configured = fs::path(LANGUAGE_MODEL_CMAKE_ROOT) / "Help";
  if (fs::is_directory(configured, ignored)) return configured;
#endif
  fs::path newest;
  for (const char* share : {"/usr/share", "/usr/local/share", "/opt/homebrew/share"}) {
    for (const auto& entry : fs::directory_iterator(share, ignored)) {
      const bool is_cmake = entry.path().filename().string().rfind("cmake", 0) == 0;
      const fs::path help = entry.path() / "Help";
      if (is_cmake && fs::is_directory(help, ignored) && newest < help) newest = help;
    }
  }
  if (newest.empty()) {
    throw std::runtime_error(
        "text: the CMake manual, which is the default text, is not on this machine (looked for "
        "/usr/share/cmake*/Help): name another with --text FILE_OR_FOLDER");
  }
  return newest;
}

// What gzip -9 needs for these bytes, in bits per byte.
inline double gzip_bits_per_byte(const Bytes& bytes) {
  z_stream stream{};
  constexpr int gzip_window = 15 + 16;  // 32 KiB of memory, gzip header and checksum
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    throw std::runtime_error("text: zlib could not be started");
  }
  Bytes compressed(deflateBound(&stream, static_cast<uLong>(bytes.size())));
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = compressed.data();
  stream.avail_out = static_cast<uInt>(compressed.size());
  const int status = deflate(&stream, Z_FINISH);
  const auto size = static_cast<double>(stream.total_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) {
    throw std::runtime_error("text: zlib could not compress the text");
  }
  return 8 * size / static_cast<double>(bytes.size());
}

}  // namespace language_model
