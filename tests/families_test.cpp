// SPDX-License-Identifier: MIT
// For each family, a transcript of its own code in its own storage matches the library after its
// loader: two sites with expansion and collapse, forward and all gradients, in the tensors of the
// checkpoint. A transposed residual matrix must fail.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include <mhc/mhc.hpp>

#include "families/birkhoff.hpp"
#include "families/deepseek_v4.hpp"
#include "families/deepseek_v41.hpp"
#include "families/glm_5_3.hpp"
#include "families/hy4.hpp"
#include "families/hyper_connections.hpp"
#include "families/krom_hc.hpp"
#include "families/liger.hpp"
#include "families/lucidrains.hpp"
#include "families/megatron_dev.hpp"
#include "families/megatron_main.hpp"
#include "families/mhc_lite.hpp"
#include "families/openpangu_2.hpp"
#include "families/paper.hpp"
#include "families/static_connections.hpp"
#include "support/kernel_instances.hpp"

namespace {

using families::Complex;
using mhc::Index;

constexpr int n = 4;
constexpr int channels = 3;
constexpr int depth = 2;  // sites
constexpr double tolerance = 1e-12;

template <class T>
using Tensor = families::Tensor<T>;

// Bindings between a site's tensors and the library: they load parameters, and add gradients to
// those of the tensors.

/// phi, alpha and b packed [pre | post | res]; a norm weight w acts as offset + w.
template <class T>
struct Packed {
  T* phi;
  std::array<T*, 3> alpha;
  T* b;
  T* norm_weight = nullptr;
};

template <class T>
std::array<T*, 3> three(Tensor<T>& alpha) {
  return {alpha.data(), alpha.data() + 1, alpha.data() + 2};
}

/// Parameters before and after the weight of the norm is folded in.
template <class Connection>
struct Loaded {
  using Parameters = mhc::Parameters<n, double, Connection>;

  Parameters stored{channels};
  Parameters folded{channels};

