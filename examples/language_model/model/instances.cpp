// SPDX-License-Identifier: MIT
#include "instances.hpp"

namespace language_model {

LANGUAGE_MODEL_INSTANCES(, float)

}  // namespace language_model
