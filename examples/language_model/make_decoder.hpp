// SPDX-License-Identifier: MIT
// A decoder of one kind of connection, with the attention and the streams of a configuration. Each
// instance takes half a minute to compile.
#pragma once

#include <memory>

#include "decoder.hpp"
#include "model/attention.hpp"
#include "model/latent_attention.hpp"

namespace language_model {

template <class Connection, int... Streams>
std::unique_ptr<LanguageModel> make_decoder(const ModelConfig& config, index tokens) {
  return mhc::with_streams<Streams...>(
      config.streams, [&](auto streams) -> std::unique_ptr<LanguageModel> {
        if (config.attention == AttentionKind::mla) {
          return std::make_unique<Decoder<streams(), Connection, LatentAttention>>(config, tokens);
        }
        return std::make_unique<Decoder<streams(), Connection, Attention>>(config, tokens);
      });
}

}  // namespace language_model
