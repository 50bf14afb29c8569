// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include <mhc/host_device.hpp>
#include <mhc/version.hpp>

MHC_NAMESPACE_BEGIN

// Policies that map logits to H_res. A policy defines the number of logits (rows x cols of their
// bias) and its Options. All but AffineResidual give a doubly stochastic matrix, SinkhornKnopp
// approximately, depending on its iterations.
//
// `transposed<N>(l)` is the index of the logit that corresponds to logit l if H_res is stored
// transposed, as comb[src, dst]; the loaders use it (stored_layout.hpp).

/// The axis of H_res that a Sinkhorn-Knopp iteration normalises first. The other axis comes last
/// and sums to one exactly. Axes are those of H_res[out, in]: `columns` normalises over out for
/// each in.
enum class Axis { columns, rows };

/// How eps enters a divisor: s + eps, or max(s, eps).
enum class Divisor { plus_eps, at_least_eps };

/// The gradient of Sinkhorn-Knopp: `unrolled` differentiates the iterations, exactly for any number
/// of them; `implicit` is the gradient of their limit. The two agree only if the iterations have
/// converged, which `marginal_error` (diagnostics.hpp) of H_res measures.
enum class Gradient { unrolled, implicit };

/// Options of the Sinkhorn-Knopp projection; see sinkhorn_knopp.hpp.
struct SinkhornKnoppOptions {
  int iterations = 20;       ///< >= 1; one iteration normalises both axes
  double start_eps = 0.0;    ///< >= 0; added to every entry after the first half step
  double divisor_eps = 0.0;  ///< >= 0; in every divisor but the first, see Divisor
  Axis first = Axis::columns;
  Divisor divisor = Divisor::plus_eps;
  Gradient gradient = Gradient::unrolled;
};

namespace detail {

MHC_HOST_DEVICE constexpr int factorial(int n) {
  return n > 1 ? n * factorial(n - 1) : 1;
}

MHC_HOST_DEVICE constexpr int log2_of(int n) {
  return n > 1 ? 1 + log2_of(n / 2) : 0;
}

template <int N>
MHC_HOST_DEVICE constexpr int permutations() {
  static_assert(N <= 5, "mhc::PermutationSoftmax: n! logits are for n <= 5");
  return factorial(N);
}

template <int N>
MHC_HOST_DEVICE constexpr int kronecker_factors() {
  static_assert((N & (N - 1)) == 0, "mhc::Kronecker: n must be a power of two");
  return log2_of(N);
}

/// One logit for each entry of H_res, out-major; stored transposed, (i, j) -> (j, i).
struct SquareLogits {
  template <int N>
  static constexpr int rows = N;
  template <int N>
  static constexpr int cols = N;
  template <int N>
  static constexpr int transposed(int logit) {
    return logit % N * N + logit / N;
  }
};

/// The permutation i -> to[i] of 0 .. n-1 with number r in lexicographic order; the identity is 0.
template <int N>
struct Permutation {
  int to[std::size_t{N}] = {};

  MHC_HOST_DEVICE constexpr explicit Permutation(int r) {
    bool used[std::size_t{N}] = {};
    for (int i = 0; i < N; ++i) {
      const int block = factorial(N - 1 - i);
      int skip = r / block;
      r %= block;
      int value = 0;
      while (used[value] || skip > 0) skip -= used[value++] ? 0 : 1;
      used[value] = true;
      to[i] = value;
    }
  }

  constexpr int number() const {
    int r = 0;
    for (int i = 0; i < N; ++i) {
      int smaller = 0;
      for (int j = i + 1; j < N; ++j) smaller += to[j] < to[i] ? 1 : 0;
      r += smaller * factorial(N - 1 - i);
    }
    return r;
  }

  constexpr Permutation inverse() const {
    Permutation result(0);
    for (int i = 0; i < N; ++i) result.to[to[i]] = i;
    return result;
  }
};

}  // namespace detail

/// mHC: Sinkhorn-Knopp iterations on n x n logits. Source: arXiv:2512.24880, eq. (9).
struct SinkhornKnopp : detail::SquareLogits {
  using Options = SinkhornKnoppOptions;
};

/// The limit of Sinkhorn-Knopp without eps: the unique doubly stochastic matrix diag(a) exp(L)
/// diag(b), computed by Newton's method on the dual, with the implicit gradient, which is exact
/// here. Source of the problem and its dual: arXiv:2606.07574.
struct BirkhoffProjection : detail::SquareLogits {
  /// The stopping criterion of Newton's method.
  struct Options {
    double tolerance = 1e-14;  ///< in (0, 0.1]: the largest error of a column sum
  };
};

/// mHC-lite: H_res = sum_r softmax(logits)_r P_r over all n! permutations in lexicographic order,
/// with P_r[i, perm_r(i)] = 1 in H_res[out, in]. If H_res is stored as [src, dst], a logit belongs
/// to the inverse permutation. Doubly stochastic to rounding. n <= 5. Source: arXiv:2601.05732.
struct PermutationSoftmax {
  struct Options {};
  template <int N>
  static constexpr int rows = 1;
  template <int N>
  static constexpr int cols = detail::permutations<N>();
  template <int N>
  static constexpr int transposed(int logit) {
    return detail::Permutation<N>(logit).inverse().number();
  }
};

/// KromHC: H_res = U_1 (x) U_2 (x) ..., with a 2 x 2 factor [[p, 1 - p], [1 - p, p]] for each bit
/// of a stream's index, highest bit first, and p = softmax of the factor's two logits. n = 2^k.
/// H_res is symmetric. Source: arXiv:2601.21579.
struct Kronecker {
  struct Options {};
  template <int N>
  static constexpr int rows = detail::kronecker_factors<N>();
  template <int N>
  static constexpr int cols = 2;
  template <int N>
  static constexpr int transposed(int logit) {
    return logit;
  }
};

/// iHC: H_res = I, without logits; the streams interact only through pre and post. Source: Tencent
/// Hy4.
struct IdentityResidual {
  struct Options {};
  template <int N>
  static constexpr int rows = 0;
  template <int N>
  static constexpr int cols = 0;
  template <int N>
  static constexpr int transposed(int logit) {
    return logit;
  }
};

/// HC: H_res is the logits themselves, unconstrained. Source: arXiv:2409.19606.
struct AffineResidual : detail::SquareLogits {
  struct Options {};
};

MHC_NAMESPACE_END
