// SPDX-License-Identifier: MIT
// The decoder:
//
//   h = embedding(bytes)                  (tokens, C)
//   x = expand(h)                         (tokens, N, C)
//   x = layer(x)                          layer.hpp, for each layer
//   p = softmax(W rms_norm(collapse(x)))  (tokens, 256), output_head.hpp
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include <mhc/diagnostics.hpp>
#include <mhc/mhc.hpp>

#include "language_model.hpp"
#include "layer.hpp"
#include "model/embedding.hpp"
#include "output_head.hpp"
#include "random.hpp"
#include "weights.hpp"

namespace language_model {

template <int N, class Connection, template <class> class SelfAttention>
class Decoder final : public LanguageModel {
  using DecoderLayer = Layer<N, Connection, SelfAttention>;

 public:
  Decoder(const ModelConfig& config, index tokens)
      : LanguageModel(parameter_count(config), config.layers, config.experts),
        config_(config),
        embedding_(arena_, vocabulary, config.channels),
        output_(arena_, vocabulary, config.channels),
        head_(arena_, output_, config.channels, tokens),
        hidden_(tokens, config.channels),
        expanded_(tokens, N, config.channels),
        scratch_(config, tokens),
        dx_(tokens, N, config.channels),
        dhidden_(tokens, config.channels) {
    for (index l = 0; l < config.layers; ++l) {
      layers_.emplace_back(std::make_unique<DecoderLayer>(arena_, config, tokens));
    }
  }

  void forward(const std::uint8_t* bytes, const std::uint8_t* targets, index sequences,
               index length, const Workers& workers) override {
    bytes_ = bytes;
    targets_ = targets;
    tokens_ = sequences * length;
    embedding_forward<float>(embedding_.values, bytes, first(hidden_).matrix(), workers);
    mhc::expand_repeat<float>(first(hidden_), first(expanded_), workers);
    mhc::StreamView<const float> x = first(expanded_);
    for (index l = 0; l < config_.layers; ++l) {
      layer(l).forward(x, length, router_bias_.row(l), workers);
      x = layer(l).output();
    }
    head_.forward(x, targets, workers);
  }

  void backward(const Workers& workers) override {
    const Vector<float> dlosses =
        Vector<float>::Constant(tokens_, 1.0F / static_cast<float>(tokens_));
    const auto dx = first(dx_);
    head_.backward(layers_.back()->output(), targets_, dlosses, dx, workers);
    for (index l = config_.layers - 1; l >= 0; --l) {
      layer(l).backward(dx, scratch_, workers);
    }
    mhc::expand_repeat_backward<float>(dx, first(dhidden_), workers);
    embedding_backward<float>(first(dhidden_).matrix(), bytes_, embedding_.gradients, workers);
  }

  // Matrices ~ N(0, 1 / inputs), those that write into the streams smaller by sqrt(2 layers), as
  // GPT-2; norms 1; connections as ordinary residuals.
  void initialize(std::uint64_t seed) override {
    Random random(seed);
    const DrawMatrix draw(random);
    draw(embedding_.values, 1);
    draw(output_.values, 1);
    head_.initialize(seed);
    const double writing = 1 / std::sqrt(2 * static_cast<double>(config_.layers));
    for (index l = 0; l < config_.layers; ++l) {
      layer(l).initialize(random, writing, seed, l);
    }
    router_bias_.setZero();
  }

  void balance(float rate) override {
    for (index l = 0; l < config_.layers; ++l) {
      layer(l).balance(rate, router_bias_.row(l));
    }
  }

  const Vector<float>& losses() const override { return head_.losses(); }
  const float* probabilities(index t) const override { return &head_.probabilities()(t, 0); }

  CompositeGain composite_gain() const override {
    mhc::CompositeMapping composite(tokens_, N);
    for (index i = 0; i < sites(); ++i) {
      composite.apply(site(i).res);
    }
    const mhc::Gains gains = composite.gains();
    return {gains.forward, gains.backward};
  }

  double load_imbalance() const override {
    index largest = 0;
    for (const auto& layer : layers_) {
      for (index e = 0; e < config_.experts; ++e) {
        largest = std::max(largest, layer->load(e));
      }
    }
    return static_cast<double>(largest * config_.experts) /
           static_cast<double>(tokens_ * config_.top_k);
  }

  index sites() const override { return 2 * config_.layers; }

  SiteView site(index i) const override {
    const DecoderLayer& of = *layers_[static_cast<std::size_t>(i / 2)];
    const auto mappings = i % 2 == 0 ? of.attention_mappings() : of.experts_mappings();
    return {i % 2 == 0 ? of.before_attention() : of.before_experts(), mappings.pre(),
            mappings.post(), mappings.res(), mappings.logits()};
  }

  SiteGates gates(index i) override {
    return i % 2 == 0 ? layer(i / 2).attention_gates() : layer(i / 2).experts_gates();
  }

 private:
  static index parameter_count(const ModelConfig& config) {
    return 2 * vocabulary * config.channels + OutputHead<N>::parameter_count(config.channels) +
           config.layers * DecoderLayer::parameter_count(config);
  }

  DecoderLayer& layer(index l) { return *layers_[static_cast<std::size_t>(l)]; }

  template <class Owned>
  auto first(Owned& x) const {
    return x.view().slice(0, tokens_);
  }

  ModelConfig config_;
  WeightMatrix<float> embedding_, output_;  // (256, C)
  OutputHead<N> head_;
  std::vector<std::unique_ptr<DecoderLayer>> layers_;

  // Of the last forward.
  const std::uint8_t* bytes_ = nullptr;
  const std::uint8_t* targets_ = nullptr;
  index tokens_ = 0;
  mhc::Tokens<float> hidden_;     // embedded bytes
  mhc::Streams<float> expanded_;  // what the first layer sees

  // The backward's.
  typename DecoderLayer::Scratch scratch_;
  mhc::Streams<float> dx_;
  mhc::Tokens<float> dhidden_;
};

}  // namespace language_model
