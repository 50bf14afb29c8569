// SPDX-License-Identifier: MIT
#include <complex>

#include "model/instances.hpp"

namespace language_model {

LANGUAGE_MODEL_INSTANCES(, std::complex<double>)

}  // namespace language_model
