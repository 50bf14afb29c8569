// SPDX-License-Identifier: MIT
// Mixtures of permutations, Sinkhorn-Knopp from other sources, and no constraint: see suite.hpp.
#include "suite.hpp"

namespace {

using PermutationSettings = testing::Types<
    Setting<OfToken<mhc::PermutationSoftmax>, 1>, Setting<OfToken<mhc::PermutationSoftmax>, 3>,
    Setting<OfToken<mhc::PermutationSoftmax>, 4>, Setting<OfToken<mhc::PermutationSoftmax>, 5>,
    Setting<Fixed<mhc::PermutationSoftmax>, 4>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Permutation, Connections, PermutationSettings, Names);

using SinkhornKnoppSettings =
    testing::Types<Setting<OfStreams<mhc::SinkhornKnopp>, 4>, Setting<Fixed<mhc::SinkhornKnopp>, 4>,
                   Setting<mhc::Unconstrained<mhc::Static>, 4>,
                   Setting<mhc::Unconstrained<mhc::FromToken>, 3>>;
INSTANTIATE_TYPED_TEST_SUITE_P(SinkhornKnopp, Connections, SinkhornKnoppSettings, Names);

}  // namespace
