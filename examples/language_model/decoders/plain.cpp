// SPDX-License-Identifier: MIT
#include "make_decoder.hpp"
#include "make_model.hpp"

namespace language_model {

std::unique_ptr<LanguageModel> make_plain(const ModelConfig& config, index tokens) {
  return make_decoder<mhc::OrdinaryResidual, 1>(config, tokens);
}

}  // namespace language_model
