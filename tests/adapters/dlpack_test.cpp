// SPDX-License-Identifier: MIT
#include <mhc/adapters/dlpack.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <mhc/mhc.hpp>

#include "../support/random.hpp"
#include "../support/refused.hpp"

namespace {

struct Foreign {
  std::vector<std::int64_t> sizes, strides;
  DLTensor tensor{};

  Foreign(void* data, std::vector<std::int64_t> sizes_, std::vector<std::int64_t> strides_,
          std::uint8_t code, std::uint8_t bits)
      : sizes(std::move(sizes_)), strides(std::move(strides_)) {
    tensor.data = data;
    tensor.device.device_type = kDLCPU;
    tensor.ndim = static_cast<int>(sizes.size());
    tensor.dtype.code = code;
    tensor.dtype.bits = bits;
    tensor.dtype.lanes = 1;
    tensor.shape = sizes.data();
    tensor.strides = strides.empty() ? nullptr : strides.data();
  }
};

TEST(FromDlpack, SharesTheTensorsMemory) {
  std::vector<float> memory(2 * 3 * 4 * 8 + 1);
  Foreign foreign(memory.data(), {2, 3, 4, 5}, {96, 32, 8, 1}, kDLFloat, 32);
  foreign.tensor.byte_offset = sizeof(float);
  const auto x = mhc::from_dlpack_streams<float>("x", foreign.tensor);
  EXPECT_EQ(x.tokens, 6);
  EXPECT_EQ(x.row(4, 3), &memory[1 + 4 * 32 + 3 * 8]);
  foreign.tensor.device.device_type = kDLCUDAHost;
  EXPECT_EQ(mhc::from_dlpack_streams<const float>("x", foreign.tensor).data, &memory[1]);
}

TEST(FromDlpack, AcceptsEveryElementType) {
  std::vector<double> memory(40);
  EXPECT_TRUE(mhc::from_dlpack_tokens<double>(
      "u", Foreign(memory.data(), {8, 5}, {}, kDLFloat, 64).tensor));
  EXPECT_TRUE(mhc::from_dlpack_tokens<mhc::bf16>(
      "u", Foreign(memory.data(), {8, 5}, {}, kDLBfloat, 16).tensor));
  EXPECT_TRUE(mhc::from_dlpack_tokens<mhc::f16>(
      "u", Foreign(memory.data(), {8, 5}, {}, kDLFloat, 16).tensor));
}

TEST(FromDlpack, RejectsOtherTypesAndDevices) {
  std::vector<double> memory(40);
  Foreign foreign(memory.data(), {2, 4, 5}, {}, kDLFloat, 64);
  EXPECT_REFUSED(mhc::from_dlpack_streams<float>("x", foreign.tensor),
                 "mhc::from_dlpack_streams: x is of type float64, expected float32");
  EXPECT_REFUSED(mhc::from_dlpack_streams<mhc::bf16>("x", foreign.tensor), "expected bfloat16");
  foreign.tensor.dtype.lanes = 2;
  EXPECT_REFUSED(mhc::from_dlpack_streams<double>("x", foreign.tensor),
                 "x is of type float64 x 2, expected float64");
  foreign.tensor.dtype.lanes = 1;
  foreign.tensor.dtype.code = 77;
  EXPECT_REFUSED(mhc::from_dlpack_streams<double>("x", foreign.tensor), "x is of type type 77, 64");
  foreign.tensor.dtype.code = kDLFloat;
  foreign.tensor.device.device_type = kDLCUDA;
  EXPECT_REFUSED(mhc::from_dlpack_streams<double>("x", foreign.tensor),
                 "x is on a device of type 2, expected host memory");
}

TEST(FromDlpack, RejectsNullDataUnlessEmpty) {
  Foreign foreign(nullptr, {2, 4, 5}, {}, kDLFloat, 32);
  EXPECT_REFUSED(mhc::from_dlpack_streams<float>("x", foreign.tensor),
                 "mhc::from_dlpack_streams: x has no data (null pointer)");
  EXPECT_REFUSED(mhc::from_dlpack_tokens<float>("u", foreign.tensor), "u has no data");
  foreign.sizes[0] = 0;
  EXPECT_EQ(mhc::from_dlpack_streams<float>("x", foreign.tensor).tokens, 0);
}

TEST(FromDlpack, RejectsMisalignedData) {
  std::vector<double> memory(41);
  Foreign foreign(memory.data(), {2, 4, 5}, {}, kDLFloat, 64);
  foreign.tensor.byte_offset = 4;
  EXPECT_REFUSED(mhc::from_dlpack_streams<double>("x", foreign.tensor),
                 "x has an address that is not a multiple of 8 bytes: pass a copy");
  foreign.tensor.byte_offset = 8;
  EXPECT_EQ(mhc::from_dlpack_streams<double>("x", foreign.tensor).data, &memory[1]);
  // Address plus offset counts.
  foreign.tensor.data = reinterpret_cast<char*>(memory.data()) + 1;
  EXPECT_REFUSED(mhc::from_dlpack_streams<double>("x", foreign.tensor), "not a multiple of 8");
  foreign.tensor.byte_offset = 7;
  EXPECT_EQ(mhc::from_dlpack_streams<double>("x", foreign.tensor).data, &memory[1]);
  foreign.tensor.dtype = DLDataType{kDLBfloat, 16, 1};
  foreign.tensor.byte_offset = 2;
  EXPECT_REFUSED(mhc::from_dlpack_tokens<mhc::bf16>("u", foreign.tensor), "not a multiple of 2");
}

TEST(ToDlpack, ExportedTensorRoundTrips) {
  auto x = std::make_shared<mhc::Streams<float>>(mhc_test::random_streams<float>(7, 4, 5, 1));
  const auto first_two = x->view().slice(2, 4);
  DLManagedTensor* const out = mhc::to_dlpack(first_two, x);
  EXPECT_EQ(x.use_count(), 2);
  EXPECT_EQ(out->dl_tensor.ndim, 3);
  const auto back = mhc::from_dlpack_streams<float>("x", out->dl_tensor);
  EXPECT_EQ(back.data, first_two.data);
  EXPECT_EQ(back.tokens, 2);
  EXPECT_EQ(back.token_stride, 20);
  EXPECT_EQ(back.stream_stride, 5);
  out->deleter(out);
  EXPECT_EQ(x.use_count(), 1);

  mhc::Tokens<mhc::bf16> u(3, 9);
  DLManagedTensor* const tokens = mhc::to_dlpack(u.view());
  EXPECT_EQ(mhc::from_dlpack_tokens<mhc::bf16>("u", tokens->dl_tensor).row(2), u.data() + 18);
  tokens->deleter(tokens);
}

#if defined(DLPACK_MAJOR_VERSION)
TEST(ToDlpackVersioned, ConstViewsAreFlaggedReadOnly) {
  auto x = std::make_shared<mhc::Streams<float>>(3, 4, 5);
  const mhc::StreamView<const float> read_only = x->view();
  DLManagedTensorVersioned* const out = mhc::to_dlpack_versioned(read_only, x);
  EXPECT_EQ(mhc::from_dlpack_streams<const float>("x", *out).data, x->data());
  EXPECT_REFUSED(mhc::from_dlpack_streams<float>("x", *out), "x is read-only");
  ++out->version.major;
  EXPECT_REFUSED(mhc::from_dlpack_streams<const float>("x", *out),
                 "x is of DLPack " + std::to_string(DLPACK_MAJOR_VERSION + 1) + "." +
                     std::to_string(DLPACK_MINOR_VERSION) + ", expected " +
                     std::to_string(DLPACK_MAJOR_VERSION) + ".x");
  out->deleter(out);
  EXPECT_EQ(x.use_count(), 1);
}
#endif

}  // namespace
