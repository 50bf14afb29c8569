// SPDX-License-Identifier: MIT
// A run of the program: read, train, evaluate, write.
#pragma once

#include <cstdint>
#include <functional>

#include "command_line.hpp"

namespace language_model {

// Calls after_step(step), from 1, after each step. Returns the program's status; 128 + the signal
// if one interrupted the training. Throws if a file cannot be read or written.
int run(const Options& options, const std::function<void(std::uint64_t)>& after_step = {});

}  // namespace language_model
