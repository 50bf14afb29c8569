// SPDX-License-Identifier: MIT
// A decoder's generation: the caches of its layers, and buffers for a few tokens.
#pragma once

#include <memory>
#include <vector>

#include <mhc/expand.hpp>
#include <mhc/storage.hpp>

#include "generation.hpp"
#include "layer.hpp"
#include "model/embedding.hpp"
#include "output_head.hpp"
#include "residual_parts.hpp"

namespace language_model {

template <template <class> class SelfAttention>
class DecoderGeneration final : public Generation {
  using DecoderLayer = Layer<SelfAttention>;

 public:
  // Views of the decoder's parts, which must outlive this.
  struct Parts {
    const ResidualParts<float>& residual;
    const ModelConfig& config;
    const MatrixMap<float>& embedding;
    const std::vector<std::unique_ptr<DecoderLayer>>& layers;
    const Matrix<float>& router_bias;
    const OutputHead<>& head;
  };

  DecoderGeneration(const Parts& parts, Index capacity)
      : Generation(capacity, parts.config.context),
        parts_(parts),
        workspace_(parts.residual, parts.config, std::min(piece, capacity)),
        head_workspace_(parts.head),
        hidden_(std::min(piece, capacity), parts.config.channels),
        x_(hidden_.tokens(), parts.residual.streams, parts.config.channels) {
    for (Index l = 0; l < parts.config.layers; ++l) {
      caches_.push_back(DecoderLayer::cache(parts.config, capacity));
    }
  }

  std::size_t cache_bytes_per_token() const override {
    std::size_t sum = 0;
    for (const auto& cache : caches_) sum += cache.bytes_per_token();
    return sum;
  }

 private:
  void append(const std::uint8_t* bytes, Index count, const Workers& workers) override {
    const auto hidden = hidden_.view().slice(0, count);
    const auto x = x_.view().slice(0, count);
    embedding_forward<float>(parts_.embedding, bytes, hidden.matrix(), workers);
    mhc::expand_repeat(hidden, x, workers);
    for (std::size_t l = 0; l < caches_.size(); ++l) {
      parts_.layers[l]->extend(x, parts_.router_bias.row(static_cast<Index>(l)), caches_[l],
                               workspace_, workers);
    }
    last_ = count - 1;
  }

  void write_logits(Vector<float>& logits, const Workers& workers) override {
    parts_.head.logits(x_.view().slice(last_, last_ + 1), logits, head_workspace_, workers);
  }

  void clear_caches() override {
    for (auto& cache : caches_) cache.clear();
  }

  Parts parts_;
  std::vector<typename SelfAttention<float>::Cache> caches_;
  typename DecoderLayer::Workspace workspace_;
  OutputHead<>::Workspace head_workspace_;
  mhc::Tokens<float> hidden_;  // embedded bytes of the last append
  mhc::Streams<float> x_;      // their streams
  Index last_ = 0;
};

}  // namespace language_model
