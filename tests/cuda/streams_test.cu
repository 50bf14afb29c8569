// SPDX-License-Identifier: MIT
// All elements and sizes for MHC_TEST_STREAMS streams, a program for each number of them.

#include "accuracy.hpp"

namespace {

using mhc::Index;
using namespace mhc_test;

constexpr int N = MHC_TEST_STREAMS;

TEST(CudaStreams, Sizes) {
  for (const Index channels : {1, 7, 64, 129, 256, 1280}) expect_all_elements<N>(17, channels);
  for (const Index tokens : {0, 1, 2, 15, 16, 63, 257}) expect_all_elements<N>(tokens, 129);
}

/// Both sides of every tile, part and choice of kernel.
TEST(CudaStreams, Grid) {
  for (const Index channels : {1, 7, 64, 129, 256, 1280, 2048}) {
    for (const Index tokens : {0, 1, 2, 15, 16, 17, 63, 257}) {
      expect_accurate<Site<N, float>>(tokens, channels);
      // phi as two bf16 is within 2^-16 of each value: few values, or few sums, average out little.
      const double tolerance = tokens <= 2 || tokens * channels < 64 ? 0x1p-15 : 4e-6;
      expect_accurate<Site<N, mhc::bf16>>(tokens, channels, {}, {}, 1.0, tolerance);
    }
  }
}

}  // namespace
