// SPDX-License-Identifier: MIT
// The decoder:
//
//   h      = embedding(bytes)                                          (tokens, C)
//   x      = expand(h)                                                 (tokens, N, C)
//   x      = site(attention, x),  then  x = site(experts, x)           for each layer
//   logits = W rms_norm(collapse(x))                                   (tokens, 256)
//
// where site(F, x) is mhc's block around a sublayer F that knows nothing of it:
//
//   (pre, post, res) = mappings of x,   u = pre x,   v = F(u),   site(F, x) = res x + post^T v
//
// One word, Connection, makes it mHC, the original hyper-connections or the ordinary residual.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <type_traits>
#include <vector>

#include <mhc/diagnostics.hpp>
#include <mhc/mhc.hpp>

#include "collapse.hpp"
#include "language_model.hpp"
#include "model/attention.hpp"
#include "model/cross_entropy.hpp"
#include "model/embedding.hpp"
#include "model/mixture_of_experts.hpp"
#include "model/rms_norm.hpp"
#include "random.hpp"
#include "site.hpp"

namespace language_model {

template <int N, class Connection>
class Decoder final : public LanguageModel {
 public:
  Decoder(const ModelConfig& config, index tokens)
      : LanguageModel(parameter_count(config), config.layers, config.experts),
        config_(config),
        attention_(config.attention()),
        experts_(config.mixture()),
        embedding_(arena_, vocabulary, config.channels),
        output_(arena_, vocabulary, config.channels),
        norm_(arena_, config.channels),
        collapse_(arena_, config.channels, tokens),
        hidden_(tokens, config.channels),
        collapsed_(tokens, config.channels),
        normalized_(tokens, config.channels),
        inverse_rms_(tokens),
        probabilities_(tokens, vocabulary),
        losses_(tokens),
        dattention_(config.attention(), tokens),
        dexperts_(config.mixture(), tokens),
        scratch_(tokens, config.channels),
        dx_(tokens, N, config.channels),
        dhidden_(tokens, config.channels),
        dnormalized_(tokens, config.channels) {
    x_.emplace_back(tokens, N, config.channels);
    for (index l = 0; l < config.layers; ++l) {
      layers_.emplace_back(std::make_unique<Layer>(arena_, config, tokens));
      x_.emplace_back(tokens, N, config.channels);
      x_.emplace_back(tokens, N, config.channels);
    }
  }

  void forward(const std::uint8_t* bytes, const std::uint8_t* targets, index sequences,
               index length, const Workers& workers) override {
    bytes_ = bytes;
    targets_ = targets;
    length_ = length;
    tokens_ = sequences * length;

    embedding_forward<float>(embedding_.values, bytes, matrix(hidden_), workers);
    mhc::expand_repeat<float>(view(hidden_), view(x_[0]), workers);
    std::size_t i = 0;
    for (index l = 0; l < config_.layers; ++l, i += 2) {
      auto& attention = layers_[static_cast<std::size_t>(l)]->attention;
      auto& experts = layers_[static_cast<std::size_t>(l)]->experts;
      attention.forward(view(x_[i]), view(x_[i + 1]), workers, [&](auto u, auto v) {
        attention_.forward(attention.weights, u, length, v, attention.inside, workers);
      });
      experts.forward(view(x_[i + 1]), view(x_[i + 2]), workers, [&](auto u, auto v) {
        experts_.forward(experts.weights, router_bias_.row(l), u, v, experts.inside, workers);
      });
    }
    collapse_.forward(view(x_[i]), view(collapsed_), workers);
    workers(tokens_, head_rows, [&](index begin, index end, int) {
      rms_norm_forward<float>(matrix(collapsed_).middleRows(begin, end - begin), norm_.values,
                              normalized_.middleRows(begin, end - begin),
                              inverse_rms_.segment(begin, end - begin));
    });
    logits_forward<float>(output_.values, normalized_.topRows(tokens_),
                          probabilities_.topRows(tokens_), workers);
    cross_entropy_forward<float>(probabilities_.topRows(tokens_), targets, losses_.head(tokens_),
                                 workers);
  }

