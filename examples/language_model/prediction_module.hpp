// SPDX-License-Identifier: MIT
// Multi-token prediction: one module that sees the decoder's streams and the next byte, and
// predicts the byte after it, with streams of its own.
//
//   x'  = W_h rms_norm_h(x) + W_e rms_norm_e(embedding(next))     model/prediction_input.hpp
//   x'  = layer(x')                                               attention and experts of its own
//   p_t = softmax(W rms_norm(collapse(x')_t)), of the byte after next_t
//
// The embedding and the output matrix W are the decoder's. In a sequence of T tokens the byte after
// the next is unknown for the last one: T - 1 losses count.
//
// Source: arXiv:2412.19437, section 2.2, with DeepSeek-V4's streams.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include <mhc/storage.hpp>
#include <mhc/view.hpp>

#include "arena.hpp"
#include "config.hpp"
#include "layer.hpp"
#include "model/embedding.hpp"
#include "model/prediction_input.hpp"
#include "output_head.hpp"
#include "parallel.hpp"
#include "random.hpp"
#include "residual_parts.hpp"
#include "weights.hpp"

namespace language_model {

template <template <class> class SelfAttention, class Scalar = float>
class PredictionModule {
  using ModuleLayer = Layer<SelfAttention, Scalar>;
  using Input = PredictionInput<Scalar>;

 public:
  using Parts = ResidualParts<Scalar>;
  using Scratch = typename ModuleLayer::Scratch;

  static Index parameter_count(const Parts& parts, const ModelConfig& config) {
    return Input::Parameters::size(config.channels) + ModuleLayer::parameter_count(parts, config) +
           OutputHead<Scalar>::parameter_count(parts.collapse, config.channels);
  }

  // `embedding` and `output` (256, C) must outlive the module.
  PredictionModule(const Parts& parts, BasicArena<Scalar>& arena, WeightMatrix<Scalar>& embedding,
                   WeightMatrix<Scalar>& output, const ModelConfig& config, Index tokens)
      : PredictionModule(parts, take_weights(arena, config.channels), arena, embedding, output,
                         config, tokens) {}

  // `number` is the layer's index, which follows the decoder's.
  void initialize(Random& random, double writing, std::uint64_t seed, Index number) {
    weights_.h_norm.setOnes();
    weights_.e_norm.setOnes();
    const DrawMatrix draw(random);
    draw(weights_.h, 1);
    draw(weights_.e, 1);
    layer_.initialize(random, writing, seed, number);
    head_.initialize(seed + 1);
  }

  // Sequences of `length` tokens whose streams are x and whose next bytes are `next`; both must
  // live until the backward.
  void forward(mhc::StreamView<const Scalar> x, const std::uint8_t* next, Index length,
               const Eigen::Ref<const Vector<float>>& bias, const Workers& workers) {
    x_ = x;
    next_ = next;
    length_ = length;
    for (Index t = 0; t < x.tokens; ++t) {  // the last of a sequence has none: any byte will do
      targets_[static_cast<std::size_t>(t)] = next[counts(t) ? t + 1 : t];
    }
    embedding_forward<Scalar>(embedding_.values, next, first(e_), workers);
    input_.forward(weights_, rows(x), first(e_), rows(streams()), saved_, workers);
    layer_.forward(streams(), length, bias, workers);
    head_.forward(layer_.output(), targets_.data(), workers);
  }

  // The mean of -log p over the tokens that count; 0 if there are none.
  double loss() const {
    double sum = 0;
    for (Index t = 0; t < x_.tokens; ++t) {
      if (counts(t)) sum += static_cast<double>(losses()(t));
    }
    return counted() > 0 ? sum / static_cast<double>(counted()) : 0;
  }

