// SPDX-License-Identifier: MIT
// From a configuration to the one type of decoder that it means.
#pragma once

#include <memory>

#include "decoder.hpp"
#include "model/attention.hpp"
#include "model/latent_attention.hpp"

namespace language_model {

namespace detail {

template <template <class> class SelfAttention>
std::unique_ptr<LanguageModel> make_model(const ModelConfig& config, index tokens) {
  const auto with = [&](auto streams, auto connection) -> std::unique_ptr<LanguageModel> {
    return std::make_unique<Decoder<streams(), decltype(connection), SelfAttention>>(config,
                                                                                     tokens);
  };
  const auto with_streams = [&](auto connection) {
    return mhc::with_streams<2, 4>(config.streams,
                                   [&](auto streams) { return with(streams, connection); });
  };
  switch (config.residual) {
    case Residual::plain:
      return with(std::integral_constant<int, 1>(), mhc::OrdinaryResidual());
    case Residual::hc:
      return with_streams(mhc::HyperConnections());
    case Residual::mhc_lite:
      return with_streams(mhc::Constrained<mhc::PermutationSoftmax>());
    case Residual::mhc:
      break;
  }
  return with_streams(mhc::ManifoldConstrained());
}

}  // namespace detail

// A model with memory for so many tokens.
inline std::unique_ptr<LanguageModel> make_model(const ModelConfig& config, index tokens) {
  return config.attention == AttentionKind::mla
             ? detail::make_model<LatentAttention>(config, tokens)
             : detail::make_model<Attention>(config, tokens);
}

}  // namespace language_model
