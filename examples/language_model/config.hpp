// SPDX-License-Identifier: MIT
// The settings that, together with the text, determine a run. A checkpoint stores them, and a run
// resumes only from a checkpoint with the same settings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "model/attention.hpp"
#include "model/latent_attention.hpp"
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
  throw std::invalid_argument("--residual: '" + name + "' is not one of plain, hc, mhc, mhc-lite");
}

enum class AttentionKind { mla, mha };

inline const char* name_of(AttentionKind attention) {
  return attention == AttentionKind::mla ? "mla" : "mha";
}

inline AttentionKind attention_named(const std::string& name) {
  for (const AttentionKind attention : {AttentionKind::mla, AttentionKind::mha}) {
    if (name == name_of(attention)) return attention;
  }
  throw std::invalid_argument("--attention: '" + name + "' is not one of mla, mha");
}

struct ModelConfig {
  Residual residual = Residual::mhc;
  Index streams = 4;
  Index layers = 4;
  Index channels = 96;
  AttentionKind attention = AttentionKind::mla;
  Index heads = 4;
  Index q_rank = 48;         // mla: size of the queries' latent
  Index kv_rank = 32;        // mla: size of the keys' and values' latent
  Index rope_channels = 12;  // mla: rotary channels of a head
  Index experts = 8;
  Index top_k = 2;
  Index shared_experts = 1;
  Index context = 128;
  double mtp_weight = 0.3;  // weight of the prediction module's loss; 0: no module

  bool has_prediction_module() const { return mtp_weight > 0; }

  AttentionShape multi_head() const { return {channels, heads, context}; }
  LatentAttentionShape latent() const {
    return {channels,         heads,         context,         q_rank, kv_rank,
            channels / heads, rope_channels, channels / heads};
  }
  MixtureShape mixture() const { return {channels, experts, top_k, channels, shared_experts}; }
};

// The shape of an attention class, by its type.
template <class Shape>
Shape attention_shape(const ModelConfig& config);

template <>
inline AttentionShape attention_shape<AttentionShape>(const ModelConfig& config) {
  return config.multi_head();
}

template <>
inline LatentAttentionShape attention_shape<LatentAttentionShape>(const ModelConfig& config) {
  return config.latent();
}

struct TrainingConfig {
  Index steps = 1600;
  Index batch = 4;
  double learning_rate = 3e-3;
  bool balance = true;  // balance the experts' load by the routers' biases
  std::uint64_t seed = 1;
};

using Settings = std::vector<std::pair<std::string, std::string>>;

inline Settings settings_of(const ModelConfig& model, const TrainingConfig& training) {
  const auto text = [](auto value) { return std::to_string(value); };
  const auto number = [](double value) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.9g", value);
    return std::string(digits);
  };
  const auto of_mla = [&](Index size) {
    return model.attention == AttentionKind::mla ? text(size) : std::string("none");
  };
  return {{"residual", name_of(model.residual)},
          {"streams", text(model.streams)},
          {"layers", text(model.layers)},
          {"channels", text(model.channels)},
          {"attention", name_of(model.attention)},
          {"heads", text(model.heads)},
          {"q-rank", of_mla(model.q_rank)},
          {"kv-rank", of_mla(model.kv_rank)},
          {"rope-channels", of_mla(model.rope_channels)},
          {"experts", text(model.experts)},
          {"top-k", text(model.top_k)},
          {"shared-experts", text(model.shared_experts)},
          {"context", text(model.context)},
          {"mtp-weight", number(model.mtp_weight)},
          {"balance", training.balance ? "on" : "off"},
          {"steps", text(training.steps)},
          {"batch", text(training.batch)},
          {"learning-rate", number(training.learning_rate)},
          {"seed", text(training.seed)}};
}

}  // namespace language_model
