// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/element.hpp>

MHC_NAMESPACE_BEGIN

// The three ways in which a site may be connected to its streams. A policy says what its parameters
// look like (Shape) and which numbers it takes (Options); every Block, Parameters and Saved has one
// as its last template argument, so that a model switches between them by one word.

/// Which axis of H_res a Sinkhorn-Knopp iteration normalises first; the other one comes last and is
/// the exact one. Axes are those of H_res[out, in]: `columns` normalises over out for each in.
enum class Axis { columns, rows };

/// Options of the Sinkhorn-Knopp projection, see sinkhorn_knopp.hpp.
struct SinkhornKnoppOptions {
  int iterations = 20;       ///< >= 1; one iteration normalises both axes
  double start_eps = 0.0;    ///< >= 0; added to every entry after the first half step
  double divisor_eps = 0.0;  ///< >= 0; added to every later divisor
  Axis first = Axis::columns;
};

/// Manifold-constrained hyper-connections, arXiv:2512.24880: sigmoid gates and a doubly stochastic
/// H_res, projected from the root-mean-square normalised n C values of a token.
struct ManifoldConstrained {
  struct Options {
    double norm_eps = 1e-20;  ///< >= 0; r = 1 / sqrt(mean(x^2) + norm_eps)
    double pre_eps = 0.0;     ///< pre = sigmoid(.) + pre_eps
    double post_scale = 2.0;  ///< post = post_scale * sigmoid(.) + post_eps
    double post_eps = 0.0;
    SinkhornKnoppOptions sinkhorn{};

    /// The paper's text and tables: no eps but in the norm (1e-20, table 5), 20 iterations.
    static Options paper() { return {}; }

    /// DeepSeek-V4: rms_norm_eps = hc_eps = 1e-6 in the norm, on pre and in Sinkhorn-Knopp.
    static Options deepseek_v4() { return {1e-6, 1e-6, 2.0, 0.0, {20, 1e-6, 1e-6, Axis::columns}}; }
  };

  template <int N>
  struct Shape {
    static constexpr int groups = 1;                 ///< norms per token
    static constexpr int projections = N * (N + 2);  ///< columns of phi: pre n, post n, res n*n
    static constexpr int gates = 3;                  ///< alpha: pre, post, res
    static constexpr int logits = N * (N + 2);       ///< b
    static constexpr bool merges = true;             ///< it has post and res beside pre
  };
};

/// The original hyper-connections as written in arXiv:2512.24880, eq. (5): tanh, an unconstrained
/// H_res, and each stream normalised and projected on its own.
struct HyperConnections {
  struct Options {
    double norm_eps = 1e-20;  ///< >= 0; r_j = 1 / sqrt(mean(x_j^2) + norm_eps)
  };

  template <int N>
  struct Shape {
    static constexpr int groups = N;           ///< each stream has its norm
    static constexpr int projections = N + 2;  ///< columns of phi: pre 1, post 1, res n
    static constexpr int gates = 3;
    static constexpr int logits = N * (N + 2);
    static constexpr bool merges = true;
  };
};

/// The ordinary residual, x' = x + F(mean of the streams): pre = 1/n, post = 1, H_res = I (what the
/// paper's ablation puts for a disabled map). It has no parameters.
struct OrdinaryResidual {
  struct Options {};

  template <int N>
  struct Shape {
    static constexpr int groups = 0;
    static constexpr int projections = 0;
    static constexpr int gates = 0;
    static constexpr int logits = 0;
    static constexpr bool merges = true;
  };
};

/// The learned collapse at the end of the streams (head.hpp): pre alone, nothing is merged back.
struct LearnedCollapse {
  struct Options {
    double norm_eps = 1e-20;  ///< >= 0; r = 1 / sqrt(mean(x^2) + norm_eps)
    double pre_eps = 0.0;     ///< pre = sigmoid(.) + pre_eps

    /// DeepSeek-V4's hc_head.
    static Options deepseek_v4() { return {1e-6, 1e-6}; }
  };

  template <int N>
  struct Shape {
    static constexpr int groups = 1;
    static constexpr int projections = N;
    static constexpr int gates = 1;
    static constexpr int logits = N;
    static constexpr bool merges = false;
  };
};

MHC_NAMESPACE_END
