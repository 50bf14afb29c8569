// SPDX-License-Identifier: MIT
// Errors that were there before a call are reported as such, not swallowed. A program of its own,
// whose device is lost at the end.

#include "site.hpp"

namespace {

using namespace mhc_test;

__global__ void write_to(int* address) {
  *address = 1;
}

/// Every call throws the sentence, whose beginning names the call.
template <class S>
void expect_sentence(S& site, mhc::cuda::Workspace workspace, const std::string& sentence) {
  const auto block = site.block();
  const auto expect_named = [&](const char* function, const auto& call) {
    try {
      call();
      ADD_FAILURE() << function << " did not throw";
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(std::string(error.what()), std::string("mhc::cuda::") + function + sentence);
    }
  };
  expect_named("Block::prepare", [&] {
    block.prepare(site.x_view(), site.u_view(), site.saved_view(), workspace, nullptr);
  });
  expect_named("Block::finish", [&] {
    block.finish(site.x_view(), site.v_view(), site.saved_view(), site.x_next_view(), nullptr);
  });
  expect_named("collapse_mean",
               [&] { mhc::cuda::collapse_mean(site.x_view(), site.u_view(), nullptr); });
}

TEST(CudaErrors, ThoseOfEarlierCallsAreReportedAndStayPending) {
  Site<4, mhc::bf16> tiles(3, 64, 1);
  Site<4, float> plain(3, 64, 1);
  const auto expect_pending = [](auto& site) {
    const auto block = site.block();
    Workspace workspace(block.workspace_bytes(3));
    const auto call = [&] {
      block.prepare(site.x_view(), site.u_view(), site.saved_view(), workspace, nullptr);
    };
    write_to<<<1, 4096>>>(nullptr);  // more threads than a block may have
    const cudaError_t pending = cudaPeekAtLastError();
    ASSERT_NE(pending, cudaSuccess);
    for (int repeat = 0; repeat < 2; ++repeat) {
      try {
        call();
        ADD_FAILURE() << "it did not throw";
      } catch (const std::runtime_error& error) {
        EXPECT_EQ(std::string(error.what()),
                  std::string("mhc::cuda::Block::prepare: an earlier CUDA call has failed, and "
                              "nobody has asked for its error with cudaGetLastError: ") +
                      cudaGetErrorString(pending) + " (" + cudaGetErrorName(pending) + ")");
      }
    }
    EXPECT_EQ(cudaGetLastError(), pending);
    EXPECT_NO_THROW(call());
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    for (const float value : site.saved.get()) EXPECT_TRUE(std::isfinite(value));
  };
  expect_pending(tiles);
  expect_pending(plain);
}

TEST(CudaErrors, ThoseOfTheCallItselfAreReportedOnce) {
  Site<4, float> site(3, 64, 1);
  EXPECT_THROW(mhc::cuda::check("test", cudaMemsetAsync(nullptr, 0, 4, nullptr)),
               std::runtime_error);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_NO_THROW(mhc::cuda::collapse_mean(site.x_view(), site.u_view(), nullptr));
}

TEST(CudaErrors, ThoseOfEarlierWorkAreNamedAsSuch) {
  Site<4, mhc::bf16> site(3, 64, 1);
  const auto block = site.block();
  Workspace workspace(block.workspace_bytes(3));
  write_to<<<1, 1>>>(nullptr);
  EXPECT_NE(cudaDeviceSynchronize(), cudaSuccess);
  expect_sentence(site, workspace,
                  ": an illegal memory access was encountered, in work that was put on the device "
                  "before this call (cudaErrorIllegalAddress)");
}

}  // namespace
