// SPDX-License-Identifier: MIT
#include "model/instances.hpp"

namespace language_model {

LANGUAGE_MODEL_INSTANCES(, double)

}  // namespace language_model
