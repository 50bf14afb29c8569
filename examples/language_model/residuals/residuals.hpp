// SPDX-License-Identifier: MIT
// The residuals, by name. Each has a unit of its own, which contains its kernels.
#pragma once

#include "../residual_parts.hpp"

namespace language_model {

ResidualParts<float> plain_parts();
ResidualParts<float> hc_parts(index streams);
ResidualParts<float> mhc_parts(index streams);
ResidualParts<float> mhc_lite_parts(index streams);

// For any of them.
CollapseParts<float> collapse_of(index streams);

}  // namespace language_model
