// SPDX-License-Identifier: MIT
// The instruction set in use is the best one by default, and any available one on request.

#include <gtest/gtest.h>

#include <string>

#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/refused.hpp"
#include "support/site.hpp"

namespace {

using mhc::InstructionSet;
using Block = mhc::Block<4>;

class InstructionSets : public testing::Test {
 protected:
  ~InstructionSets() override { mhc::use_instruction_set(before); }
  const InstructionSet before = mhc::instruction_set();
};

TEST_F(InstructionSets, AreNamed) {
  EXPECT_EQ(std::string(mhc::name(InstructionSet::generic)), "generic");
  EXPECT_EQ(std::string(mhc::name(InstructionSet::avx2)), "avx2");
  EXPECT_EQ(std::string(mhc::name(InstructionSet::avx512)), "avx512");
  EXPECT_EQ(std::string(mhc::name(InstructionSet::avx512_bf16)), "avx512_bf16");
}

TEST_F(InstructionSets, GenericIsAlwaysAvailable) {
  EXPECT_TRUE(mhc::is_available(InstructionSet::generic));
  EXPECT_TRUE(mhc::is_available(mhc::instruction_set()));
}

TEST_F(InstructionSets, AgreeToRounding) {
  const mhc_test::Problem<Block> problem(21, 300, 1);
  const Block block(problem.parameters);
  mhc::use_instruction_set(InstructionSet::generic);
  mhc_test::Results<Block> expected(21, 300);
  run(block, problem.inputs(), expected.outputs());
  for (const InstructionSet set :
       {InstructionSet::avx2, InstructionSet::avx512, InstructionSet::avx512_bf16}) {
    if (!mhc::is_available(set)) continue;
    SCOPED_TRACE(mhc::name(set));
    mhc::use_instruction_set(set);
    ASSERT_EQ(mhc::instruction_set(), set);
    mhc_test::Results<Block> results(21, 300);
    run(block, problem.inputs(), results.outputs());
    const auto a = results.dx.view().stream(0).matrix();
    const auto b = expected.dx.view().stream(0).matrix();
    EXPECT_LE((a - b).norm(), 1e-5f * b.norm());
    // Sums of 1200 products in another order: equal bits would mean that the kernels are the same.
    EXPECT_FALSE(mhc_test::same_bits(results.dx.view(), expected.dx.view()));
  }
}

TEST_F(InstructionSets, Bf16ChangesOnlyProductsOfBf16) {
  if (!mhc::is_available(InstructionSet::avx512_bf16)) GTEST_SKIP() << "no avx512_bf16";
  using Rounded = mhc::Block<4, mhc::bf16>;
  const mhc_test::Problem<Rounded> problem(21, 300, 1);
  const mhc::RoundedPhi<4> phi(problem.parameters);
  const Rounded block(problem.parameters);
  mhc_test::Results<Rounded> expected(21, 300);
  mhc_test::Results<Rounded> results(21, 300);
  mhc::use_instruction_set(InstructionSet::avx512);
  run(block, problem.inputs(), expected.outputs());
  mhc::use_instruction_set(InstructionSet::avx512_bf16);
  run(block, problem.inputs(), results.outputs());
  mhc_test::expect_same<Rounded>(results.outputs(), expected.outputs());

  block.prepare_rounded(problem.x, results.u, results.saved, phi);
  mhc::use_instruction_set(InstructionSet::avx512);
  block.prepare_rounded(problem.x, expected.u, expected.saved, phi);
  EXPECT_TRUE(mhc_test::same_bits(results.saved.inverse_rms(), expected.saved.inverse_rms()));
  EXPECT_FALSE(mhc_test::same_bits(results.saved.raw(), expected.saved.raw()));
}

TEST_F(InstructionSets, UnavailableSetIsRejected) {
  for (const InstructionSet set :
       {InstructionSet::avx2, InstructionSet::avx512, InstructionSet::avx512_bf16}) {
    if (mhc::is_available(set)) continue;
    EXPECT_REFUSED(mhc::use_instruction_set(set),
                   std::string("use_instruction_set: ") + mhc::name(set) + " is not available");
    EXPECT_EQ(mhc::instruction_set(), before);
  }
}

}  // namespace
