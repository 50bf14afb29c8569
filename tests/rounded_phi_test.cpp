// SPDX-License-Identifier: MIT
// With phi rounded to bf16, the call gives the same bits as a block whose phi has the rounded
// values. With bf16 streams on avx512_bf16, which adds products in pairs, they agree to rounding.
// On every instruction set a token's bits do not depend on the batch or on the split of its
// channels.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <mhc/mhc.hpp>

#include "support/bits.hpp"
#include "support/executors.hpp"
#include "support/fill.hpp"
#include "support/refused.hpp"
#include "support/site.hpp"

namespace {

using mhc::Index;
using mhc_test::same_bits;

/// The outputs of prepare_rounded, filled with garbage.
template <class Block>
struct Mappings {
  Mappings(Index tokens, Index channels) : u(tokens, channels), saved(tokens) {
    for (Index t = 0; t < tokens; ++t) {
      std::fill_n(u.view().row(t), channels, typename Block::ElementType(7));
    }
    std::fill_n(saved.view().data, Block::SavedView::size(tokens), 7.0f);
  }
  mhc::Tokens<typename Block::ElementType> u;
  typename Block::Saved saved;
};

/// True if the projection equals that of the rounded values bit for bit.
template <class Block>
bool is_exact() {
  return !std::is_same_v<typename Block::ElementType, mhc::bf16> ||
         mhc::instruction_set() != mhc::InstructionSet::avx512_bf16;
}

template <class Block>
void expect_close(Mappings<Block>& results, Mappings<Block>& expected) {
  EXPECT_TRUE(same_bits(results.saved.inverse_rms(), expected.saved.inverse_rms()));
  const auto records = results.saved.view().records();
  const auto expected_records = expected.saved.view().records();
  for (Index t = 0; t < records.tokens; ++t) {
    for (Index e = 0; e < records.channels; ++e) {
      const float number = expected_records.row(t)[e];
      ASSERT_NEAR(records.row(t)[e], number, 1e-5f * (1 + std::abs(number)))
          << "token " << t << ", number " << e << " of its record";
    }
    for (Index c = 0; c < results.u.view().channels; ++c) {
      const auto number = static_cast<float>(expected.u.view().row(t)[c]);
      ASSERT_NEAR(static_cast<float>(results.u.view().row(t)[c]), number,
                  0x1p-7f * std::abs(number) + 1e-5f)
          << "u of token " << t << ", channel " << c;
    }
  }
}

template <class Block, class Rounded>
void expect_rounded_values(Index tokens, Index channels) {
  SCOPED_TRACE(testing::Message() << tokens << " tokens, " << channels << " channels");
  const mhc_test::Problem<Block> problem(tokens, channels, 1);
  const Rounded rounded(problem.parameters);
  typename Block::Parameters parameters = problem.parameters;
  float* phi = parameters.view().phi_data();
  for (Index k = 0; k < parameters.phi().size(); ++k) {
    ASSERT_EQ(mhc_test::bits_of(rounded.view().data[k]),
              mhc_test::bits_of(static_cast<mhc::bf16>(phi[k])));
    phi[k] = static_cast<float>(rounded.view().data[k]);
  }
  const Block exact(problem.parameters);
  const Block of_rounded_values(parameters);
  Mappings<Block> expected(tokens, channels);
  of_rounded_values.prepare(problem.x, expected.u, expected.saved);
  if (!is_exact<Block>()) {
    Mappings<Block> of_values(tokens, channels);
    std::swap(expected, of_values);
    exact.prepare_rounded(problem.x, expected.u, expected.saved, rounded);
    expect_close(expected, of_values);
  }
  const auto expect_same_in_batches_of = [&](Index size, const auto& exec) {
    SCOPED_TRACE(testing::Message() << "in batches of " << size);
    Mappings<Block> results(tokens, channels);
    for (Index t = 0; t < tokens; t += size) {
      const Index end = std::min(t + size, tokens);
      exact.prepare_rounded(problem.x.view().slice(t, end), results.u.view().slice(t, end),
                            results.saved.view().slice(t, end), rounded, exec);
    }
    EXPECT_TRUE(same_bits(results.u.view(), expected.u.view()));
    EXPECT_TRUE(same_bits(results.saved.view().records(), expected.saved.view().records()));
  };
  // mhc::Serial processes even one token as a tile; any other executor splits its channels.
  expect_same_in_batches_of(tokens, mhc::Serial());
  expect_same_in_batches_of(tokens, mhc_test::threads(2));
  expect_same_in_batches_of(tokens, mhc_test::random_ranges(7));
  expect_same_in_batches_of(1, mhc::Serial());
  expect_same_in_batches_of(1, mhc_test::serial());
  expect_same_in_batches_of(3, mhc_test::random_ranges(7));
}

TEST(RoundedPhi, EqualsTheBlockOfTheRoundedValues) {
  for (const Index tokens : {1, 3, 4, 5, 17, 40}) {
    for (const Index channels : {1, 130, 513}) {
      expect_rounded_values<mhc::Block<4>, mhc::RoundedPhi<4>>(tokens, channels);
      expect_rounded_values<mhc::Block<3>, mhc::RoundedPhi<3>>(tokens, channels);
      expect_rounded_values<mhc::Block<4, float, mhc::HyperConnections>,
                            mhc::RoundedPhi<4, mhc::HyperConnections>>(tokens, channels);
    }
  }
}

TEST(RoundedPhi, EqualsTheBlockOfTheRoundedValuesOnBf16Streams) {
  using Element = mhc::bf16;
  for (const Index tokens : {1, 3, 4, 5, 17, 40}) {
    for (const Index channels : {1, 130, 513}) {
      expect_rounded_values<mhc::Block<4, Element>, mhc::RoundedPhi<4>>(tokens, channels);
      expect_rounded_values<mhc::Block<3, Element>, mhc::RoundedPhi<3>>(tokens, channels);
      expect_rounded_values<mhc::Block<4, Element, mhc::HyperConnections>,
                            mhc::RoundedPhi<4, mhc::HyperConnections>>(tokens, channels);
    }
  }
  expect_rounded_values<mhc::Block<8, Element>, mhc::RoundedPhi<8>>(11, 131);
}

TEST(RoundedPhi, NaNAndInfinityStayInTheirToken) {
  using Block = mhc::Block<4, mhc::bf16>;
  mhc_test::Problem<Block> problem(17, 131, 1);
  const mhc::RoundedPhi<4> rounded(problem.parameters);
  const Block block(problem.parameters);
  Mappings<Block> expected(17, 131);
  block.prepare_rounded(problem.x, expected.u, expected.saved, rounded);
  problem.x.view().row(5, 2)[130] = std::numeric_limits<mhc::bf16>::quiet_NaN();
  problem.x.view().row(6, 1)[64] = std::numeric_limits<mhc::bf16>::infinity();
  Mappings<Block> results(17, 131);
  block.prepare_rounded(problem.x, results.u, results.saved, rounded);
  for (Index t = 0; t < 17; ++t) {
    const auto records = results.saved.view().records().slice(t, t + 1);
    if (t == 5 || t == 6) {
      EXPECT_FALSE(mhc_test::is_finite(results.saved.view().raw().row(t)[0]));
    } else {
      EXPECT_TRUE(same_bits(records, expected.saved.view().records().slice(t, t + 1)));
      EXPECT_TRUE(same_bits(results.u.view().slice(t, t + 1), expected.u.view().slice(t, t + 1)));
    }
  }
}

TEST(RoundedPhi, RejectsPhiOfOtherChannels) {
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
