// SPDX-License-Identifier: MIT
#include <mhc/with_streams.hpp>

#include "../learned_collapse.hpp"
#include "residuals.hpp"

namespace language_model {

CollapseParts<float> collapse_of(Index streams) {
  return mhc::with_streams<1, 2, 4>(streams, [](auto n) { return collapse_parts<n(), float>(); });
}

}  // namespace language_model
