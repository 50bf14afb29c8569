// SPDX-License-Identifier: MIT
// A layer of the decoder: x' = site(attention, x),  then  x'' = site(experts, x'),  where
//
//   (pre, post, res) = mappings of x,   u = pre x,   v = F(u),   site(F, x) = res x + post^T v
//
// is mhc's block around a sublayer F that is unaware of it (site.hpp). x, x', x'' : (tokens, N, C).
// ResidualParts select mHC, the original hyper-connections or the ordinary residual; SelfAttention
// is a class of model/ with the interface of Attention.
#pragma once

#include <algorithm>
#include <cstdint>

#include <mhc/storage.hpp>
#include <mhc/view.hpp>

#include "arena.hpp"
#include "config.hpp"
#include "model/instances.hpp"
#include "model/linear.hpp"
#include "model/mixture_of_experts.hpp"
#include "parallel.hpp"
#include "random.hpp"
#include "residual_parts.hpp"
#include "site.hpp"
#include "weights.hpp"

namespace language_model {

template <template <class> class SelfAttention, class Scalar = float>
class Layer {
 public:
  using Parts = ResidualParts<Scalar>;
  using Experts = MixtureOfExperts<Scalar>;
  using Shape = typename SelfAttention<Scalar>::Shape;

  // Scratch of the backward, shared by all layers, which run in turn.
  struct Scratch {
    Scratch(const Parts& parts, const ModelConfig& config, Index tokens)
        : dattention(attention_shape<Shape>(config), tokens),
          dexperts(config.mixture(), tokens),
          site(parts, tokens, config.channels) {}
    typename SelfAttention<Scalar>::Saved dattention;
    typename Experts::Saved dexperts;
    SiteScratch<Scalar> site;
  };

  // The same for extend().
  struct Workspace {
    Workspace(const Parts& parts, const ModelConfig& config, Index tokens)
        : attention(attention_shape<Shape>(config), tokens),
          experts(config.mixture(), tokens),
          site(parts, tokens, config.channels) {}
    typename SelfAttention<Scalar>::Workspace attention;
    typename Experts::Saved experts;
    SiteScratch<Scalar> site;
  };

  static auto cache(const ModelConfig& config, Index capacity) {
    return typename SelfAttention<Scalar>::Cache(attention_shape<Shape>(config), capacity);
  }

  static Index parameter_count(const Parts& parts, const ModelConfig& config) {
    return 2 * parts.parameter_count(config.channels) +
           SelfAttention<Scalar>::Parameters::size(attention_shape<Shape>(config)) +
           Experts::Parameters::size(config.mixture());
  }

  Layer(const Parts& parts, BasicArena<Scalar>& arena, const ModelConfig& config, Index tokens)
      : shape_(attention_shape<Shape>(config)),
        mixture_(config.mixture()),
        attend_(shape_),
        mix_(mixture_),
        attention_(parts, arena, shape_, tokens),
        experts_(parts, arena, mixture_, tokens),
        between_(tokens, parts.streams, config.channels),
        after_(tokens, parts.streams, config.channels) {}

  // Matrices that write into the streams have the gain `writing`; connections start as ordinary
  // residuals. `number` is the layer's index.
  void initialize(Random& random, double writing, std::uint64_t seed, Index number) {
    const auto site = static_cast<int>(2 * number);
    initialize_site(attention_, shape_, random, writing, seed, site);
    initialize_site(experts_, mixture_, random, writing, seed, site + 1);
  }

  // Sequences of `length` tokens. x must live until the backward; `bias` (experts) is the router's.
  void forward(mhc::StreamView<const Scalar> x, Index length,
               const Eigen::Ref<const Vector<float>>& bias, const Workers& workers) {
    before_ = x;
    length_ = length;
    attention_.forward(x, first(between_), workers, [&](auto u, auto v) {
      attend_.forward(attention_.weights, u, length, v, attention_.inside, workers);
    });
    experts_.forward(first(between_), first(after_), workers, [&](auto u, auto v) {
      mix_.forward(experts_.weights, bias, u, v, experts_.inside, workers);
    });
  }

  // dx holds the gradient of the output, then that of x.
  void backward(mhc::StreamView<Scalar> dx, Scratch& scratch, const Workers& workers) {
    experts_.backward(first(between_), dx, scratch.site, workers, [&](auto u, auto dv, auto du) {
      mix_.backward(experts_.weights, u, experts_.inside, dv, scratch.dexperts, du,
                    experts_.dweights, workers);
    });
    attention_.backward(before_, dx, scratch.site, workers, [&](auto u, auto dv, auto du) {
      attend_.backward(attention_.weights, u, length_, attention_.inside, dv, scratch.dattention,
                       du, attention_.dweights, workers);
    });
  }

  // The tokens of one sequence that follow the cached ones; x is overwritten by the output. Keeps
  // nothing outside the cache.
  void extend(mhc::StreamView<Scalar> x, const Eigen::Ref<const Vector<float>>& bias,
              typename SelfAttention<Scalar>::Cache& cache, Workspace& space,
              const Workers& workers) const {
    attention_.apply(x, space.site, workers, [&](auto u, auto v) {
      attend_.extend(attention_.weights, u, v, cache, space.attention);
    });
    experts_.apply(x, space.site, workers, [&](auto u, auto v) {
      mix_.forward(experts_.weights, bias, u, v, space.experts, workers);
    });
  }

  // Starts adding up the times of both sites; null stops it.
  void measure(SiteTimes* attention, SiteTimes* experts) {
    attention_.times = attention;
    experts_.times = experts;
  }

  // Moves `bias` towards balanced experts, by the loads of the last forward.
  void balance(float rate, Eigen::Ref<Vector<float>> bias) const {
    mix_.balance(experts_.inside, rate, bias);
  }

  // Slots of a routed expert in the last forward.
  Index load(Index expert) const { return experts_.inside.load(expert); }

  // Of the last forward: the two sites, and the output.
  BasicSiteView<Scalar> attention_site() const { return attention_.view(before_); }
  BasicSiteView<Scalar> experts_site() const { return experts_.view(first(between_)); }
  mhc::StreamView<const Scalar> output() const { return first(after_); }

  BasicSiteGates<Scalar> attention_gates() { return attention_.gates(); }
  BasicSiteGates<Scalar> experts_gates() { return experts_.gates(); }

 private:
  template <class AnySite, class SublayerShape>
  static void initialize_site(AnySite& site, const SublayerShape& shape, Random& random,
                              double writing, std::uint64_t seed, int number) {
    const DrawMatrix draw(random);
    std::fill_n(site.weights.norm.data(), AnySite::Weights::norms(shape), Scalar(1));
    site.weights.each_matrix([&](auto& w, bool writes) { draw(w, writes ? writing : 1); });
    site.initialize(seed, number);
  }

  template <class Streams>
  auto first(Streams& x) const {
    return x.view().slice(0, before_.tokens);
  }

  Shape shape_;
  MixtureShape mixture_;
  SelfAttention<Scalar> attend_;
  Experts mix_;
  Site<SelfAttention<Scalar>, Scalar> attention_;
  Site<Experts, Scalar> experts_;

  // Of the last forward.
  mhc::StreamView<const Scalar> before_;
  Index length_ = 0;
  mhc::Streams<Scalar> between_, after_;
};

}  // namespace language_model
