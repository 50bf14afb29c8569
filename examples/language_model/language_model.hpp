// SPDX-License-Identifier: MIT
// The interface of a model for training, which hides how its sublayers are connected (decoder.hpp).
#pragma once

#include <cstdint>
#include <memory>

#include <mhc/diagnostics/gains.hpp>

#include "arena.hpp"
#include "config.hpp"
#include "generation.hpp"
#include "model/linear.hpp"
#include "parallel.hpp"
#include "residual_parts.hpp"
#include "site_times.hpp"

namespace language_model {

class LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  // Draws new parameters; those that models with different residuals share are equal.
  virtual void initialize(std::uint64_t seed) = 0;

  // losses()(t) = -log p(targets[t]) in nats for `sequences` sequences of `length` bytes, at most
  // as many tokens as the model was made for. The bytes must live until the backward.
  virtual void forward(const std::uint8_t* bytes, const std::uint8_t* targets, Index sequences,
                       Index length, const Workers& workers) = 0;

  // Also predicts the byte after the next, for the tokens of the last forward that have one in
  // their sequence: all but each sequence's last. Needs a prediction module.
  virtual void predict_further(const Workers& workers) = 0;

  // The mean of losses(); plus weight * further_loss() if predict_further() followed the forward.
  virtual double loss() const = 0;

  // arena.gradients += the gradients of loss(). Once after a forward.
  virtual void backward(const Workers& workers) = 0;

  // Moves the routers' biases towards balanced experts, by the loads of the last forward.
  virtual void balance(float rate) = 0;

  // An empty sequence of up to `capacity` bytes, at most the context, with caches. The model must
  // outlive it. It leaves what the last forward kept. Call its clear() when a parameter changes.
  virtual std::unique_ptr<Generation> generation(Index capacity) const = 0;

  // Starts adding up the times of the decoder's sites; null stops it.
  virtual void measure(SiteTimes* attention, SiteTimes* experts) = 0;

  // Of the last forward:
  virtual const Vector<float>& losses() const = 0;
  virtual const float* probabilities(Index t) const = 0;  // of the byte after t; not after backward
  // Amax gains of the product of every site's H_res, arXiv:2512.24880 section 5.4, mean over the
  // tokens: bounds on how much a signal grows in the forward and a gradient in the backward.
  mhc::Gains composite_gain() const;
  virtual Index load(Index router, Index expert) const = 0;  // tokens routed to the expert
  virtual Index sites() const = 0;  // attention and experts of each layer in turn
  virtual SiteView site(Index i) const = 0;

  virtual SiteGates gates(Index site) = 0;

  // Of the last predict_further, likewise:
  virtual double further_loss() const = 0;  // the mean over the tokens that have one, or 0
  virtual const Vector<float>& further_losses() const = 0;
  virtual const float* further_probabilities(Index t) const = 0;

  // Rows of router_bias, hence the routers of load(): the decoder's, then the prediction module's.
  Index routers() const { return router_bias_.rows(); }
  Index experts() const { return router_bias_.cols(); }
  bool has_prediction_module() const { return has_prediction_module_; }

  Arena& arena() { return arena_; }
  Matrix<float>& router_bias() { return router_bias_; }

 protected:
  LanguageModel(Index parameters, const ModelConfig& config)
      : has_prediction_module_(config.has_prediction_module()),
        arena_(parameters),
        router_bias_(Matrix<float>::Zero(config.layers + (has_prediction_module_ ? 1 : 0),
                                         config.experts)) {}

  bool has_prediction_module_;
  Arena arena_;
  Matrix<float> router_bias_;  // (routers, experts); learnt without a gradient
};

}  // namespace language_model