  void backward(const Workers& workers) override {
    const Vector<float> dlosses =
        Vector<float>::Constant(tokens_, 1.0F / static_cast<float>(tokens_));
    cross_entropy_backward<float>(dlosses, output_.values, normalized_.topRows(tokens_), targets_,
                                  probabilities_.topRows(tokens_), dnormalized_.topRows(tokens_),
                                  output_.gradients, workers);
    rms_norm_add_weight_gradient<float>(dnormalized_.topRows(tokens_), matrix(collapsed_),
                                        inverse_rms_.head(tokens_), norm_.gradients);
    workers(tokens_, head_rows, [&](index begin, index end, int) {
      const index rows = end - begin;
      rms_norm_backward<float>(dnormalized_.middleRows(begin, rows),
                               matrix(collapsed_).middleRows(begin, rows), norm_.values,
                               inverse_rms_.segment(begin, rows),
                               matrix(dhidden_).middleRows(begin, rows));
    });
    std::size_t i = x_.size() - 1;
    collapse_.backward(view(x_[i]), view(dhidden_), view(dx_), workers);
    for (index l = config_.layers - 1; l >= 0; --l, i -= 2) {
      auto& attention = layers_[static_cast<std::size_t>(l)]->attention;
      auto& experts = layers_[static_cast<std::size_t>(l)]->experts;
      experts.backward(view(x_[i - 1]), view(dx_), scratch_, workers,
                       [&](auto u, auto dv, auto du) {
                         experts_.backward(experts.weights, u, experts.inside, dv, dexperts_, du,
                                           experts.dweights, workers);
                       });
      attention.backward(view(x_[i - 2]), view(dx_), scratch_, workers,
                         [&](auto u, auto dv, auto du) {
                           attention_.backward(attention.weights, u, length_, attention.inside, dv,
                                               dattention_, du, attention.dweights, workers);
                         });
    }
    mhc::expand_repeat_backward<float>(view(dx_), view(dhidden_), workers);
    embedding_backward<float>(matrix(dhidden_), bytes_, embedding_.gradients, workers);
  }

  // Matrices ~ N(0, 1 / inputs), those that write into the streams smaller by sqrt(2 layers), as
  // GPT-2; norms 1; connections as ordinary residuals.
  void initialize(std::uint64_t seed) override {
    Random random(seed);
    const auto fill = [&](MatrixMap<float>& w, double gain) {
      const double deviation = gain / std::sqrt(static_cast<double>(w.cols()));
      for (index k = 0; k < w.size(); ++k) {
        w.data()[k] = static_cast<float>(deviation * random.normal());
      }
    };
    const double writing = 1 / std::sqrt(2 * static_cast<double>(config_.layers));
    fill(embedding_.values, 1);
    fill(output_.values, 1);
    norm_.values.setOnes();
    collapse_.initialize(seed);
    int site = 0;
    for (auto& layer : layers_) {
      auto& attention = layer->attention;
      auto& experts = layer->experts;
      attention.weights.norm.setOnes();
      fill(attention.weights.qkv, 1);
      fill(attention.weights.output, writing);
      experts.weights.norm.setOnes();
      fill(experts.weights.router, 1);
      fill(experts.weights.in, 1);
      fill(experts.weights.down, writing);
      initialize_connection(attention.parameters, seed, site++);
      initialize_connection(experts.parameters, seed, site++);
    }
    router_bias_.setZero();
  }

  void balance(float rate) override {
    for (index l = 0; l < config_.layers; ++l) {
      experts_.balance(layers_[static_cast<std::size_t>(l)]->experts.inside, rate,
                       router_bias_.row(l));
    }
  }

  const Vector<float>& losses() const override { return losses_; }
  const float* probabilities(index t) const override { return &probabilities_(t, 0); }

  CompositeGain composite_gain() const override {
    mhc::CompositeMapping composite(tokens_, N);
    for (const auto& layer : layers_) {
      composite.apply(layer->attention.mappings(tokens_).res());
      composite.apply(layer->experts.mappings(tokens_).res());
    }
    const mhc::Gains gains = composite.gains();
    return {gains.forward, gains.backward};
  }

