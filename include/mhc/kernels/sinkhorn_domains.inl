// SPDX-License-Identifier: MIT
// Part of kernels.hpp: what Sinkhorn-Knopp does to one matrix in a lane, in scaling form or, where
// that would underflow, in the log domain.
//
// After its first half step (the softmax over columns, plus start_eps) every iterate is
//
//   Y_ij = u_i M_ij v_j
//
// so an iteration only moves the 2n scale factors, here by their reciprocals:
//
//   u_i <- u_i / (u_i s_i + eps),  s_i = sum_j M_ij v_j     is     1/u_i <- s_i + eps / u_i
//
// and v alike. The backward needs the scale factors and nothing else: with G = dL/dM at fixed
// scales a half step over rows, eps or not, is G_ij <- G_ij - u_i v_j sum_j M_ij G_ij.

/// How many of n sums run side by side: 8 hide the latency of each.
template <int N>
MHC_DEVICE constexpr int side_by_side() {
  for (int block = 8; block > 1; --block) {
    if (N % block == 0) return block;
  }
  return 1;
}

/// Y_ij = u_i M_ij v_j, all lanes at once: for logits whose first row sums do not vanish.
template <int N, class V>
struct ScalingDomain {
  using Scalar = NumberOf<V>;
  struct Factor {
    V value;
    V reciprocal;
  };
  /// The scale factors of one iteration, for the backward.
  struct Scales {
    V u[N];
    V v[N];
  };
  V m[N][N];

  MHC_DEVICE MHC_INLINE static Factor neutral() { return {V(Scalar(1)), V(Scalar(1))}; }
  MHC_DEVICE MHC_INLINE static Factor of_reciprocal(const V& sum) {
    return {V(Scalar(1)) / sum, sum};
  }
  MHC_DEVICE MHC_INLINE V entry(int i, int j, const V& u, const V& v) const {
    return u * m[i][j] * v;
  }

  /// u, the factors of rows, from v.
  MHC_DEVICE void scale_rows(const V& eps, const Factor* v, Factor* u) const {
    constexpr int block = side_by_side<N>();
    for (int first = 0; first < N; first += block) {
      V sums[block];
      MHC_UNROLL
      for (int i = 0; i < block; ++i) sums[i] = eps * u[first + i].reciprocal;
      MHC_UNROLL_4
      for (int j = 0; j < N; ++j) {
        const V factor = v[j].value;
        MHC_UNROLL
        for (int i = 0; i < block; ++i) sums[i] = mul_add(m[first + i][j], factor, sums[i]);
      }
      MHC_UNROLL
      for (int i = 0; i < block; ++i) u[first + i] = of_reciprocal(sums[i]);
    }
  }

  /// v, the factors of columns, from u.
  MHC_DEVICE void scale_columns(const V& eps, const Factor* u, Factor* v) const {
    constexpr int block = side_by_side<N>();
    for (int first = 0; first < N; first += block) {
      V sums[block];
      MHC_UNROLL
      for (int j = 0; j < block; ++j) sums[j] = eps * v[first + j].reciprocal;
      MHC_UNROLL_4
      for (int i = 0; i < N; ++i) {
        const V factor = u[i].value;
        MHC_UNROLL
        for (int j = 0; j < block; ++j) sums[j] = mul_add(m[i][first + j], factor, sums[j]);
      }
      MHC_UNROLL
      for (int j = 0; j < block; ++j) v[first + j] = of_reciprocal(sums[j]);
    }
  }

  /// g: in dL/dY, out G.
  MHC_DEVICE void start_backward(const Scales& last, V (&g)[N][N]) const {
    MHC_UNROLL_4
    for (int i = 0; i < N; ++i) {
      MHC_UNROLL
      for (int j = 0; j < N; ++j) g[i][j] = g[i][j] * (last.u[i] * last.v[j]);
    }
  }
  MHC_DEVICE void rows_backward(const V* u, const V* v, V (&g)[N][N]) const {
    MHC_UNROLL_4
    for (int i = 0; i < N; ++i) {
      V total = m[i][0] * g[i][0];
      MHC_UNROLL
      for (int j = 1; j < N; ++j) total = mul_add(m[i][j], g[i][j], total);
      const V step = V(Scalar(0)) - u[i] * total;
      MHC_UNROLL
      for (int j = 0; j < N; ++j) g[i][j] = mul_add(step, v[j], g[i][j]);
    }
  }
  MHC_DEVICE void columns_backward(const V* u, const V* v, V (&g)[N][N]) const {
    MHC_UNROLL_4
    for (int j = 0; j < N; ++j) {
      V total = m[0][j] * g[0][j];
      MHC_UNROLL
      for (int i = 1; i < N; ++i) total = mul_add(m[i][j], g[i][j], total);
      const V step = V(Scalar(0)) - v[j] * total;
      MHC_UNROLL
      for (int i = 0; i < N; ++i) g[i][j] = mul_add(step, u[i], g[i][j]);
    }
  }
};

