// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "random.hpp"
#include "text.hpp"

namespace language_model {

// 4000 random bytes of eight letters, for both training and validation.
inline Text random_text(std::uint64_t seed) {
  Random random(seed);
  Text text;
  for (int i = 0; i < 4000; ++i) {
    text.train.push_back(static_cast<std::uint8_t>('a' + random.below(8)));
  }
  text.validation = text.train;
  return text;
}

}  // namespace language_model
