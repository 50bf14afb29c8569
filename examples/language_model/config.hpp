// SPDX-License-Identifier: MIT
// What decides the outcome of a run, together with the text. A checkpoint holds it, and a run
// resumes from a checkpoint of the very same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "model/attention.hpp"
#include "model/mixture_of_experts.hpp"

namespace language_model {

enum class Residual { plain, hc, mhc, mhc_lite };

constexpr Residual residuals[] = {Residual::plain, Residual::hc, Residual::mhc, Residual::mhc_lite};

inline const char* name_of(Residual residual) {
  switch (residual) {
    case Residual::plain:
      return "plain";
    case Residual::hc:
      return "hc";
    case Residual::mhc:
      return "mhc";
    case Residual::mhc_lite:
      break;
  }
  return "mhc-lite";
}

inline Residual residual_named(const std::string& name) {
  for (const Residual residual : residuals) {
    if (name == name_of(residual)) return residual;
  }
  throw std::invalid_argument("--residual: '" + name + "' is none of plain, hc, mhc, mhc-lite");
}

struct ModelConfig {
  Residual residual = Residual::mhc;
  index streams = 4;
  index layers = 4;
  index channels = 96;
  index heads = 4;
  index experts = 8;
  index top_k = 2;
  index context = 128;

  AttentionShape attention() const { return {channels, heads, context}; }
  MixtureShape mixture() const { return {channels, experts, top_k, channels}; }
};

// The shape of an attention class, by its type.
template <class Shape>
Shape attention_shape(const ModelConfig& config);

template <>
inline AttentionShape attention_shape<AttentionShape>(const ModelConfig& config) {
  return config.attention();
}

struct TrainingConfig {
  index steps = 1600;
  index batch = 4;
  double learning_rate = 3e-3;
  std::uint64_t seed = 1;
};

using Settings = std::vector<std::pair<std::string, std::string>>;

inline Settings settings_of(const ModelConfig& model, const TrainingConfig& training) {
  const auto text = [](auto value) { return std::to_string(value); };
  char learning_rate[32];
  std::snprintf(learning_rate, sizeof learning_rate, "%.9g", training.learning_rate);
  return {{"residual", name_of(model.residual)}, {"streams", text(model.streams)},
          {"layers", text(model.layers)},        {"channels", text(model.channels)},
          {"heads", text(model.heads)},          {"experts", text(model.experts)},
          {"top-k", text(model.top_k)},          {"context", text(model.context)},
          {"steps", text(training.steps)},       {"batch", text(training.batch)},
          {"learning-rate", learning_rate},      {"seed", text(training.seed)}};
}

}  // namespace language_model
