// SPDX-License-Identifier: MIT
// Kronecker products of 2 x 2 matrices: see suite.hpp.
#include "suite.hpp"

namespace {

using Settings =
    testing::Types<Setting<OfToken<mhc::Kronecker>, 1>, Setting<OfToken<mhc::Kronecker>, 2>,
                   Setting<OfToken<mhc::Kronecker>, 4>, Setting<OfToken<mhc::Kronecker>, 8>,
                   Setting<Fixed<mhc::Kronecker>, 4>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Kronecker, Connections, Settings, Names);

}  // namespace
