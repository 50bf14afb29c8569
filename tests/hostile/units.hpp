// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

// run_block() as compiled by each unit of hostile_test.
std::vector<float> run_plainly();
std::vector<float> run_under_macros();
std::vector<float> run_under_macros_after_eigen();
std::vector<float> run_with_native_flags();
std::vector<float> run_with_fast_math();
std::vector<float> run_without_exceptions();
std::vector<float> run_with_assertions();
std::vector<float> run_other_version();
std::vector<float> run_amalgamation();
