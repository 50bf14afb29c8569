// SPDX-License-Identifier: MIT
// From a configuration to its type of decoder. The types are compiled in decoders/*.cpp.
#pragma once

#include <memory>

#include "config.hpp"
#include "language_model.hpp"

namespace language_model {

// With memory for `tokens` tokens; `config.residual` must be the function's.
std::unique_ptr<LanguageModel> make_plain(const ModelConfig& config, index tokens);
std::unique_ptr<LanguageModel> make_hc(const ModelConfig& config, index tokens);
std::unique_ptr<LanguageModel> make_mhc(const ModelConfig& config, index tokens);
std::unique_ptr<LanguageModel> make_mhc_lite(const ModelConfig& config, index tokens);

// A model with memory for `tokens` tokens.
inline std::unique_ptr<LanguageModel> make_model(const ModelConfig& config, index tokens) {
  switch (config.residual) {
    case Residual::plain:
      return make_plain(config, tokens);
    case Residual::hc:
      return make_hc(config, tokens);
    case Residual::mhc_lite:
      return make_mhc_lite(config, tokens);
    case Residual::mhc:
      break;
  }
  return make_mhc(config, tokens);
}

}  // namespace language_model
