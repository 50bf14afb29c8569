// SPDX-License-Identifier: MIT
// Runs random streams through all sites of a model, with one site's parameters in memory at a time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <mhc/checkpoint/model.hpp>
#include <mhc/mhc.hpp>

#include "statistics.hpp"
#include "text.hpp"

namespace inspect_checkpoint {

using mhc::checkpoint::Model;

// N(0, 1), the same on every platform.
class Normal {
 public:
  explicit Normal(std::uint64_t seed) : engine_(seed) {}

  void fill(mhc::TokenView<float> rows) { mhc::detail::fill_normal(rows.matrix(), 1.0, engine_()); }

 private:
  std::mt19937_64 engine_;
};

class Stopwatch {
 public:
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(Clock::now() - start_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

// Input and output of one site for the first token: sums and Euclidean norms.
struct Traced {
  double u_sum = 0, u_length = 0;
  double x_sum = 0, x_length = 0;
};

struct Inspection {
  std::vector<SiteStatistics> sites;
  Traced first;
  double load_ms = 0, prepare_ms = 0;  // of all sites together
};

// F is a family of families.hpp.
template <int N, class F>
class Inspector {
  using Connection = typename F::Connection;
  static constexpr bool is_delayed = F::collapse == mhc::Collapse::last_pre;

 public:
  Inspector(const Model& model, Index tokens, std::uint64_t seed)
      : model_(model),
        normal_(seed),
        channels_(model.sites.front().channels),
        x_(tokens, N, channels_),
        u_(tokens, channels_),
        v_(tokens, channels_),
        pre_(tokens, N),
        saved_(tokens),
        composite_(tokens, N) {}

  Inspection run() {
    int mtp_layer = -2;  // -1 is a name without a number
    begin();
    for (const Site& site : model_.sites) {
      if (site.streams != N || site.channels != channels_) {
        throw std::runtime_error(printable(site.name) +
                                 " differs in size from the sites before it");
      }
      // The layers that predict further tokens have streams of their own.
      if (site.is_mtp && site.layer != mtp_layer) {
        mtp_layer = site.layer;
        if (site.role != Role::head) begin();
      }
      if (site.role == Role::head) {
        head(site);
      } else {
        sublayer(site);
      }
    }
    return std::move(result_);
  }

 private:
  // Every stream starts as the token's embedding.
  void begin() {
    normal_.fill(v_);
    mhc::expand_repeat(v_.view(), x_.view());
    const auto first = mhc::one_hot_pre<N, float>(x_.tokens());
    for (Index t = 0; t < x_.tokens(); ++t) std::copy_n(first.row(t), N, pre_.view().row(t));
    composite_ = mhc::CompositeMapping(x_.tokens(), N);
  }

  void sublayer(const Site& site) {
    const Stopwatch loading;
    mhc::Parameters<N, float, Connection> parameters(channels_);
    mhc::checkpoint::load<F>(site, parameters.view());
    result_.load_ms += loading.milliseconds();

    const mhc::Block<N, float, Connection> block(
        parameters.view(), mhc::checkpoint::options_of<F>(channels_, model_.evidence.settings));
    const Stopwatch preparing;
    if constexpr (is_delayed) {
      block.prepare_delayed(x_.view(), pre_.view(), u_.view(), saved_.view());
    } else {
      block.prepare(x_.view(), u_.view(), saved_.view());
    }
    result_.prepare_ms += preparing.milliseconds();
    if (is_delayed) pre_.matrix() = saved_.pre().matrix();
    normal_.fill(v_);
    block.finish(x_.view(), v_.view(), saved_.view(), x_.view());
    if (result_.sites.empty()) trace();

    SiteStatistics s;
    s.site = &site;
    constexpr bool is_bounded = !std::is_same_v<Connection, mhc::HyperConnections>;
    s.pre = tenths(saved_.pre(), is_bounded ? 0 : -2, is_bounded ? 1 : 2);
    s.post = tenths(saved_.post(), is_bounded ? 0 : -2, 2);
    measure_res(saved_.res(), s);
    composite_.apply(saved_.res());
    s.composite = composite_.gains();
    result_.sites.push_back(std::move(s));
  }

  void head(const Site& site) {
    if constexpr (mhc::checkpoint::has_head<F>) {
      const Stopwatch loading;
      mhc::Parameters<N, float, mhc::LearnedCollapse> parameters(channels_);
      mhc::checkpoint::load<F>(site, parameters.view());
      result_.load_ms += loading.milliseconds();
      const mhc::Head<N> head(parameters.view(),
                              mhc::checkpoint::head_options_of<F>(model_.evidence.settings));
      mhc::Saved<N, float, mhc::LearnedCollapse> saved(x_.tokens());
      const Stopwatch preparing;
      head.forward(x_.view(), u_.view(), saved.view());
      result_.prepare_ms += preparing.milliseconds();
      SiteStatistics s;
      s.site = &site;
      s.pre = tenths(saved.pre(), 0, 1);
      result_.sites.push_back(std::move(s));
    } else {
      throw std::runtime_error(printable(site.name) + " is a head, but " + F::name + " has none");
    }
  }

  void trace() {
    const auto u = u_.token(0).template cast<double>();
    const auto x = x_.token(0).template cast<double>();
    result_.first = {u.sum(), u.norm(), x.sum(), x.norm()};
  }

  const Model& model_;
  Normal normal_;
  Index channels_;
  mhc::Streams<float> x_;
  mhc::Tokens<float> u_, v_, pre_;
  mhc::Saved<N, float, Connection> saved_;
  mhc::CompositeMapping composite_;
  Inspection result_;
};

}  // namespace inspect_checkpoint
