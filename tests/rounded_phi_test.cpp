// SPDX-License-Identifier: MIT
// phi rounded to bf16: the call is, bit by bit, that of a block whose phi has the rounded values.

#include <gtest/gtest.h>

#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/executors.hpp"
#include "support/fill.hpp"
#include "support/refused.hpp"
#include "support/site.hpp"

namespace {

using mhc::index;
using mhc_test::same_bits;

template <class Block, class Rounded>
void expect_rounded_values(index tokens, index channels) {
  SCOPED_TRACE(testing::Message() << tokens << " tokens, " << channels << " channels");
  const mhc_test::Problem<Block> problem(tokens, channels, 1);
  const Rounded rounded(problem.parameters);
  typename Block::Parameters parameters = problem.parameters;
  float* phi = parameters.view().phi_data();
  for (index k = 0; k < parameters.phi().size(); ++k) {
    ASSERT_EQ(mhc_test::bits_of(rounded.view().data[k]),
              mhc_test::bits_of(static_cast<mhc::bf16>(phi[k])));
    phi[k] = static_cast<float>(rounded.view().data[k]);
  }
  const Block exact(problem.parameters);
  const Block of_rounded_values(parameters);
  mhc_test::Results<Block> expected(tokens, channels);
  of_rounded_values.prepare(problem.x, expected.u, expected.saved);
  for (const auto& exec : {mhc_test::serial(), mhc_test::threads(2)}) {
    mhc_test::Results<Block> results(tokens, channels);
    exact.prepare_rounded(problem.x, results.u, results.saved, rounded, exec);
    EXPECT_TRUE(same_bits(results.u.view(), expected.u.view()));
    EXPECT_TRUE(same_bits(results.saved.view().records(), expected.saved.view().records()));
  }
}

TEST(RoundedPhi, IsTheBlockOfTheRoundedValues) {
  using Element = mhc::bf16;
  for (const index tokens : {1, 3, 4, 5, 17, 40}) {
    for (const index channels : {1, 130, 513}) {
      expect_rounded_values<mhc::Block<4>, mhc::RoundedPhi<4>>(tokens, channels);
      expect_rounded_values<mhc::Block<4, Element>, mhc::RoundedPhi<4>>(tokens, channels);
      expect_rounded_values<mhc::Block<3>, mhc::RoundedPhi<3>>(tokens, channels);
      expect_rounded_values<mhc::Block<4, float, mhc::HyperConnections>,
                            mhc::RoundedPhi<4, mhc::HyperConnections>>(tokens, channels);
    }
  }
}

TEST(RoundedPhi, RefusesThePhiOfAnotherWidth) {
  using Block = mhc::Block<4>;
  const mhc_test::Problem<Block> problem(2, 8, 1);
  const mhc_test::Problem<Block> narrow(2, 7, 1);
  mhc_test::Results<Block> results(2, 8);
  const Block block(problem.parameters);
  const auto run = [&](mhc::RoundedPhiView<4> phi) {
    block.prepare_rounded(problem.x, results.u, results.saved, phi);
  };
  EXPECT_REFUSED(run(mhc::RoundedPhi<4>(narrow.parameters)),
                 "Block::prepare_rounded: phi has 7 channels, expected 8");
  EXPECT_REFUSED(run({}), "phi has 0 channels and no data (null pointer), expected 8");
}

}  // namespace
