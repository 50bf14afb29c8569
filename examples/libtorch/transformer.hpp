// SPDX-License-Identifier: MIT
// A small causal transformer of libtorch's modules. A Residual connects its sublayers: the
// library's blocks, or the same mHC in torch's operations.
#pragma once

#include <torch/nn.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <mhc/adapters/torch.hpp>

#include "operations.hpp"

namespace libtorch_example {

constexpr int streams = 4;

struct Shape {
  std::int64_t vocabulary = 16, context = 32, channels = 64, heads = 4, layers = 2;
  std::int64_t sites() const { return 2 * layers; }
};

using Sublayer = std::function<torch::Tensor(torch::Tensor)>;

/// The streams: h (..., C) -> x (..., n, C), the sites, and back.
class Residual : public torch::nn::Module {
 public:
  virtual torch::Tensor expand(const torch::Tensor& h) = 0;
  virtual torch::Tensor around(std::int64_t site, const torch::Tensor& x, const Sublayer& f) = 0;
  virtual torch::Tensor collapse(const torch::Tensor& x) = 0;

 protected:
  static std::string name(std::int64_t site) { return "site" + std::to_string(site); }
};

template <class Element>
class LibraryResidual : public Residual {
 public:
  explicit LibraryResidual(const Shape& shape) {
    for (std::int64_t i = 0; i < shape.sites(); ++i) {
      const mhc::TorchBlock<streams, Element> site(shape.channels, Options(),
                                                   static_cast<std::uint64_t>(i + 1));
      sites_.push_back(register_module(name(i), site));
    }
  }
  torch::Tensor expand(const torch::Tensor& h) override {
    return mhc::torch_expand_repeat(h, streams);
  }
  torch::Tensor around(std::int64_t site, const torch::Tensor& x, const Sublayer& f) override {
    return sites_[static_cast<std::size_t>(site)]->forward(x, f);
  }
  torch::Tensor collapse(const torch::Tensor& x) override { return mhc::torch_collapse_mean(x); }

 private:
  using Site = mhc::TorchBlockImpl<streams, Element>;
  using Options = mhc::ManifoldConstrained::Options;
  std::vector<std::shared_ptr<Site>> sites_;
};

class OperationsResidual : public Residual {
 public:
  explicit OperationsResidual(const Shape& shape) {
    using View = mhc::ParametersView<streams>;
    for (std::int64_t i = 0; i < shape.sites(); ++i) {
      const torch::Tensor weights = torch::zeros({View::size(shape.channels)});
      sites_.push_back(
          register_module(name(i), std::make_shared<OperationsBlockImpl>(weights, streams)));
    }
  }
  torch::Tensor expand(const torch::Tensor& h) override {
    auto sizes = h.sizes().vec();
    sizes.insert(sizes.end() - 1, streams);
    return h.unsqueeze(-2).expand(sizes);
  }
  torch::Tensor around(std::int64_t site, const torch::Tensor& x, const Sublayer& f) override {
    return sites_[static_cast<std::size_t>(site)]->forward(x, f);
  }
  torch::Tensor collapse(const torch::Tensor& x) override { return x.mean(-2); }

 private:
  std::vector<std::shared_ptr<OperationsBlockImpl>> sites_;
};

/// Causal multi-head attention, including the norm before it.
class Attention : public torch::nn::Module {
 public:
  explicit Attention(const Shape& shape)
      : heads_(shape.heads),
        norm_(register_module("norm",
                              torch::nn::LayerNorm(torch::nn::LayerNormOptions({shape.channels})))),
        in_(register_module("in", torch::nn::Linear(shape.channels, 3 * shape.channels))),
        out_(register_module("out", torch::nn::Linear(shape.channels, shape.channels))) {}

  torch::Tensor forward(const torch::Tensor& u) {  // (batch, context, channels)
    const std::int64_t batch = u.size(0);
    const std::int64_t context = u.size(1);
    const std::int64_t channels = u.size(2);
    const torch::Tensor all =
        in_(norm_(u)).view({batch, context, 3, heads_, channels / heads_}).permute({2, 0, 3, 1, 4});
    const double scale = 1.0 / std::sqrt(static_cast<double>(channels / heads_));
    torch::Tensor scores = torch::matmul(all[0], all[1].transpose(-1, -2)) * scale;
    const torch::Tensor future = torch::ones({context, context}, torch::kBool).triu(1);
    scores = scores.masked_fill(future, -INFINITY);
    const torch::Tensor mixed = torch::matmul(torch::softmax(scores, -1), all[2]);
    return out_(mixed.transpose(1, 2).reshape({batch, context, channels}));
  }

 private:
  std::int64_t heads_;
  torch::nn::LayerNorm norm_;
  torch::nn::Linear in_, out_;
};

class FeedForward : public torch::nn::Module {
 public:
  explicit FeedForward(const Shape& shape)
      : norm_(register_module("norm",
                              torch::nn::LayerNorm(torch::nn::LayerNormOptions({shape.channels})))),
        in_(register_module("in", torch::nn::Linear(shape.channels, 4 * shape.channels))),
        out_(register_module("out", torch::nn::Linear(4 * shape.channels, shape.channels))) {}

  torch::Tensor forward(const torch::Tensor& u) { return out_(torch::gelu(in_(norm_(u)))); }

 private:
  torch::nn::LayerNorm norm_;
  torch::nn::Linear in_, out_;
};

class Transformer : public torch::nn::Module {
 public:
  Transformer(const Shape& shape, std::shared_ptr<Residual> residual)
      : embedding_(
            register_module("embedding", torch::nn::Embedding(shape.vocabulary, shape.channels))),
        place_(register_module("place", torch::nn::Embedding(shape.context, shape.channels))),
        residual_(register_module("residual", std::move(residual))),
        norm_(register_module("norm",
                              torch::nn::LayerNorm(torch::nn::LayerNormOptions({shape.channels})))),
        out_(register_module("out", torch::nn::Linear(shape.channels, shape.vocabulary))) {
    for (std::int64_t i = 0; i < shape.layers; ++i) {
      const std::string number = std::to_string(i);
      attention_.push_back(
          register_module("attention" + number, std::make_shared<Attention>(shape)));
      feed_forward_.push_back(
          register_module("feed_forward" + number, std::make_shared<FeedForward>(shape)));
    }
  }

  /// tokens (batch, context) -> logits (batch, context, vocabulary).
  torch::Tensor forward(const torch::Tensor& tokens) {
    const torch::Tensor places = torch::arange(tokens.size(1), torch::kLong);
    torch::Tensor x = residual_->expand(embedding_(tokens) + place_(places));
    for (std::size_t i = 0; i < attention_.size(); ++i) {
      const auto site = static_cast<std::int64_t>(2 * i);
      x = residual_->around(site, x,
                            [&](const torch::Tensor& u) { return attention_[i]->forward(u); });
      x = residual_->around(site + 1, x,
                            [&](const torch::Tensor& u) { return feed_forward_[i]->forward(u); });
    }
    return out_(norm_(residual_->collapse(x)));
  }

 private:
  torch::nn::Embedding embedding_, place_;
  std::shared_ptr<Residual> residual_;
  torch::nn::LayerNorm norm_;
  torch::nn::Linear out_;
  std::vector<std::shared_ptr<Attention>> attention_;
  std::vector<std::shared_ptr<FeedForward>> feed_forward_;
};

}  // namespace libtorch_example