  void fold(const double* weight, double offset) {
    folded = stored;
    if (weight == nullptr) return;
    mhc::fold_norm_weight(stored.view(), weight, offset, folded.view());
  }
  /// The gradients of `stored`, and those of the weight, which are added to dweight.
  Parameters unfold(const Parameters& dfolded, const double* weight, double offset,
                    double* dweight) const {
    if (weight == nullptr) return dfolded;
    Parameters dstored(channels);
    mhc::fold_norm_weight_backward(stored.view(), weight, offset, dfolded.view(), dstored.view(),
                                   dweight);
    return dstored;
  }
};

template <class Connection>
Loaded<Connection> load(const Packed<double>& from, const mhc::StoredLayout& layout) {
  Loaded<Connection> loaded;
  std::array<double, 3> alpha{};
  for (std::size_t g = 0; g < 3; ++g) alpha[g] = from.alpha[g] != nullptr ? *from.alpha[g] : 0.0;
  mhc::load_stored(layout, from.phi, alpha.data(), from.b, loaded.stored.view());
  loaded.fold(from.norm_weight, 0.0);
  return loaded;
}

template <class Connection>
void save(const Loaded<Connection>& loaded, const Packed<double>& from,
          const mhc::Parameters<n, double, Connection>& gradients, const mhc::StoredLayout& layout,
          const Packed<double>& to) {
  const auto dstored = loaded.unfold(gradients, from.norm_weight, 0.0, to.norm_weight);
  std::array<double, 3> alpha{};
  mhc::save_stored(layout, dstored.view(), to.phi, alpha.data(), to.b);
  for (std::size_t g = 0; g < 3; ++g) {
    if (to.alpha[g] != nullptr) *to.alpha[g] = alpha[g];
  }
}

/// A binding of packed tensors; Derived::packed(site) returns them.
template <class Derived, class Family_>
struct PackedBinding {
  using Family = Family_;
  using Connection = typename Family::Connection;
  static typename Connection::Options options() { return Family::options(); }
  template <class T>
  static auto site() {
    return typename Derived::template Site<T>(n, channels);
  }
  /// DeepSeek-V4's names, which other families share.
  template <class Site>
  static Packed<double> packed(Site& site) {
    return {site.fn.data(), three(site.scale), site.base.data()};
  }
  template <class Site>
  static Loaded<Connection> load_site(Site& site) {
    return load<Connection>(Derived::packed(site), Family::layout());
  }
  template <class Site>
  static void save_site(const Loaded<Connection>& loaded, Site& site,
                        const mhc::Parameters<n, double, Connection>& gradients, Site& dsite) {
    save(loaded, Derived::packed(site), gradients, Family::layout(), Derived::packed(dsite));
  }
};

/// Two families store their norm weight minus one.
template <class Derived, class Family_>
struct AlphaBetaBinding {
  using Family = Family_;
  using Connection = typename Family::Connection;
  template <class T>
  static auto site() {
    return typename Derived::template Site<T>(n, channels);
  }
  template <class Site>
  static Loaded<Connection> load_site(Site& site) {
    Loaded<Connection> loaded;
    const auto from = Derived::tensors(site);
    mhc::load_stored(
        mhc::StoredAlphaBeta<const double>{from.dynamic_alpha_fn, from.dynamic_beta_fn,
                                           from.static_alpha, from.static_beta, from.scale_pre,
                                           from.scale_post, from.scale_res},
        loaded.stored.view());
    loaded.fold(Derived::gamma(site), Derived::offset);
    return loaded;
  }
  template <class Site>
  static void save_site(const Loaded<Connection>& loaded, Site& site,
                        const mhc::Parameters<n, double, Connection>& gradients, Site& dsite) {
    const auto dstored =
        loaded.unfold(gradients, Derived::gamma(site), Derived::offset, Derived::gamma(dsite));
    mhc::save_stored(dstored.view(), Derived::tensors(dsite));
  }
};

// The families.

struct DeepSeekV4 : PackedBinding<DeepSeekV4, mhc::families::DeepSeekV4> {
  template <class T>
  using Site = families::DeepSeekV4Site<T>;
  template <class T>
  using Head = families::DeepSeekV4Head<T>;
  using PackedBinding::packed;
  template <class T>
  static Packed<T> packed(Head<T>& head) {
    return {head.hc_head_fn.data(), {head.hc_head_scale.data()}, head.hc_head_base.data()};
  }
};

struct DeepSeekV41 : PackedBinding<DeepSeekV41, mhc::families::DeepSeekV41> {
  template <class T>
  using Site = families::DeepSeekV41Site<T>;
};

struct Glm53 : PackedBinding<Glm53, mhc::families::Glm53Flash> {
  template <class T>
  using Site = families::Glm53Site<T>;
};

template <bool Renorm>
struct OpenPangu2 : PackedBinding<OpenPangu2<Renorm>, mhc::families::OpenPangu2> {
  using Base = PackedBinding<OpenPangu2<Renorm>, mhc::families::OpenPangu2>;
  static auto options() {
    auto options = Base::options();
    options.normalize_pre = Renorm;
    return options;
  }
  static auto head_options() {
    auto options = mhc::families::OpenPangu2::head_options();
    options.normalize_pre = Renorm;
    return options;
  }
  template <class T>
  using Site = families::OpenPangu2Site<T>;
  template <class T>
  struct Head : families::OpenPangu2Merge<T> {
    Head(int streams, int width) : families::OpenPangu2Merge<T>(streams, width, Renorm) {}
  };
  template <class T>
  static Site<T> site() {
    return {n, channels, Renorm};
  }
  template <class T>
  static Packed<T> packed(Site<T>& site) {
    return {site.phi_weight.data(), three(site.branch_alpha), site.branch_beta.data(),
            site.norm_gamma.data()};
  }
  template <class T>
  static Packed<T> packed(Head<T>& head) {
    return {head.phi_weight.data(),
            {head.branch_alpha_pre.data()},
            head.branch_beta_pre.data(),
            head.norm_gamma.data()};
  }
};

struct Hy4 : PackedBinding<Hy4, mhc::families::Hy4> {
  template <class T>
  using Site = families::Hy4Site<T>;
  template <class T>
  using Head = families::Hy4Head<T>;
  template <class T>
  static Packed<T> packed(Site<T>& site) {
    return {
        site.hc_fn.data(), {site.hc_scale.data(), site.hc_scale.data() + 1}, site.hc_base.data()};
  }
  template <class T>
  static Packed<T> packed(Head<T>& head) {
    return {head.hc_head_fn.data(), {head.hc_head_scale.data()}, head.hc_head_base.data()};
  }
};

template <template <class> class Site_, class Family>
struct Megatron : PackedBinding<Megatron<Site_, Family>, Family> {
  template <class T>
  using Site = Site_<T>;
  template <class T>
  static Packed<T> packed(Site<T>& site) {
    return {site.mapping_proj_weight.data(),
            {site.alpha_pre.data(), site.alpha_post.data(), site.alpha_res.data()},
            site.bias.data()};
  }
};

struct Liger : PackedBinding<Liger, mhc::families::Liger> {
  template <class T>
  using Site = families::LigerSite<T>;
  template <class T>
  static Packed<T> packed(Site<T>& site) {
    return {site.phi.data(),
            {site.alpha_pre.data(), site.alpha_post.data(), site.alpha_res.data()},
            site.b.data()};
  }
};

/// The paper's layout, with the paper's Sinkhorn-Knopp or the exact projection.
struct ExactProjection {
  using Connection = mhc::Constrained<mhc::BirkhoffProjection>;
  static Connection::Options options() { return {}; }
  static mhc::StoredLayout layout() { return mhc::families::Paper::layout(); }
};

template <template <class> class Site_, class Family>
struct PaperLike : PackedBinding<PaperLike<Site_, Family>, Family> {
  template <class T>
  using Site = Site_<T>;
  template <class T>
  static Packed<T> packed(Site<T>& site) {
    return {site.phi.data(), three(site.alpha), site.b.data()};
  }
};

/// arXiv:2409.19606 with RMS norms: eps is inside the root, and the weight is stored unchanged.
struct OriginalHyperConnections
    : AlphaBetaBinding<OriginalHyperConnections, mhc::families::LucidrainsHyperConnections> {
  static constexpr double offset = 0.0;
  static auto options() { return mhc::HyperConnections::Options{1e-5, mhc::NormEps::in_root}; }
  template <class T>
  using Site = families::HyperConnectionsSite<T>;
  template <class T>
  static Site<T> site() {
    return {n, channels, families::StreamNorm::rms_norm};
  }
  static double* gamma(Site<double>& site) { return site.norm_weight.data(); }
  static mhc::StoredAlphaBeta<double> tensors(Site<double>& site) {
    return {site.dynamic_alpha_fn.data(),    site.dynamic_beta_fn.data(),
            site.static_alpha.data(),        site.static_beta.data(),
            site.dynamic_alpha_scale.data(), site.dynamic_beta_scale.data(),
            site.dynamic_alpha_scale.data()};
  }
};

struct LucidrainsHc : AlphaBetaBinding<LucidrainsHc, mhc::families::LucidrainsHyperConnections> {
  static constexpr double offset = 1.0;
  static auto options() { return Family::options(channels); }
  template <class T>
  using Site = families::LucidrainsHcSite<T>;
  static double* gamma(Site<double>& site) { return site.norm_gamma.data(); }
  static mhc::StoredAlphaBeta<double> tensors(Site<double>& site) {
    return {site.dynamic_alpha_fn.data(),    site.dynamic_beta_fn.data(),
            site.static_alpha.data(),        site.static_beta.data(),
            site.dynamic_alpha_scale.data(), site.dynamic_beta_scale.data(),
            site.dynamic_alpha_scale.data()};
  }
};

/// lucidrains' mHC, mHC-lite and KromHC use the same tensor names.
template <template <class> class Site_, class Family>
struct BranchScales : AlphaBetaBinding<BranchScales<Site_, Family>, Family> {
  static constexpr double offset = 1.0;
  static auto options() {
    if constexpr (std::is_same_v<Family, mhc::families::LucidrainsManifold>) {
      return Family::options(channels);
    } else {
      return Family::options(n, channels);
    }
  }
  template <class T>
  using Site = Site_<T>;
  static double* gamma(Site<double>& site) { return site.norm_gamma.data(); }
  static mhc::StoredAlphaBeta<double> tensors(Site<double>& site) {
    return {site.dynamic_alpha_fn.data(), site.dynamic_beta_fn.data(),  site.static_alpha.data(),
            site.static_beta.data(),      site.pre_branch_scale.data(), site.h_post_scale.data(),
            site.residual_scale.data()};
  }
};

/// Eq. (5) of the mHC paper: theta_pre (1, C), theta_post (1, C), theta_res (n, C) are the columns
/// of phi (C, 2 + n).
struct EquationFive {
  using Family = mhc::families::HyperConnectionsPaper;
  using Connection = Family::Connection;
  static auto options() { return Family::options(); }
  template <class T>
  using Site = families::HyperConnectionsEq5Site<T>;
  template <class T>
  static Site<T> site() {
    return {n, channels};
  }
  template <class Copy>
  static void walk(mhc::ParametersView<n, double, Connection> parameters, Site<double>& site,
                   const Copy& copy) {
    for (int h = 0; h < channels; ++h) {
      copy(parameters.phi()(h, 0), site.theta_pre(0, h));
      copy(parameters.phi()(h, 1), site.theta_post(0, h));
      for (int i = 0; i < n; ++i) copy(parameters.phi()(h, 2 + i), site.theta_res(i, h));
    }
    copy(parameters.alpha()(0), site.alpha_pre(0));
    copy(parameters.alpha()(1), site.alpha_post(0));
    copy(parameters.alpha()(2), site.alpha_res(0));
    for (int i = 0; i < n; ++i) {
      copy(parameters.b_pre()(i), site.b_pre(i));
      copy(parameters.b_post()(i), site.b_post(i));
      for (int j = 0; j < n; ++j) copy(parameters.b_res()(i, j), site.b_res(i, j));
    }
  }
  static Loaded<Connection> load_site(Site<double>& site) {
    Loaded<Connection> loaded;
    walk(loaded.stored, site, [](double& ours, const double& theirs) { ours = theirs; });
    loaded.fold(nullptr, 0.0);
    return loaded;
  }
  static void save_site(const Loaded<Connection>& /*loaded*/, Site<double>& /*site*/,
                        mhc::Parameters<n, double, Connection> gradients, Site<double>& dsite) {
    walk(gradients, dsite, [](double& ours, double& theirs) { theirs = ours; });
  }
};

/// No projection: b_pre, b_post, and b_res as comb[src, dst].
template <families::StaticResidual Kind, class Residual>
struct StaticBinding {
  static constexpr bool affine = Kind == families::StaticResidual::affine;
  using Connection = std::conditional_t<affine, mhc::Unconstrained<mhc::Static>,
                                        mhc::Constrained<Residual, mhc::Static>>;
  struct Family {
    using Connection = StaticBinding::Connection;
  };
  static auto options() {
    typename Connection::Options options;
    if constexpr (std::is_same_v<Residual, mhc::SinkhornKnopp>) {
      options.pre_eps = 1e-6;
      options.residual = mhc::families::DeepSeekV4::options().residual;
    } else if constexpr (std::is_same_v<Residual, mhc::IdentityResidual>) {
      options.pre_eps = 1e-6;
      options.post_eps = 1e-6;
    }
    return options;
  }
  template <class T>
  struct Site : families::StaticSite<T> {
    Site(int streams, int /*width*/) : families::StaticSite<T>(streams, Kind) {}
  };
  template <class T>
  static Site<T> site() {
    return {n, channels};
  }
  template <class Copy>
  static void walk(mhc::ParametersView<n, double, Connection> parameters, Site<double>& site,
                   const Copy& copy) {
    for (int i = 0; i < n; ++i) {
      copy(parameters.b_pre()(i), site.b_pre(i));
      copy(parameters.b_post()(i), site.b_post(i));
    }
    for (int r = 0; r < site.b_res.size(); ++r) {
      copy(parameters.b_res().data()[r], site.b_res(Residual::template transposed<n>(r)));
    }
  }
  static Loaded<Connection> load_site(Site<double>& site) {
    Loaded<Connection> loaded;
    walk(loaded.stored, site, [](double& ours, const double& theirs) { ours = theirs; });
    loaded.fold(nullptr, 0.0);
    return loaded;
  }
  static void save_site(const Loaded<Connection>& /*loaded*/, Site<double>& /*site*/,
                        mhc::Parameters<n, double, Connection> gradients, Site<double>& dsite) {
    walk(gradients, dsite, [](double& ours, double& theirs) { theirs = ours; });
  }
};

// The model: an embedding, two sites around a sublayer, the collapse. The loss weighs the output
// and the last streams, since the collapse alone does not reveal all of them.

/// The sublayer, v_h = (1 + 0.1 h) tanh(0.7 u_h + 0.3 l).
template <class T>
Tensor<T> sublayer(int l, const Tensor<T>& u) {
  Tensor<T> v(u.size());
  for (int h = 0; h < u.size(); ++h) v(h) = (1.0 + 0.1 * h) * std::tanh(0.7 * u(h) + 0.3 * l);
  return v;
}

template <class Row>
void sublayer_backward(int l, const Row& u, const Row& dv, Row& du) {
  for (int h = 0; h < channels; ++h) {
    const double t = std::tanh(0.7 * u(h) + 0.3 * l);
    du(h) = dv(h) * (1.0 + 0.1 * h) * 0.7 * (1.0 - t * t);
  }
}

template <class Binding, class = void>
struct HeadOf {
  template <class T>
  struct type {
    type(int, int) {}
    std::vector<families::Parameter<T>> tensors() { return {}; }
    Tensor<T> collapse(const Tensor<T>& x) const { return families::sum_of_streams(x); }
  };
};
template <class Binding>
struct HeadOf<Binding, std::void_t<typename Binding::template Head<double>>> {
  template <class T>
  using type = typename Binding::template Head<T>;
};

template <class Family, class = void>
constexpr mhc::Collapse collapse_of = mhc::Collapse::sum;  // if the source leaves it to the user
template <class Family>
constexpr mhc::Collapse collapse_of<Family, std::void_t<decltype(Family::collapse)>> =
    Family::collapse;

template <class Binding, class T>
struct Model {
  using Site = typename Binding::template Site<T>;
  using Head = typename HeadOf<Binding>::template type<T>;
  static constexpr mhc::Collapse collapse = collapse_of<typename Binding::Family>;

