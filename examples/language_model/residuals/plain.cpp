// SPDX-License-Identifier: MIT
#include "../block_parts.hpp"
#include "residuals.hpp"

namespace language_model {

ResidualParts<float> plain_parts() {
  return block_parts<1, mhc::OrdinaryResidual>(collapse_of(1));
}

}  // namespace language_model
