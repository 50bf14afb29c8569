// SPDX-License-Identifier: MIT
#include "model/instances.hpp"

#include <complex>

namespace language_model {

LANGUAGE_MODEL_INSTANCES(, double)
LANGUAGE_MODEL_INSTANCES(, std::complex<double>)

}  // namespace language_model
