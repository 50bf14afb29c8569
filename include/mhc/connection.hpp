// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/element.hpp>
#include <mhc/residual_mapping.hpp>

MHC_NAMESPACE_BEGIN

// How a site may be connected to its streams. A connection says what its parameters look like
// (Shape) and which numbers it takes (Options); every Block, Parameters and Saved has one as its
// last template argument, so that a model switches between them by one word. It is made of
//
//   a source      where a token's logits come from: FromToken, FromStreams or Static
//   a residual    from logits to H_res: residual_mapping.hpp

/// One norm over all n C values of a token, which meet phi (n C, R).
struct FromToken {
  template <int N>
  static constexpr int groups = 1;
};

/// A norm for each stream, each of which meets the same phi (C, 2 + L / n) for its own
/// coefficients.
struct FromStreams {
  template <int N>
  static constexpr int groups = N;
};

/// The biases alone, the same for every token: no phi, no alpha, no norm.
struct Static {
  template <int N>
  static constexpr int groups = 0;
};

/// Where eps stands in the inverse root mean square of a token's values.
enum class NormEps {
  in_root,    ///< 1 / sqrt(mean(x^2) + eps)
  on_root,    ///< 1 / (sqrt(mean(x^2)) + eps): Megatron-LM
  least_root  ///< 1 / max(sqrt(mean(x^2)), eps): torch's normalize
};

namespace detail {

/// How many parameters of each kind a site with pre, post and res has.
template <int N, class Residual, class Source>
struct SiteShape {
  static constexpr int res_rows = Residual::template rows<N>;  ///< the bias of H_res
  static constexpr int res_cols = Residual::template cols<N>;
  static constexpr int groups = Source::template groups<N>;   ///< norms per token
  static constexpr int logits = 2 * N + res_rows * res_cols;  ///< b: pre n, post n, then res
  /// Columns of phi: a group's share of pre, post and res.
  static constexpr int projections = groups > 0 ? logits / (groups > 0 ? groups : 1) : 0;
  /// alpha: pre, post, res.
  static constexpr int gates = groups == 0 ? 0 : res_rows > 0 ? 3 : 2;
  static constexpr bool merges = true;  ///< it has post and res beside pre
  static_assert(groups <= 1 || res_rows == 0 || (res_rows == N && res_cols == N),
                "mhc: FromStreams needs a residual mapping with n logits for each stream");
};

}  // namespace detail

/// Manifold-constrained hyper-connections, arXiv:2512.24880: sigmoid gates and an H_res that the
/// residual policy keeps doubly stochastic.
template <class ResidualPolicy, class LogitSource = FromToken>
struct Constrained {
  using Residual = ResidualPolicy;
  using Source = LogitSource;

  /// The numbers of a site: the paper's, unless they are set.
  struct Options {
    double norm_eps = 1e-20;  ///< >= 0
    double pre_eps = 0.0;     ///< pre = sigmoid(.) + pre_eps
    double post_scale = 2.0;  ///< post = post_scale * sigmoid(.) + post_eps
    double post_eps = 0.0;
    typename Residual::Options residual{};
    NormEps norm = NormEps::in_root;
    bool normalize_pre = false;  ///< pre /= max(sum of pre, 1e-30), openPangu's renorm
  };

  template <int N>
  using Shape = detail::SiteShape<N, Residual, Source>;
};

/// mHC as in its paper and in DeepSeek-V4.
using ManifoldConstrained = Constrained<SinkhornKnopp>;

/// The original hyper-connections, arXiv:2409.19606 and eq. (5) of arXiv:2512.24880: tanh and an
/// unconstrained H_res; each stream is normalised and projected on its own.
template <class LogitSource>
struct Unconstrained {
  using Residual = AffineResidual;
  using Source = LogitSource;

  /// The numbers of a site: the paper's, unless they are set.
  struct Options {
    double norm_eps = 1e-20;  ///< >= 0
    NormEps norm = NormEps::in_root;
  };

  template <int N>
  using Shape = detail::SiteShape<N, Residual, Source>;
};

/// HC as in its paper: each stream is normalised and projected on its own.
using HyperConnections = Unconstrained<FromStreams>;

/// The ordinary residual, x' = x + F(mean of the streams): pre = 1/n, post = 1, H_res = I (what the
/// paper's ablation puts for a disabled map). It has no parameters.
struct OrdinaryResidual {
  struct Options {};

  /// How many parameters of each kind a site has.
  template <int N>
  struct Shape {
    static constexpr int res_rows = 0;
    static constexpr int res_cols = 0;
    static constexpr int groups = 0;
    static constexpr int projections = 0;
    static constexpr int gates = 0;
    static constexpr int logits = 0;
    static constexpr bool merges = true;
  };
};

/// The learned collapse at the end of the streams (head.hpp): pre alone, nothing is merged back.
struct LearnedCollapse {
  /// The numbers of a site: the paper's, unless they are set.
  struct Options {
    double norm_eps = 1e-20;  ///< >= 0
    double pre_eps = 0.0;     ///< pre = sigmoid(.) + pre_eps
    NormEps norm = NormEps::in_root;
    bool normalize_pre = false;  ///< pre /= max(sum of pre, 1e-30), openPangu's renorm
  };

  /// How many parameters of each kind a site has.
  template <int N>
  struct Shape {
    static constexpr int res_rows = 0;
    static constexpr int res_cols = 0;
    static constexpr int groups = 1;
    static constexpr int projections = N;
    static constexpr int gates = 1;
    static constexpr int logits = N;
    static constexpr bool merges = false;
  };
};

MHC_NAMESPACE_END
