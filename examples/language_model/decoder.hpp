// SPDX-License-Identifier: MIT
// The decoder:
//
//   h = embedding(bytes)                  (tokens, C)
//   x = expand(h)                         (tokens, n, C)
//   x = layer(x)                          layer.hpp, for each layer
//   p = softmax(W rms_norm(collapse(x)))  (tokens, 256), output_head.hpp
//
// and, if mtp_weight > 0, the module that predicts one byte further, prediction_module.hpp.
#pragma once

#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <mhc/expand.hpp>
#include <mhc/storage.hpp>

#include "decoder_generation.hpp"
#include "language_model.hpp"
#include "layer.hpp"
#include "model/embedding.hpp"
#include "output_head.hpp"
#include "prediction_module.hpp"
#include "random.hpp"
#include "residual_parts.hpp"
#include "weights.hpp"

namespace language_model {

template <template <class> class SelfAttention>
class Decoder final : public LanguageModel {
  using DecoderLayer = Layer<SelfAttention>;
  using Module = PredictionModule<SelfAttention>;

 public:
  Decoder(const ResidualParts<float>& parts, const ModelConfig& config, Index tokens)
      : LanguageModel(parameter_count(parts, config), config),
        parts_(parts),
        config_(config),
        embedding_(arena_, vocabulary, config.channels),
        output_(arena_, vocabulary, config.channels),
        head_(parts.collapse, arena_, output_, config.channels, tokens),
        hidden_(tokens, config.channels),
        expanded_(tokens, parts.streams, config.channels),
        scratch_(parts, config, tokens),
        dx_(tokens, parts.streams, config.channels),
        dhidden_(tokens, config.channels) {
    for (Index l = 0; l < config.layers; ++l) {
      layers_.emplace_back(std::make_unique<DecoderLayer>(parts, arena_, config, tokens));
    }
    if (has_prediction_module()) {
      module_ = std::make_unique<Module>(parts, arena_, embedding_, output_, config, tokens);
    }
  }

  void forward(const std::uint8_t* bytes, const std::uint8_t* targets, Index sequences,
               Index length, const Workers& workers) override {
    bytes_ = bytes;
    targets_ = targets;
    length_ = length;
    tokens_ = sequences * length;
    predicted_further_ = false;
    embedding_forward<float>(embedding_.values, bytes, first(hidden_).matrix(), workers);
    mhc::expand_repeat(first(hidden_), first(expanded_), workers);
    mhc::StreamView<const float> x = first(expanded_);
    for (Index l = 0; l < config_.layers; ++l) {
      layer(l).forward(x, length, router_bias_.row(l), workers);
      x = layer(l).output();
    }
    head_.forward(x, targets, workers);
  }

  void predict_further(const Workers& workers) override {
    check_module("predict_further");
    module_->forward(layers_.back()->output(), targets_, length_, router_bias_.row(config_.layers),
                     workers);
    predicted_further_ = true;
  }

  double loss() const override {
    const double next = losses().head(tokens_).template cast<double>().mean();
    return predicted_further_ ? next + config_.mtp_weight * module_->loss() : next;
  }

  void backward(const Workers& workers) override {
    const Vector<float> dlosses =
        Vector<float>::Constant(tokens_, 1.0F / static_cast<float>(tokens_));
    const auto dx = first(dx_);
    head_.backward(layers_.back()->output(), targets_, dlosses, dx, workers);
    if (predicted_further_) module_->backward(config_.mtp_weight, dx, scratch_, workers);
    for (Index l = config_.layers - 1; l >= 0; --l) {
      layer(l).backward(dx, scratch_, workers);
    }
    mhc::expand_repeat_backward(dx, first(dhidden_), workers);
    embedding_backward<float>(first(dhidden_).matrix(), bytes_, embedding_.gradients, workers);
  }

