// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include <mhc/checkpoint/bytes.hpp>

namespace mhc_test {

/// A malformed file and part of the expected error sentence: one row of a table of tests.
struct Malformed {
  const char* name;
  std::string file;
  const char* sentence;

  friend std::ostream& operator<<(std::ostream& out, const Malformed& malformed) {
    return out << malformed.name;
  }
};

inline std::string name_of(const testing::TestParamInfo<Malformed>& test) {
  return test.param.name;
}

/// Bytes in an allocation of exactly their size, so that sanitizers detect reads past the end.
class Exactly {
 public:
  explicit Exactly(const std::string& file) : copy_(file.begin(), file.end()) {}

  mhc::checkpoint::Bytes bytes() const {
    return {reinterpret_cast<const std::byte*>(copy_.data()), copy_.size()};
  }

 private:
  std::vector<char> copy_;
};

}  // namespace mhc_test
