// SPDX-License-Identifier: MIT
// Replays the fuzzers' seeds, and the inputs that they found, through the readers.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "../fuzz/targets.hpp"
#include "../support/files.hpp"

namespace {

/// Runs a target on each file of tests/fuzz/data/<name>.
void replay(const std::string& name, void (*target)(mhc::checkpoint::Bytes)) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(MHC_FUZZ_DATA "/" + name)) {
    SCOPED_TRACE(entry.path());
    target(mhc_test::bytes_of(mhc_test::read_file(entry.path().string())));
    ++files;
  }
  EXPECT_GT(files, 0);
}

TEST(FuzzSeeds, Safetensors) {
  replay("safetensors", mhc_fuzz::safetensors);
}

TEST(FuzzSeeds, Gguf) {
  replay("gguf", mhc_fuzz::gguf);
}

TEST(FuzzSeeds, Index) {
  replay("index", mhc_fuzz::Index);
}

}  // namespace