  // The gradients of weight * loss(), added to dx.
  void backward(double weight, mhc::StreamView<Scalar> dx, Scratch& scratch,
                const Workers& workers) {
    const auto dloss =
        static_cast<Scalar>(counted() > 0 ? weight / static_cast<double>(counted()) : 0);
    Vector<Scalar> dlosses(x_.tokens);
    for (Index t = 0; t < x_.tokens; ++t) {
      dlosses(t) = counts(t) ? dloss : Scalar(0);
    }
    const auto dstreams = dstreams_.view().slice(0, x_.tokens);
    head_.backward(layer_.output(), targets_.data(), dlosses, dstreams, workers);
    layer_.backward(dstreams, scratch, workers);
    input_.backward(weights_, rows(x_), first(e_), saved_, rows(dstreams), dsaved_, first(dh_, n_),
                    first(de_), dweights_, workers);
    workers(x_.tokens, 64, [&](Index begin, Index end, int) {
      rows(dx).middleRows(begin * n_, (end - begin) * n_) +=
          dh_.middleRows(begin * n_, (end - begin) * n_);
    });
    embedding_backward<Scalar>(first(de_), next_, embedding_.gradients, workers);
  }

  // Whether token t's byte after the next is known.
  bool counts(Index t) const { return t % length_ != length_ - 1; }

  const Vector<Scalar>& losses() const { return head_.losses(); }
  const Matrix<Scalar>& probabilities() const { return head_.probabilities(); }
  const ModuleLayer& layer() const { return layer_; }

 private:
  using Piece = typename BasicArena<Scalar>::Piece;

  PredictionModule(const Parts& parts, Piece weights, BasicArena<Scalar>& arena,
                   WeightMatrix<Scalar>& embedding, WeightMatrix<Scalar>& output,
                   const ModelConfig& config, Index tokens)
      : n_(parts.streams),
        weights_(weights.values, config.channels),
        dweights_(weights.gradients, config.channels),
        embedding_(embedding),
        input_(n_),
        layer_(parts, arena, config, tokens),
        head_(parts.collapse, arena, output, config.channels, tokens),
        targets_(static_cast<std::size_t>(tokens)),
        e_(tokens, config.channels),
        saved_(n_, config.channels, tokens),
        streams_(tokens, n_, config.channels),
        dsaved_(n_, config.channels, tokens),
        dstreams_(tokens, n_, config.channels),
        dh_(tokens * n_, config.channels),
        de_(tokens, config.channels) {}

  static Piece take_weights(BasicArena<Scalar>& arena, Index channels) {
    const Index norms = Input::Parameters::norms(channels);
    const Piece piece = arena.take(norms, false);
    arena.take(Input::Parameters::size(channels) - norms, true);
    return piece;
  }

  Index counted() const { return length_ > 0 ? x_.tokens / length_ * (length_ - 1) : 0; }

  auto streams() { return streams_.view().slice(0, x_.tokens); }

  // (tokens * n, C)
  template <class Element>
  static auto rows(mhc::StreamView<Element> x) {
    using Rows = std::conditional_t<std::is_const_v<Element>, const Matrix<Scalar>, Matrix<Scalar>>;
    return Eigen::Map<Rows>(x.data, x.tokens * x.streams, x.channels);
  }
  auto first(Matrix<Scalar>& m, Index each = 1) const { return m.topRows(x_.tokens * each); }

  Index n_;
  typename Input::Parameters weights_, dweights_;
  WeightMatrix<Scalar>& embedding_;
  Input input_;
  ModuleLayer layer_;
  OutputHead<Scalar> head_;

  // Of the last forward.
  mhc::StreamView<const Scalar> x_;
  const std::uint8_t* next_ = nullptr;
  Index length_ = 0;
  std::vector<std::uint8_t> targets_;
  Matrix<Scalar> e_;  // embedding(next)
  typename Input::Saved saved_;
  mhc::Streams<Scalar> streams_;  // x'

  // Of the backward.
  typename Input::Saved dsaved_;
  mhc::Streams<Scalar> dstreams_;
  Matrix<Scalar> dh_, de_;
};

}  // namespace language_model