  double load_imbalance() const override {
    index largest = 0;
    for (const auto& layer : layers_) {
      for (index e = 0; e < config_.experts; ++e) {
        largest = std::max(largest, layer->experts.inside.slots.load(e));
      }
    }
    return static_cast<double>(largest * config_.experts) /
           static_cast<double>(tokens_ * config_.top_k);
  }

  index sites() const override { return 2 * config_.layers; }

  SiteView site(index i) const override {
    const Layer& layer = *layers_[static_cast<std::size_t>(i / 2)];
    const auto mappings =
        i % 2 == 0 ? layer.attention.mappings(tokens_) : layer.experts.mappings(tokens_);
    return {x_[static_cast<std::size_t>(i)].view().slice(0, tokens_), mappings.pre(),
            mappings.post(), mappings.res()};
  }

 private:
  using Block = mhc::Block<N, float, Connection>;

  struct Layer {
    Layer(Arena& arena, const ModelConfig& config, index tokens)
        : attention(arena, config.attention(), tokens), experts(arena, config.mixture(), tokens) {}
    Site<Block, Attention<float>> attention;
    Site<Block, MixtureOfExperts<float>> experts;
  };

  struct Matrices {
    Matrices(Arena& arena, index rows, index columns)
        : Matrices(arena.take(rows * columns, true), rows, columns) {}
    Matrices(Arena::Piece piece, index rows, index columns)
        : values(piece.values, rows, columns), gradients(piece.gradients, rows, columns) {}
    MatrixMap<float> values, gradients;
  };

  struct Norm {
    Norm(Arena& arena, index size) : Norm(arena.take(size, false), size) {}
    Norm(Arena::Piece piece, index size)
        : values(piece.values, size), gradients(piece.gradients, size) {}
    VectorMap<float> values, gradients;
  };

  static index parameter_count(const ModelConfig& config) {
    const index site = Block::ParametersView::size(config.channels);
    return 2 * vocabulary * config.channels + config.channels +
           Collapse<N>::parameter_count(config.channels) +
           config.layers * (2 * site + Attention<float>::Parameters::size(config.attention()) +
                            MixtureOfExperts<float>::Parameters::size(config.mixture()));
  }

  void initialize_connection(typename Block::ParametersView parameters, std::uint64_t seed,
                             int site) {
    const std::uint64_t own_seed = seed + 1000003U * static_cast<std::uint64_t>(site + 1);
    if constexpr (std::is_same_v<Connection, mhc::HyperConnections>) {
      mhc::initialize(parameters, own_seed, site % N);  // the stream that this site reads at first
    } else {
      mhc::initialize(parameters, own_seed);
    }
  }

  // The first tokens_ tokens.
  auto view(mhc::Streams<float>& x) const { return x.view().slice(0, tokens_); }
  auto view(mhc::Tokens<float>& h) const { return h.view().slice(0, tokens_); }
  auto matrix(mhc::Tokens<float>& h) const { return view(h).matrix(); }

  ModelConfig config_;
  Attention<float> attention_;
  MixtureOfExperts<float> experts_;
  Matrices embedding_, output_;  // (256, C)
  Norm norm_;                    // (C)
  Collapse<N> collapse_;
  std::vector<std::unique_ptr<Layer>> layers_;

  // Of the last forward.
  const std::uint8_t* bytes_ = nullptr;
  const std::uint8_t* targets_ = nullptr;
  index length_ = 0;
  index tokens_ = 0;
  mhc::Tokens<float> hidden_;           // embedded bytes
  std::vector<mhc::Streams<float>> x_;  // before each site, and after the last
  mhc::Tokens<float> collapsed_;
  Matrix<float> normalized_;  // rms_norm(collapsed)
  Vector<float> inverse_rms_;
  Matrix<float> probabilities_;  // (tokens, 256)
  Vector<float> losses_;

  // The backward's; one for all layers, which it visits in turn.
  typename Attention<float>::Saved dattention_;
  typename MixtureOfExperts<float>::Saved dexperts_;
  SiteScratch<Block> scratch_;
  mhc::Streams<float> dx_;
  mhc::Tokens<float> dhidden_;
  Matrix<float> dnormalized_;
};

}  // namespace language_model