  Model() : head(n, channels) {
    for (int l = 0; l < depth; ++l) sites.push_back(Binding::template site<T>());
    for (int l = 0; l < depth; ++l) {
      families::randomize(sites[static_cast<std::size_t>(l)], 11 + static_cast<std::uint64_t>(l));
    }
    families::randomize(head, 17);
    families::Numbers(5).fill(embedding, 0.1, 1.0);
    families::Numbers(7).fill(memory, 0.0, 0.5);
  }

  /// [output | the last streams]
  Tensor<T> forward(bool transposed = false) const {
    Tensor<T> x = families::repeat(embedding, n);
    for (int k = 0; k < x.size(); ++k) x(k) += memory(k);
    Tensor<T> pre = families::deepseek_v41_entry_pre<T>(n);
    for (int l = 0; l < depth; ++l) {
      const Site& site = sites[static_cast<std::size_t>(l)];
      const families::Mappings<T> at = site.mappings(x);
      Tensor<T> u;
      if constexpr (collapse == mhc::Collapse::last_pre) {
        u = site.layer_input(pre, x);
      } else {
        u = site.layer_input(at, x);
      }
      x = site.merge(at, x, sublayer(l, u), transposed);
      pre = at.pre;
    }
    Tensor<T> out;
    if constexpr (collapse == mhc::Collapse::learned) out = head.collapse(x);
    if constexpr (collapse == mhc::Collapse::mean) out = families::mean_of_streams(x);
    if constexpr (collapse == mhc::Collapse::sum) out = families::sum_of_streams(x);
    if constexpr (collapse == mhc::Collapse::last_pre) out = families::weighted_sum(pre, x);
    Tensor<T> both(out.size() + x.size());
    for (int h = 0; h < out.size(); ++h) both(h) = out(h);
    for (int k = 0; k < x.size(); ++k) both(out.size() + k) = x(k);
    return both;
  }

