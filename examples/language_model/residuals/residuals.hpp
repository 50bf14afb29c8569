// SPDX-License-Identifier: MIT
// The residuals, by name. Each has a unit of its own, which contains its kernels.
#pragma once

#include "../residual_parts.hpp"

namespace language_model {

ResidualParts<float> plain_parts();
ResidualParts<float> hc_parts(Index streams);
ResidualParts<float> mhc_parts(Index streams);
ResidualParts<float> mhc_lite_parts(Index streams);

// For any of them.
CollapseParts<float> collapse_of(Index streams);

}  // namespace language_model
