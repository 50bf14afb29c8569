// SPDX-License-Identifier: MIT
// Sinkhorn-Knopp from other sources, and no constraint: see suite.hpp.
#include "suite.hpp"

namespace {

using Settings =
    testing::Types<Setting<OfStreams<mhc::SinkhornKnopp>, 4>, Setting<Fixed<mhc::SinkhornKnopp>, 4>,
                   Setting<mhc::Unconstrained<mhc::Static>, 4>,
                   Setting<mhc::Unconstrained<mhc::FromToken>, 3>>;
INSTANTIATE_TYPED_TEST_SUITE_P(SinkhornKnopp, Connections, Settings, Names);

}  // namespace