  T loss() const {
    const Tensor<T> out = forward();
    const Tensor<double> weights = cotangent();
    T sum{};
    for (int k = 0; k < out.size(); ++k) sum += weights(k) * out(k);
    return sum;
  }

  static Tensor<double> cotangent() {
    Tensor<double> weights(channels + n * channels);
    families::Numbers(23).fill(weights, 0.0, 1.0);
    return weights;
  }

  /// All tensors that have a gradient.
  std::vector<families::Parameter<T>> tensors() {
    std::vector<families::Parameter<T>> all = {{"embedding", &embedding, 0.0, 0.0},
                                               {"memory", &memory, 0.0, 0.0}};
    for (int l = 0; l < depth; ++l) {
      for (auto& parameter : sites[static_cast<std::size_t>(l)].tensors()) {
        parameter.name = "site " + std::to_string(l) + " " + parameter.name;
        all.push_back(parameter);
      }
    }
    for (auto& parameter : head.tensors()) all.push_back(parameter);
    return all;
  }

  std::vector<Site> sites;
  Head head;
  Tensor<T> embedding{channels};
  Tensor<T> memory{n, channels};  // added to the streams, which would otherwise be equal
};

/// The same model with the library; the gradients are stored in a model's tensors.
template <class Binding>
struct Library {
  using Connection = typename Binding::Connection;
  using Block = mhc::Block<n, double, Connection>;
  using Theirs = Model<Binding, double>;
  static constexpr mhc::Collapse collapse = Theirs::collapse;