  // Matrices ~ N(0, 1 / inputs), those that write into the streams divided by sqrt(2 layers) as in
  // GPT-2; norms are 1; connections start as ordinary residuals.
  void initialize(std::uint64_t seed) override {
    Random random(seed);
    const DrawMatrix draw(random);
    draw(embedding_.values, 1);
    draw(output_.values, 1);
    head_.initialize(seed);
    const double writing = 1 / std::sqrt(2 * static_cast<double>(config_.layers));
    for (Index l = 0; l < config_.layers; ++l) {
      layer(l).initialize(random, writing, seed, l);
    }
    if (module_) module_->initialize(random, writing, seed, config_.layers);
    router_bias_.setZero();
  }

  void balance(float rate) override {
    for (Index l = 0; l < config_.layers; ++l) {
      layer(l).balance(rate, router_bias_.row(l));
    }
    if (predicted_further_) module_->layer().balance(rate, router_bias_.row(config_.layers));
  }

  std::unique_ptr<Generation> generation(Index capacity) const override {
    using Own = DecoderGeneration<SelfAttention>;
    return std::make_unique<Own>(
        typename Own::Parts{parts_, config_, embedding_.values, layers_, router_bias_, head_},
        capacity);
  }

  void measure(SiteTimes* attention, SiteTimes* experts) override {
    for (auto& of : layers_) of->measure(attention, experts);
  }

  const Vector<float>& losses() const override { return head_.losses(); }
  const float* probabilities(Index t) const override { return &head_.probabilities()(t, 0); }
  double further_loss() const override {
    check_module("further_loss");
    return module_->loss();
  }
  const Vector<float>& further_losses() const override {
    check_module("further_losses");
    return module_->losses();
  }
  const float* further_probabilities(Index t) const override {
    check_module("further_probabilities");
    return &module_->probabilities()(t, 0);
  }

  Index load(Index router, Index expert) const override {
    return router < config_.layers ? layers_[static_cast<std::size_t>(router)]->load(expert)
                                   : module_->layer().load(expert);
  }

  Index sites() const override { return 2 * config_.layers; }

  SiteView site(Index i) const override {
    const DecoderLayer& of = *layers_[static_cast<std::size_t>(i / 2)];
    return i % 2 == 0 ? of.attention_site() : of.experts_site();
  }

  SiteGates gates(Index i) override {
    return i % 2 == 0 ? layer(i / 2).attention_gates() : layer(i / 2).experts_gates();
  }

 private:
  static Index parameter_count(const ResidualParts<float>& parts, const ModelConfig& config) {
    return 2 * vocabulary * config.channels +
           OutputHead<>::parameter_count(parts.collapse, config.channels) +
           config.layers * DecoderLayer::parameter_count(parts, config) +
           (config.has_prediction_module() ? Module::parameter_count(parts, config) : 0);
  }

  void check_module(const char* function) const {
    if (!module_) {
      throw std::logic_error("Decoder::" + std::string(function) +
                             ": the model was made without a prediction module");
    }
  }

  DecoderLayer& layer(Index l) { return *layers_[static_cast<std::size_t>(l)]; }

  template <class Owned>
  auto first(Owned& x) const {
    return x.view().slice(0, tokens_);
  }

  ResidualParts<float> parts_;
  ModelConfig config_;
  WeightMatrix<float> embedding_, output_;  // (256, C)
  OutputHead<> head_;
  std::vector<std::unique_ptr<DecoderLayer>> layers_;
  std::unique_ptr<Module> module_;  // null without one

  // Of the last forward.
  const std::uint8_t* bytes_ = nullptr;
  const std::uint8_t* targets_ = nullptr;
  Index length_ = 0;
  Index tokens_ = 0;
  bool predicted_further_ = false;
  mhc::Tokens<float> hidden_;     // embedded bytes
  mhc::Streams<float> expanded_;  // the first layer's input

  // Of the backward.
  typename DecoderLayer::Scratch scratch_;
  mhc::Streams<float> dx_;
  mhc::Tokens<float> dhidden_;
};

}  // namespace language_model
