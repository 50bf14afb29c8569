// SPDX-License-Identifier: MIT
#include <mhc/with_streams.hpp>

#include "../block_parts.hpp"
#include "residuals.hpp"

namespace language_model {

ResidualParts<float> mhc_lite_parts(Index streams) {
  return mhc::with_streams<2, 4>(streams, [&](auto n) {
    return block_parts<n(), mhc::Constrained<mhc::PermutationSoftmax>>(collapse_of(streams));
  });
}

}  // namespace language_model