  explicit Library(Theirs& model_) : model(model_) {
    for (auto& site : model.sites) {
      loaded.push_back(Binding::load_site(site));
      blocks.emplace_back(loaded.back().folded, Binding::options());
      saved.emplace_back(1);
      x.emplace_back(1, n, channels);
      u.emplace_back(1, channels);
      v.emplace_back(1, channels);
    }
    // A block keeps a view of its parameters, so `loaded` must not move from here on.
    blocks.clear();
    for (auto& parameters : loaded) blocks.emplace_back(parameters.folded, Binding::options());
    x.emplace_back(1, n, channels);
  }

  Tensor<double> forward() {
    mhc::expand_repeat({model.embedding.data(), 1, channels}, x[0]);
    for (int k = 0; k < n * channels; ++k) x[0].data()[k] += model.memory(k);
    for (std::size_t l = 0; l < depth; ++l) {
      if constexpr (collapse == mhc::Collapse::last_pre) {
        blocks[l].prepare_delayed(x[l], pre_before(l), u[l], saved[l]);
      } else {
        blocks[l].prepare(x[l], u[l], saved[l]);
      }
      Tensor<double> in(channels);
      for (int h = 0; h < channels; ++h) in(h) = u[l].token(0)(h);
      const Tensor<double> of_sublayer = sublayer(static_cast<int>(l), in);
      for (int h = 0; h < channels; ++h) v[l].token(0)(h) = of_sublayer(h);
      blocks[l].finish(x[l], v[l], saved[l], x[l + 1]);
    }
    leave();
    Tensor<double> both(channels + n * channels);
    for (int h = 0; h < channels; ++h) both(h) = out.token(0)(h);
    for (int k = 0; k < n * channels; ++k) both(channels + k) = x[depth].data()[k];
    return both;
  }

