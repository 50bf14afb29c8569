// SPDX-License-Identifier: MIT
// A mixture of permutations: see suite.hpp.
#include "suite.hpp"

namespace {

using Settings = testing::Types<
    Setting<OfToken<mhc::PermutationSoftmax>, 1>, Setting<OfToken<mhc::PermutationSoftmax>, 3>,
    Setting<OfToken<mhc::PermutationSoftmax>, 4>, Setting<OfToken<mhc::PermutationSoftmax>, 5>,
    Setting<Fixed<mhc::PermutationSoftmax>, 4>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Permutation, Connections, Settings, Names);

}  // namespace
