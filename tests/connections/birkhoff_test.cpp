// SPDX-License-Identifier: MIT
// The exact projection: see suite.hpp.
#include "suite.hpp"

namespace {

using Settings = testing::Types<
    Setting<OfToken<mhc::BirkhoffProjection>, 1>, Setting<OfToken<mhc::BirkhoffProjection>, 3>,
    Setting<OfToken<mhc::BirkhoffProjection>, 4>, Setting<OfToken<mhc::BirkhoffProjection>, 8>,
    Setting<Fixed<mhc::BirkhoffProjection>, 4>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Birkhoff, Connections, Settings, Names);

}  // namespace