  /// Call it after forward().
  Theirs backward() {
    Theirs gradients;
    for (auto& parameter : gradients.tensors()) {
      for (int k = 0; k < parameter.values->size(); ++k) (*parameter.values)(k) = 0.0;
    }
    const Tensor<double> weights = Theirs::cotangent();
    mhc::Streams<double> dx(1, n, channels);
    mhc::Tokens<double> dpre(1, n);
    leave_backward({weights.data(), 1, channels}, dx, dpre, gradients);
    for (int k = 0; k < n * channels; ++k) dx.data()[k] += weights(channels + k);
    for (std::size_t l = depth; l-- > 0;) {
      typename Block::Saved dsaved(1);
      typename Block::Parameters grads(channels);
      mhc::Tokens<double> dv(1, channels);
      mhc::Tokens<double> du(1, channels);
      blocks[l].finish_backward(x[l], v[l], saved[l], dx, dv, dsaved);
      auto of_u = u[l].token(0);
      auto of_dv = dv.token(0);
      auto of_du = du.token(0);
      sublayer_backward(static_cast<int>(l), of_u, of_dv, of_du);
      if constexpr (collapse == mhc::Collapse::last_pre) {
        blocks[l].prepare_backward_delayed({x[l], pre_before(l), saved[l]}, dx, du, dpre, dsaved,
                                           dx, grads);
      } else {
        blocks[l].prepare_backward(x[l], saved[l], dx, du, dsaved, dx, grads);
      }
      Binding::save_site(loaded[l], model.sites[l], grads, gradients.sites[l]);
    }
    for (int k = 0; k < n * channels; ++k) gradients.memory(k) = dx.data()[k];
    mhc::expand_repeat_backward(dx,
                                mhc::TokenView<double>(gradients.embedding.data(), 1, channels));
    return gradients;
  }

