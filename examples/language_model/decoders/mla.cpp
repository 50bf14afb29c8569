// SPDX-License-Identifier: MIT
#include "../decoder.hpp"
#include "../make_model.hpp"
#include "../model/latent_attention.hpp"

namespace language_model {

std::unique_ptr<LanguageModel> make_mla(const ResidualParts<float>& parts,
                                        const ModelConfig& config, Index tokens) {
  return std::make_unique<Decoder<LatentAttention>>(parts, config, tokens);
}

}  // namespace language_model
