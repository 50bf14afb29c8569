// SPDX-License-Identifier: MIT
// A device that the program has no code for is named. Compiled for compute capability 8.0 alone,
// without PTX, which only devices of 8.x run.

#include "site.hpp"

namespace {

using namespace mhc_test;

TEST(CudaUnsupported, TheDeviceIsNamed) {
  cudaDeviceProp device = {};
  mhc::cuda::check("test", cudaGetDeviceProperties(&device, 0));
  if (device.major == 8) GTEST_SKIP() << "this device runs what is compiled for 8.0";
  Site<4, mhc::bf16> tiles(3, 64, 1);
  Site<4, float> plain(3, 64, 1);
  const auto expect_named = [&](auto& site) {
    const auto block = site.block();
    Workspace workspace(block.workspace_bytes(3));
    try {
      block.prepare(site.x_view(), site.u_view(), site.saved_view(), workspace, nullptr);
      ADD_FAILURE() << "it did not throw";
    } catch (const std::runtime_error& error) {
      const std::string sentence = error.what();
      const std::string number = std::to_string(device.major) + std::to_string(device.minor);
      EXPECT_EQ(sentence.find("mhc::cuda::Block::prepare: the program has no code for " +
                              std::string(device.name) + ", which has compute capability " +
                              std::to_string(device.major) + "." + std::to_string(device.minor)),
                0u)
          << sentence;
      EXPECT_NE(sentence.find(device.major < 8 ? "needs 8.0 or newer" : "-arch=sm_" + number),
                std::string::npos)
          << sentence;
    }
  };
  expect_named(tiles);
  expect_named(plain);
}

}  // namespace
