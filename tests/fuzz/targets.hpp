// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <mhc/checkpoint/gguf.hpp>
#include <mhc/checkpoint/sharded.hpp>

// The fuzz targets, also used by an ordinary test on the seeds: a reader gets the bytes as a file.
// It must either reject them with a sentence or return contents that are consistent.

namespace mhc_fuzz {

using mhc::checkpoint::Bytes;

inline void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

/// Every tensor lies within the file, is found by its name and can be read if it is numeric.
inline void check(const mhc::checkpoint::Contents& contents, Bytes file) {
  const std::byte* end_of_last = file.data;
  for (const mhc::checkpoint::Tensor& tensor : contents.tensors.all()) {
    require(tensor.data >= end_of_last, "tensors are sorted and do not overlap");
    require(tensor.data - file.data <= static_cast<std::ptrdiff_t>(file.size),
            "a tensor begins within the file");
    end_of_last = tensor.data + tensor.bytes;
    require(tensor.bytes <= file.size - static_cast<std::size_t>(tensor.data - file.data),
            "a tensor ends within the file");
    require(contents.tensors.find(tensor.name) == &tensor, "a tensor is found by its name");
    if (!mhc::checkpoint::is_number(tensor.dtype)) continue;
    std::vector<double> numbers(static_cast<std::size_t>(tensor.size()));
    tensor.copy_to(numbers.data());
  }
}

/// Calls read(); if it throws, checks that the sentence is fit to print.
template <class Read>
void accept_or_refuse(Read read) {
  constexpr std::string_view begins = "mhc::checkpoint: fuzz: ";
  try {
    read();
  } catch (const std::runtime_error& error) {
    const std::string_view sentence = error.what();
    require(sentence.substr(0, begins.size()) == begins, "a sentence names its file");
    require(sentence.size() < 1000, "a sentence is short");
    require(sentence.find('\n') == sentence.npos, "a sentence is one line");
  }
}

/// The input is a whole file or, if it begins with '{', the header of one with up to 64 zeros of
/// data, so that the fuzzer need not guess the length prefix.
inline void safetensors(Bytes input) {
  std::string file(input.text());
  if (file.substr(0, 1) == "{") {
    const auto length = static_cast<std::uint64_t>(file.size());
    const std::size_t zeros = file.size() % 65;
    file.insert(0, reinterpret_cast<const char*>(&length), sizeof length);
    file.append(zeros, '\0');
  }
  const std::vector<char> copy(file.begin(), file.end());
  const Bytes bytes{reinterpret_cast<const std::byte*>(copy.data()), copy.size()};
  accept_or_refuse([&] { check(mhc::checkpoint::read_safetensors(bytes, "fuzz"), bytes); });
}

inline void gguf(Bytes input) {
  accept_or_refuse([&] { check(mhc::checkpoint::read_gguf(input, "fuzz"), input); });
}

inline void Index(Bytes input) {
  accept_or_refuse([&] {
    for (const auto& [shard, names] : mhc::checkpoint::read_index(input, "fuzz")) {
      require(shard.find_first_of("/\\") == shard.npos && shard != "..",
              "a shard is in the folder of the index");
      require(!names.empty(), "a shard holds a tensor");
    }
  });
}

}  // namespace mhc_fuzz
