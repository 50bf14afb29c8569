// SPDX-License-Identifier: MIT
// H_res = 1, and Kronecker products of 2 x 2 matrices: see suite.hpp.
#include "suite.hpp"

namespace {

using IdentitySettings = testing::Types<
    Setting<OfToken<mhc::IdentityResidual>, 1>, Setting<OfToken<mhc::IdentityResidual>, 4>,
    Setting<OfStreams<mhc::IdentityResidual>, 3>, Setting<Fixed<mhc::IdentityResidual>, 4>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Identity, Connections, IdentitySettings, Names);

using KroneckerSettings =
    testing::Types<Setting<OfToken<mhc::Kronecker>, 1>, Setting<OfToken<mhc::Kronecker>, 2>,
                   Setting<OfToken<mhc::Kronecker>, 4>, Setting<OfToken<mhc::Kronecker>, 8>,
                   Setting<Fixed<mhc::Kronecker>, 4>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Kronecker, Connections, KroneckerSettings, Names);

}  // namespace
