// SPDX-License-Identifier: MIT
// The one switch between the three residuals.
#pragma once

#include <memory>

#include "decoder.hpp"

namespace language_model {

// A model with memory for so many tokens.
inline std::unique_ptr<LanguageModel> make_model(const ModelConfig& config, index tokens) {
  const auto with = [&](auto streams, auto connection) -> std::unique_ptr<LanguageModel> {
    return std::make_unique<Decoder<streams(), decltype(connection)>>(config, tokens);
  };
  switch (config.residual) {
    case Residual::plain:
      return with(std::integral_constant<int, 1>(), mhc::OrdinaryResidual());
    case Residual::hc:
      return mhc::with_streams<2, 4>(
          config.streams, [&](auto streams) { return with(streams, mhc::HyperConnections()); });
    case Residual::mhc:
      break;
  }
  return mhc::with_streams<2, 4>(
      config.streams, [&](auto streams) { return with(streams, mhc::ManifoldConstrained()); });
}

}  // namespace language_model