 private:
  using Collapsing = mhc::Head<n, double>;

  mhc::TokenView<const double> pre_before(std::size_t l) const {
    return l == 0 ? mhc::one_hot_pre<n, double>(1) : saved[l - 1].pre();
  }

  static auto head_options() {
    if constexpr (std::is_same_v<Binding, OpenPangu2<true>>)
      return Binding::head_options();
    else
      return Binding::Family::head_options();
  }

  void leave() {
    if constexpr (collapse == mhc::Collapse::learned) {
      head_loaded =
          load<mhc::LearnedCollapse>(Binding::packed(model.head), Binding::Family::layout());
      Collapsing(head_loaded.folded, head_options()).forward(x[depth], out, head_saved);
    }
    if constexpr (collapse == mhc::Collapse::mean) mhc::collapse_mean(x[depth], out);
    if constexpr (collapse == mhc::Collapse::sum) mhc::collapse_sum(x[depth], out);
    if constexpr (collapse == mhc::Collapse::last_pre) {
      mhc::aggregate<n>(x[depth], saved[depth - 1].pre(), out);
    }
  }

  void leave_backward(mhc::TokenView<const double> dout, mhc::Streams<double>& dx,
                      mhc::Tokens<double>& dpre, Theirs& gradients) {
    if constexpr (collapse == mhc::Collapse::learned) {
      Collapsing::Saved dsaved(1);
      Collapsing::Parameters grads(channels);
      Collapsing(head_loaded.folded, head_options())
          .backward(x[depth], head_saved, dout, dsaved, dx, grads);
      save(head_loaded, Binding::packed(model.head), grads, Binding::Family::layout(),
           Binding::packed(gradients.head));
    }
    if constexpr (collapse == mhc::Collapse::mean) mhc::collapse_mean_backward(dout, dx);
    if constexpr (collapse == mhc::Collapse::sum) mhc::collapse_sum_backward(dout, dx);
    if constexpr (collapse == mhc::Collapse::last_pre) {
      mhc::aggregate_backward<n>(x[depth], saved[depth - 1].pre(), dout, dx, dpre);
    }
    (void)dpre;
    (void)gradients;
  }

