// SPDX-License-Identifier: MIT
// H_res = 1: see suite.hpp.
#include "suite.hpp"

namespace {

using Settings = testing::Types<
    Setting<OfToken<mhc::IdentityResidual>, 1>, Setting<OfToken<mhc::IdentityResidual>, 4>,
    Setting<OfStreams<mhc::IdentityResidual>, 3>, Setting<Fixed<mhc::IdentityResidual>, 4>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Identity, Connections, Settings, Names);

}  // namespace
