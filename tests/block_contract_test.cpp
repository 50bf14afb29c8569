// SPDX-License-Identifier: MIT
// The guarantees of block.hpp, bit for bit, for n = 4.

#include <gtest/gtest.h>

#include <mhc/mhc.hpp>

#include "support/contract.hpp"

namespace mhc_test {

using Blocks = testing::Types<mhc::Block<4, float>, mhc::Block<4, double>, mhc::Block<4, mhc::bf16>,
                              mhc::Block<4, float, mhc::HyperConnections>>;
INSTANTIATE_TYPED_TEST_SUITE_P(FourStreams, BlockContract, Blocks, BlockNames);

}  // namespace mhc_test
