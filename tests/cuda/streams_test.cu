// SPDX-License-Identifier: MIT
// All elements and sizes for MHC_TEST_STREAMS streams, a program for each number of them.

#include "accuracy.hpp"

namespace {

using mhc::index;
using namespace mhc_test;

constexpr int N = MHC_TEST_STREAMS;

TEST(CudaStreams, Sizes) {
  for (const index channels : {1, 7, 64, 129, 256, 1280}) expect_all_elements<N>(17, channels);
  for (const index tokens : {0, 1, 2, 15, 16, 63, 257}) expect_all_elements<N>(tokens, 129);
}

}  // namespace
