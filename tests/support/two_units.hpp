// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/block.hpp>

namespace mhc_test {
using Exp = void (*)(const float* from, float* to, mhc::Index count);
}

// Defined in two_units_b.cpp.
mhc::Tokens<float> input_in_the_other_unit(const mhc::Block<2>::Parameters& parameters,
                                           const mhc::Streams<float>& x);
mhc_test::Exp exp_of_the_other_unit();