/// Y_ij = exp(log M_ij + u_i + v_j), one matrix: for logits so far apart that whole rows of M
/// would underflow. In double whatever the logits, so that 1e4 + log 1e-7 keeps its digits. G
/// would overflow: the backward goes by the log-gradients Y o dL/dY = M o G.
template <int N>
struct LogDomain {
  struct Factor {
    double value;
  };
  struct Scales {
    double u[N];
    double v[N];
  };
  double m[N][N];
  Divisor divisor = Divisor::plus_eps;

  MHC_DEVICE static Factor neutral() { return {0.0}; }
  MHC_DEVICE double entry(int i, int j, double u, double v) const {
    return std::exp(m[i][j] + u + v);
  }

  MHC_DEVICE void scale_rows(double eps, const Factor* v, Factor* u) const {
    for (int i = 0; i < N; ++i) {
      double terms[N];
      for (int j = 0; j < N; ++j) terms[j] = m[i][j] + v[j].value;
      u[i] = next(u[i], log_sum_exp(terms), eps);
    }
  }
  MHC_DEVICE void scale_columns(double eps, const Factor* u, Factor* v) const {
    for (int j = 0; j < N; ++j) {
      double terms[N];
      for (int i = 0; i < N; ++i) terms[i] = m[i][j] + u[i].value;
      v[j] = next(v[j], log_sum_exp(terms), eps);
    }
  }

  MHC_DEVICE void start_backward(const Scales& last, double (&g)[N][N]) const {
    for (int i = 0; i < N; ++i) {
      for (int j = 0; j < N; ++j) g[i][j] *= entry(i, j, last.u[i], last.v[j]);
    }
  }
  MHC_DEVICE void rows_backward(const double* u, const double* v, double (&g)[N][N]) const {
    for (int i = 0; i < N; ++i) {
      double total = 0.0;
      double sum = 0.0;
      for (int j = 0; j < N; ++j) {
        total += g[i][j];
        sum += entry(i, j, u[i], v[j]);
      }
      if (was_constant(sum)) continue;
      for (int j = 0; j < N; ++j) g[i][j] -= entry(i, j, u[i], v[j]) * total;
    }
  }
  MHC_DEVICE void columns_backward(const double* u, const double* v, double (&g)[N][N]) const {
    for (int j = 0; j < N; ++j) {
      double total = 0.0;
      double sum = 0.0;
      for (int i = 0; i < N; ++i) {
        total += g[i][j];
        sum += entry(i, j, u[i], v[j]);
      }
      if (was_constant(sum)) continue;
      for (int i = 0; i < N; ++i) g[i][j] -= entry(i, j, u[i], v[j]) * total;
    }
  }

  MHC_DEVICE Factor next(const Factor& scale, double sum, double eps) const {
    if (!(eps > 0.0)) return {-sum};
    if (divisor == Divisor::at_least_eps) {
      const double least = std::log(eps);
      return {scale.value + sum >= least ? -sum : scale.value - least};
    }
    return {scale.value - std::log(std::exp(scale.value + sum) + eps)};
  }
  /// max(s, eps) was eps: what was divided by it does not sum to one.
  MHC_DEVICE bool was_constant(double sum) const {
    return divisor == Divisor::at_least_eps && sum < 1.0 - 1e-12;
  }
  MHC_DEVICE static double log_sum_exp(const double* terms) {
    double most = terms[0];
    for (int i = 1; i < N; ++i) most = terms[i] > most ? terms[i] : most;
    double sum = 0.0;
    for (int i = 0; i < N; ++i) sum += std::exp(terms[i] - most);
    return most + std::log(sum);
  }
};
