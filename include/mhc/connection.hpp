// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/element.hpp>
#include <mhc/residual_mapping.hpp>

MHC_NAMESPACE_BEGIN

// The kinds of site. A connection defines the shapes of its parameters (Shape) and its Options. It
// is the last template argument of Block, Parameters and Saved. It consists of
//
//   a source      what a token's logits depend on: FromToken, FromStreams or Static
//   a residual    the policy that maps logits to H_res: residual_mapping.hpp

/// One norm over all n C values of a token, which are projected by phi (n C, R).
struct FromToken {
  template <int N>
  static constexpr int groups = 1;
};

/// A norm for each stream; each stream is projected by the same phi (C, 2 + L / n) and gives its
/// own coefficients.
struct FromStreams {
  template <int N>
  static constexpr int groups = N;
};

/// Only biases, the same for every token: no phi, no alpha, no norm.
struct Static {
  template <int N>
  static constexpr int groups = 0;
};

/// Where eps enters the inverse root mean square of a token's values.
enum class NormEps {
  in_root,    ///< 1 / sqrt(mean(x^2) + eps)
  on_root,    ///< 1 / (sqrt(mean(x^2)) + eps): Megatron-LM
  least_root  ///< 1 / max(sqrt(mean(x^2)), eps): torch's normalize
};

namespace detail {

/// The numbers of parameters of a site with pre, post and res.
template <int N, class Residual, class Source>
struct SiteShape {
  static constexpr int res_rows = Residual::template rows<N>;  ///< of the bias of H_res
  static constexpr int res_cols = Residual::template cols<N>;
  static constexpr int groups = Source::template groups<N>;   ///< norms per token
  static constexpr int logits = 2 * N + res_rows * res_cols;  ///< b: pre n, post n, then res
  /// Columns of phi: the coefficients of one group, for pre, post and res.
  static constexpr int projections = groups > 0 ? logits / (groups > 0 ? groups : 1) : 0;
  /// alpha: pre, post, res.
  static constexpr int gates = groups == 0 ? 0 : res_rows > 0 ? 3 : 2;
  static constexpr bool merges = true;  ///< it has post and res in addition to pre
  static_assert(groups <= 1 || res_rows == 0 || (res_rows == N && res_cols == N),
                "mhc: FromStreams needs a residual mapping with n logits for each stream");
};

}  // namespace detail

/// Manifold-constrained hyper-connections, arXiv:2512.24880: sigmoid gates, and an H_res that the
/// residual policy makes doubly stochastic.
template <class ResidualPolicy, class LogitSource = FromToken>
struct Constrained {
  using Residual = ResidualPolicy;
  using Source = LogitSource;

  /// The options of a site; the defaults are the paper's.
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

/// mHC as in the paper and in DeepSeek-V4.
using ManifoldConstrained = Constrained<SinkhornKnopp>;

/// The original hyper-connections, arXiv:2409.19606 and eq. (5) of arXiv:2512.24880: tanh gates and
/// an unconstrained H_res.
template <class LogitSource>
struct Unconstrained {
  using Residual = AffineResidual;
  using Source = LogitSource;

  /// The options of a site; the defaults are the paper's.
  struct Options {
    double norm_eps = 1e-20;  ///< >= 0
    NormEps norm = NormEps::in_root;
  };

  template <int N>
  using Shape = detail::SiteShape<N, Residual, Source>;
};

/// HC as in the paper: each stream is normalised and projected separately.
using HyperConnections = Unconstrained<FromStreams>;

/// The ordinary residual, x' = x + F(mean of the streams): pre = 1/n, post = 1, H_res = I (the
/// paper's ablation uses these for a disabled mapping). It has no parameters.
struct OrdinaryResidual {
  struct Options {};

  /// The numbers of parameters of a site.
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

/// The learned collapse after the last layer (head.hpp): only pre, and nothing is merged back.
struct LearnedCollapse {
  /// The options of a head; the defaults are the paper's.
  struct Options {
    double norm_eps = 1e-20;  ///< >= 0
    double pre_eps = 0.0;     ///< pre = sigmoid(.) + pre_eps
    NormEps norm = NormEps::in_root;
    bool normalize_pre = false;  ///< pre /= max(sum of pre, 1e-30), openPangu's renorm
  };

  /// The numbers of parameters of a head.
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
