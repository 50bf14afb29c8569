// SPDX-License-Identifier: MIT
// From a configuration to its model: the residual's parts, compiled in residuals/, in the decoder
// of its attention, compiled in decoders/.
#pragma once

#include <memory>

#include "config.hpp"
#include "language_model.hpp"
#include "residual_parts.hpp"
#include "residuals/residuals.hpp"

namespace language_model {

// With memory for `tokens` tokens; `config.attention` must be the function's.
std::unique_ptr<LanguageModel> make_mla(const ResidualParts<float>& parts,
                                        const ModelConfig& config, Index tokens);
std::unique_ptr<LanguageModel> make_mha(const ResidualParts<float>& parts,
                                        const ModelConfig& config, Index tokens);

inline ResidualParts<float> parts_of(const ModelConfig& config) {
  switch (config.residual) {
    case Residual::plain:
      return plain_parts();
    case Residual::hc:
      return hc_parts(config.streams);
    case Residual::mhc_lite:
      return mhc_lite_parts(config.streams);
    case Residual::mhc:
      break;
  }
  return mhc_parts(config.streams);
}

// A model with memory for `tokens` tokens.
inline std::unique_ptr<LanguageModel> make_model(const ModelConfig& config, Index tokens) {
  const auto make = config.attention == AttentionKind::mla ? make_mla : make_mha;
  return make(parts_of(config), config, tokens);
}

}  // namespace language_model