  Theirs& model;
  std::vector<Loaded<Connection>> loaded;
  std::vector<Block> blocks;
  std::vector<typename Block::Saved> saved;
  std::vector<mhc::Streams<double>> x;
  std::vector<mhc::Tokens<double>> u;
  std::vector<mhc::Tokens<double>> v;
  mhc::Tokens<double> out{1, channels};
  Loaded<mhc::LearnedCollapse> head_loaded;
  Collapsing::Saved head_saved{1};
};

double norm(const Tensor<double>& a) {
  return std::sqrt(families::sum_of_squares(a));
}

double difference(const Tensor<double>& a, const Tensor<double>& b) {
  double sum = 0.0;
  for (int k = 0; k < a.size(); ++k) sum += (a(k) - b(k)) * (a(k) - b(k));
  return std::sqrt(sum) / norm(b);
}

template <class Binding>
class Families : public testing::Test {};
using Bindings =
    testing::Types<DeepSeekV4, DeepSeekV41, Glm53, OpenPangu2<false>, OpenPangu2<true>, Hy4,
                   Megatron<families::MegatronMainSite, mhc::families::MegatronMain>,
                   Megatron<families::MegatronDevSite, mhc::families::MegatronDev>, Liger,
                   PaperLike<families::PaperSite, mhc::families::Paper>,
                   PaperLike<families::BirkhoffSite, ExactProjection>, OriginalHyperConnections,
                   EquationFive, LucidrainsHc,
                   BranchScales<families::LucidrainsMhcSite, mhc::families::LucidrainsManifold>,
                   BranchScales<families::MhcLiteSite, mhc::families::MhcLite>,
                   BranchScales<families::KromHcSite, mhc::families::KromHc>,
                   StaticBinding<families::StaticResidual::sinkhorn, mhc::SinkhornKnopp>,
                   StaticBinding<families::StaticResidual::permutation, mhc::PermutationSoftmax>,
                   StaticBinding<families::StaticResidual::kronecker, mhc::Kronecker>,
                   StaticBinding<families::StaticResidual::identity, mhc::IdentityResidual>,
                   StaticBinding<families::StaticResidual::affine, mhc::AffineResidual>>;
struct Names {
  template <class Binding>
  static std::string GetName(int i) {
    return std::to_string(i);
  }
};
TYPED_TEST_SUITE(Families, Bindings, Names);

TYPED_TEST(Families, ForwardMatchesTheTranscript) {
  Model<TypeParam, double> model;
  EXPECT_LE(difference(Library<TypeParam>(model).forward(), model.forward()), tolerance);
}

TYPED_TEST(Families, TransposedMatrixIsDetected) {
  using Residual = typename TypeParam::Connection::Residual;
  constexpr bool symmetric =
      std::is_same_v<Residual, mhc::Kronecker> || std::is_same_v<Residual, mhc::IdentityResidual>;
  Model<TypeParam, double> model;
  const double error = difference(Library<TypeParam>(model).forward(), model.forward(true));
  if (symmetric) {
    EXPECT_LE(error, tolerance);
  } else {
    EXPECT_GE(error, 1e-3);
  }
}

TYPED_TEST(Families, GradientsMatchInTheCheckpointsTensors) {
  Model<TypeParam, double> model;
  Library<TypeParam> library(model);
  library.forward();
  Model<TypeParam, double> gradients = library.backward();
  Model<TypeParam, Complex> oracle;
  const auto loss = [&] { return oracle.loss(); };
  auto ours = gradients.tensors();
  auto theirs = oracle.tensors();
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t k = 0; k < ours.size(); ++k) {
    if (ours[k].values->size() == 0) continue;
    const Tensor<double> expected = families::complex_step(*theirs[k].values, loss);
    EXPECT_GT(norm(expected), 1e-6) << ours[k].name;
    EXPECT_LE(difference(*ours[k].values, expected), tolerance) << ours[k].name;
  }
}

}  // namespace
