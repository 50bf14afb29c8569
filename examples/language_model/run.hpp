// SPDX-License-Identifier: MIT
// A run of the program: read, train, evaluate, write.
#pragma once

#include "command_line.hpp"

namespace language_model {

// Returns the program's status; 128 + the signal if one interrupted the training. Throws if a file
// cannot be read or written.
int run(const Options& options);

}  // namespace language_model
