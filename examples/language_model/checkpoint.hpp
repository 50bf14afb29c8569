// SPDX-License-Identifier: MIT
// The state of a run in a file:
//
//   magic "mhc-lm\n\0" | version u32 | settings: count u32, then (name, value) as length u32 +
//   bytes | step u64 | largest gradient norm f64 | arrays: count u32, then each length u64 + floats
//   | crc32 u32 of all before
//
// in little-endian. Files are written atomically.
//
// Checkpoints are untrusted: the checksum and every length are validated before use.
#pragma once

#include <zlib.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <mhc/files/atomic_file.hpp>

#include "config.hpp"

namespace language_model {

struct Checkpoint {
  Settings settings;
  std::uint64_t step = 0;  // steps done
  double largest_gradient_norm = 0;
  std::vector<std::vector<float>> arrays;
};

namespace detail {

constexpr char checkpoint_magic[8] = {'m', 'h', 'c', '-', 'l', 'm', '\n', '\0'};
constexpr std::uint32_t checkpoint_version = 1;

[[noreturn]] inline void refuse_checkpoint(const std::filesystem::path& path,
                                           const std::string& why) {
  throw std::runtime_error("checkpoint: '" + path.string() + "' " + why);
}

template <class T>
void put(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline void put(std::string& out, const std::string& text) {
  put(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

// Reads a block of bytes, never past its end.
class Reader {
 public:
  Reader(const std::filesystem::path& path, const std::string& bytes, std::size_t end)
      : path_(path), bytes_(bytes), end_(end) {}

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(1, sizeof value), sizeof value);
    return value;
  }

  std::string text() {
    const auto size = number<std::uint32_t>();
    return std::string(take(size, 1), size);
  }

  std::vector<float> floats() {
    const auto size = number<std::uint64_t>();
    const char* const data = take(size, sizeof(float));
    std::vector<float> values(static_cast<std::size_t>(size));
    if (size > 0) std::memcpy(values.data(), data, values.size() * sizeof(float));
    return values;
  }

  bool at_end() const { return position_ == end_; }

 private:
  const char* take(std::uint64_t count, std::size_t size) {
    if (count > (end_ - position_) / size) refuse_checkpoint(path_, "is cut short");
    const char* const data = bytes_.data() + position_;
    position_ += static_cast<std::size_t>(count) * size;
    return data;
  }

  const std::filesystem::path& path_;
  const std::string& bytes_;
  std::size_t end_;
  std::size_t position_ = 0;
};

}  // namespace detail

inline void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  using detail::put;
  std::string bytes(detail::checkpoint_magic, sizeof detail::checkpoint_magic);
  put(bytes, detail::checkpoint_version);
  put(bytes, static_cast<std::uint32_t>(checkpoint.settings.size()));
  for (const auto& [name, value] : checkpoint.settings) {
    put(bytes, name);
    put(bytes, value);
  }
  put(bytes, checkpoint.step);
  put(bytes, checkpoint.largest_gradient_norm);
  put(bytes, static_cast<std::uint32_t>(checkpoint.arrays.size()));
  for (const auto& array : checkpoint.arrays) {
    put(bytes, static_cast<std::uint64_t>(array.size()));
    bytes.append(reinterpret_cast<const char*>(array.data()), array.size() * sizeof(float));
  }
  const uLong sum = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  put(bytes, static_cast<std::uint32_t>(sum));

  mhc::files::AtomicFile file(path.string(), "checkpoint");
  file.write(bytes.data(), bytes.size());
  file.commit();
}

inline Checkpoint load_checkpoint(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) detail::refuse_checkpoint(path, "does not exist");
  if (!std::filesystem::is_regular_file(path, ignored)) {
    detail::refuse_checkpoint(path, "is not a file");
  }
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || file.bad()) {
    detail::refuse_checkpoint(path, std::string("cannot be read: ") + std::strerror(errno));
  }

  constexpr std::size_t magic_size = sizeof detail::checkpoint_magic;
  constexpr std::size_t sum_size = sizeof(std::uint32_t);
  if (bytes.compare(0, magic_size, detail::checkpoint_magic, magic_size) != 0) {
    detail::refuse_checkpoint(path, "is not a checkpoint of this program");
  }
  if (bytes.size() < magic_size + 2 * sum_size) detail::refuse_checkpoint(path, "is cut short");
  std::uint32_t version = 0, sum = 0;
  std::memcpy(&version, bytes.data() + magic_size, sizeof version);
  std::memcpy(&sum, bytes.data() + bytes.size() - sum_size, sum_size);
  if (version != detail::checkpoint_version) {
    detail::refuse_checkpoint(path, "has format version " + std::to_string(version) +
                                        ", this program reads version " +
                                        std::to_string(detail::checkpoint_version));
  }
  const uLong computed =
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size() - sum_size);
  if (sum != computed) {
    detail::refuse_checkpoint(path, "is cut short or damaged: its checksum does not match");
  }

  detail::Reader reader(path, bytes, bytes.size() - sum_size);
  reader.number<std::uint64_t>();  // magic
  reader.number<std::uint32_t>();  // version
  Checkpoint checkpoint;
  for (auto count = reader.number<std::uint32_t>(); count > 0; --count) {
    std::string name = reader.text();
    checkpoint.settings.emplace_back(std::move(name), reader.text());
  }
  checkpoint.step = reader.number<std::uint64_t>();
  checkpoint.largest_gradient_norm = reader.number<double>();
  for (auto count = reader.number<std::uint32_t>(); count > 0; --count) {
    checkpoint.arrays.push_back(reader.floats());
  }
  if (!reader.at_end()) detail::refuse_checkpoint(path, "has bytes after its end");
  return checkpoint;
}

// Throws at the first difference between the checkpoint and this run.
inline void check_same_run(const std::filesystem::path& path, const Checkpoint& checkpoint,
                           const Settings& settings, const std::vector<std::size_t>& sizes) {
  for (std::size_t i = 0; i < settings.size(); ++i) {
    const auto& [name, value] = settings[i];
    if (i >= checkpoint.settings.size() || checkpoint.settings[i].first != name) {
      detail::refuse_checkpoint(path, "lacks the setting " + name);
    }
    if (checkpoint.settings[i].second != value) {
      detail::refuse_checkpoint(path, "was made with " + name + " " +
                                          checkpoint.settings[i].second + ", this run has " +
                                          value);
    }
  }
  if (checkpoint.arrays.size() != sizes.size()) {
    detail::refuse_checkpoint(path, "has " + std::to_string(checkpoint.arrays.size()) +
                                        " arrays, expected " + std::to_string(sizes.size()));
  }
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (checkpoint.arrays[i].size() != sizes[i]) {
      detail::refuse_checkpoint(path, "has " + std::to_string(checkpoint.arrays[i].size()) +
                                          " numbers in array " + std::to_string(i) + ", expected " +
                                          std::to_string(sizes[i]));
    }
  }
}

}  // namespace language_model
