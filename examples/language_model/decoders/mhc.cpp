// SPDX-License-Identifier: MIT
#include "make_decoder.hpp"
#include "make_model.hpp"

namespace language_model {

std::unique_ptr<LanguageModel> make_mhc(const ModelConfig& config, index tokens) {
  return make_decoder<mhc::ManifoldConstrained, 2, 4>(config, tokens);
}

}  // namespace language_model
