// SPDX-License-Identifier: MIT
// A layer of the decoder: x' = site(attention, x),  then  x'' = site(experts, x'),  where
//
//   (pre, post, res) = mappings of x,   u = pre x,   v = F(u),   site(F, x) = res x + post^T v
//
// is mhc's block around a sublayer F that is unaware of it (site.hpp). x, x', x'' : (tokens, N, C).
// Connection selects mHC, the original hyper-connections or the ordinary residual; SelfAttention is
// a class of model/ with the interface of Attention.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include <mhc/mhc.hpp>

#include "arena.hpp"
#include "config.hpp"
#include "language_model.hpp"
#include "model/linear.hpp"
#include "model/mixture_of_experts.hpp"
#include "parallel.hpp"
#include "site.hpp"
#include "weights.hpp"

namespace language_model {

template <int N, class Connection, template <class> class SelfAttention, class Scalar = float>
class Layer {
 public:
  using Block = mhc::Block<N, Scalar, Connection>;
  using Experts = MixtureOfExperts<Scalar>;
  using Shape = typename SelfAttention<Scalar>::Shape;

  // Scratch of the backward, shared by all layers, which run in turn.
  struct Scratch {
    Scratch(const ModelConfig& config, index tokens)
        : dattention(attention_shape<Shape>(config), tokens),
          dexperts(config.mixture(), tokens),
          site(tokens, config.channels) {}
    typename SelfAttention<Scalar>::Saved dattention;
    typename Experts::Saved dexperts;
    SiteScratch<Block> site;
  };

  // The same for extend().
  struct Workspace {
    Workspace(const ModelConfig& config, index tokens)
        : attention(attention_shape<Shape>(config), tokens),
          experts(config.mixture(), tokens),
          site(tokens, config.channels) {}
    typename SelfAttention<Scalar>::Workspace attention;
    typename Experts::Saved experts;
    SiteScratch<Block> site;
  };

  static auto cache(const ModelConfig& config, index capacity) {
    return typename SelfAttention<Scalar>::Cache(attention_shape<Shape>(config), capacity);
  }

  static index parameter_count(const ModelConfig& config) {
    return 2 * Block::ParametersView::size(config.channels) +
           SelfAttention<Scalar>::Parameters::size(attention_shape<Shape>(config)) +
           Experts::Parameters::size(config.mixture());
  }

  Layer(BasicArena<Scalar>& arena, const ModelConfig& config, index tokens)
      : shape_(attention_shape<Shape>(config)),
        mixture_(config.mixture()),
        attend_(shape_),
        mix_(mixture_),
        attention_(arena, shape_, tokens),
        experts_(arena, mixture_, tokens),
        between_(tokens, N, config.channels),
        after_(tokens, N, config.channels) {}

  // Matrices that write into the streams have the gain `writing`; connections start as ordinary
  // residuals. `number` is the layer's index.
  void initialize(Random& random, double writing, std::uint64_t seed, index number) {
    const auto site = static_cast<int>(2 * number);
    initialize_site(attention_, shape_, random, writing, seed, site);
    initialize_site(experts_, mixture_, random, writing, seed, site + 1);
  }

  // Sequences of `length` tokens. x must live until the backward; `bias` (experts) is the router's.
  void forward(mhc::StreamView<const Scalar> x, index length,
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
  index load(index expert) const { return experts_.inside.load(expert); }

  // Of the last forward: inputs and mappings of the two sites, and the output.
  mhc::StreamView<const Scalar> before_attention() const { return before_; }
  mhc::StreamView<const Scalar> before_experts() const { return first(between_); }
  mhc::StreamView<const Scalar> output() const { return first(after_); }
  auto attention_mappings() const { return attention_.mappings(before_.tokens); }
  auto experts_mappings() const { return experts_.mappings(before_.tokens); }

  SiteGates attention_gates() { return gates_of(attention_); }
  SiteGates experts_gates() { return gates_of(experts_); }

 private:
  template <class Site>
  static SiteGates gates_of(const Site& site) {
    const auto span = [](auto row) { return mhc::Span<float>{row.data(), row.size()}; };
    return {span(site.parameters.alpha()), span(site.parameters.b()),
            span(site.dparameters.alpha()), span(site.dparameters.b())};
  }

  template <class Site, class SublayerShape>
  static void initialize_site(Site& site, const SublayerShape& shape, Random& random,
                              double writing, std::uint64_t seed, int number) {
    const DrawMatrix draw(random);
    std::fill_n(site.weights.norm.data(), Site::Weights::norms(shape), Scalar(1));
    site.weights.each_matrix([&](auto& w, bool writes) { draw(w, writes ? writing : 1); });
    initialize_connection(site.parameters, seed, number);
  }

  static void initialize_connection(typename Block::ParametersView parameters, std::uint64_t seed,
                                    int site) {
    const std::uint64_t own_seed = seed + 1000003U * static_cast<std::uint64_t>(site + 1);
    if constexpr (std::is_same_v<Connection, mhc::HyperConnections>) {
      mhc::initialize(parameters, own_seed, site % N);  // the stream that this site reads initially
    } else {
      mhc::initialize(parameters, own_seed);
    }
  }

  template <class Streams>
  auto first(Streams& x) const {
    return x.view().slice(0, before_.tokens);
  }

  Shape shape_;
  MixtureShape mixture_;
  SelfAttention<Scalar> attend_;
  Experts mix_;
  Site<Block, SelfAttention<Scalar>> attention_;
  Site<Block, Experts> experts_;

  // Of the last forward.
  mhc::StreamView<const Scalar> before_;
  index length_ = 0;
  mhc::Streams<Scalar> between_, after_;
};

}  // namespace language_model
