// SPDX-License-Identifier: MIT
// The guarantees of block.hpp, bit for bit, for other numbers of streams, element types and
// connections.

#include <gtest/gtest.h>

#include <mhc/mhc.hpp>

#include "support/contract.hpp"

namespace mhc_test {

using Blocks = testing::Types<mhc::Block<1, float>, mhc::Block<2, mhc::bf16>, mhc::Block<3, float>,
                              mhc::Block<5, double>, mhc::Block<8, float>,
                              mhc::Block<2, mhc::f16, mhc::HyperConnections>,
                              mhc::Block<3, float, mhc::OrdinaryResidual>>;
INSTANTIATE_TYPED_TEST_SUITE_P(OtherStreams, BlockContract, Blocks, BlockNames);

}  // namespace mhc_test
