// SPDX-License-Identifier: MIT
// Part of kernels.hpp: Sinkhorn-Knopp with one matrix per lane, in scaling form.
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
constexpr int side_by_side() {
  for (int block = 8; block > 1; --block) {
    if (N % block == 0) return block;
  }
  return 1;
}

/// Y_ij = u_i M_ij v_j, all lanes at once: for logits whose first row sums do not vanish.
template <int N, class V>
struct ScalingDomain {
  using S = NumberOf<V>;
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

  MHC_INLINE static Factor neutral() { return {V(S(1)), V(S(1))}; }
  MHC_INLINE static Factor of_reciprocal(const V& sum) { return {V(S(1)) / sum, sum}; }
  MHC_INLINE V entry(int i, int j, const V& u, const V& v) const { return u * m[i][j] * v; }

  /// u, the factors of rows, from v.
  void scale_rows(const V& eps, const Factor* v, Factor* u) const {
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
  void scale_columns(const V& eps, const Factor* u, Factor* v) const {
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
  void start_backward(const Scales& last, V (&g)[N][N]) const {
    MHC_UNROLL_4
    for (int i = 0; i < N; ++i) {
      MHC_UNROLL
      for (int j = 0; j < N; ++j) g[i][j] = g[i][j] * (last.u[i] * last.v[j]);
    }
  }
  void rows_backward(const V* u, const V* v, V (&g)[N][N]) const {
    MHC_UNROLL_4
    for (int i = 0; i < N; ++i) {
      V total = m[i][0] * g[i][0];
      MHC_UNROLL
      for (int j = 1; j < N; ++j) total = mul_add(m[i][j], g[i][j], total);
      const V step = V(S(0)) - u[i] * total;
      MHC_UNROLL
      for (int j = 0; j < N; ++j) g[i][j] = mul_add(step, v[j], g[i][j]);
    }
  }
  void columns_backward(const V* u, const V* v, V (&g)[N][N]) const {
    MHC_UNROLL_4
    for (int j = 0; j < N; ++j) {
      V total = m[0][j] * g[0][j];
      MHC_UNROLL
      for (int i = 1; i < N; ++i) total = mul_add(m[i][j], g[i][j], total);
      const V step = V(S(0)) - v[j] * total;
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

  static Factor neutral() { return {0.0}; }
  double entry(int i, int j, double u, double v) const { return std::exp(m[i][j] + u + v); }

  void scale_rows(double eps, const Factor* v, Factor* u) const {
    for (int i = 0; i < N; ++i) {
      double terms[N];
      for (int j = 0; j < N; ++j) terms[j] = m[i][j] + v[j].value;
      u[i] = next(u[i], log_sum_exp(terms), eps);
    }
  }
  void scale_columns(double eps, const Factor* u, Factor* v) const {
    for (int j = 0; j < N; ++j) {
      double terms[N];
      for (int i = 0; i < N; ++i) terms[i] = m[i][j] + u[i].value;
      v[j] = next(v[j], log_sum_exp(terms), eps);
    }
  }

  void start_backward(const Scales& last, double (&g)[N][N]) const {
    for (int i = 0; i < N; ++i) {
      for (int j = 0; j < N; ++j) g[i][j] *= entry(i, j, last.u[i], last.v[j]);
    }
  }
  void rows_backward(const double* u, const double* v, double (&g)[N][N]) const {
    for (int i = 0; i < N; ++i) {
      double total = 0.0;
      for (int j = 0; j < N; ++j) total += g[i][j];
      for (int j = 0; j < N; ++j) g[i][j] -= entry(i, j, u[i], v[j]) * total;
    }
  }
  void columns_backward(const double* u, const double* v, double (&g)[N][N]) const {
    for (int j = 0; j < N; ++j) {
      double total = 0.0;
      for (int i = 0; i < N; ++i) total += g[i][j];
      for (int i = 0; i < N; ++i) g[i][j] -= entry(i, j, u[i], v[j]) * total;
    }
  }

  static Factor next(const Factor& scale, double sum, double eps) {
    if (!(eps > 0.0)) return {-sum};
    return {scale.value - std::log(std::exp(scale.value + sum) + eps)};
  }
  static double log_sum_exp(const double* terms) {
    double most = terms[0];
    for (int i = 1; i < N; ++i) most = terms[i] > most ? terms[i] : most;
    double sum = 0.0;
    for (int i = 0; i < N; ++i) sum += std::exp(terms[i] - most);
    return most + std::log(sum);
  }
};

/// The scale factors of one iteration, as the next one needs them.
template <int N, class Domain>
struct Factors {
  typename Domain::Factor u[N];
  typename Domain::Factor v[N];
};

/// After iteration 1, whose column half is in M already.
template <int N, class Domain, class Value>
inline void first_iteration(const Domain& domain, const Value& eps, Factors<N, Domain>& factors) {
  for (int i = 0; i < N; ++i) factors.u[i] = factors.v[i] = Domain::neutral();
  domain.scale_rows(eps, factors.v, factors.u);
}

template <int N, class Domain, class Value>
MHC_INLINE void next_iteration(const Domain& domain, const Value& eps,
                               Factors<N, Domain>& factors) {
  domain.scale_columns(eps, factors.u, factors.v);
  domain.scale_rows(eps, factors.v, factors.u);
}

template <int N, class Domain, class Value>
inline void iterate(const Domain& domain, int iterations, const Value& eps, Value (&y)[N][N]) {
  Factors<N, Domain> factors;
  first_iteration<N>(domain, eps, factors);
  for (int t = 1; t < iterations; ++t) next_iteration<N>(domain, eps, factors);
  MHC_UNROLL_4
  for (int i = 0; i < N; ++i) {
    MHC_UNROLL
    for (int j = 0; j < N; ++j) {
      y[i][j] = domain.entry(i, j, factors.u[i].value, factors.v[j].value);
    }
  }
}

/// g: in dL/dY, out the domain's gradient of M. The factors of up to `segment` iterations are kept
/// (at most 32 KiB on the stack); more iterations are walked in segments from the last to the
/// first, each of which starts over from iteration 1.
template <int N, class Domain, class Value>
inline void iterate_backward(const Domain& domain, int iterations, const Value& eps,
                             Value (&g)[N][N]) {
  using Scales = typename Domain::Scales;
  constexpr int fits = 32768 / static_cast<int>(sizeof(Scales));
  constexpr int segment = fits < 4 ? 4 : fits;
  Scales kept[segment];
  Scales first_of_later;                       // of the segment that was walked before
  const decltype(Scales::v)* later = nullptr;  // the column factors of the iteration after
  for (int begin = (iterations - 1) / segment * segment; begin >= 0; begin -= segment) {
    const int length = iterations - begin < segment ? iterations - begin : segment;
    Factors<N, Domain> factors;
    first_iteration<N>(domain, eps, factors);
    for (int t = 0; t < begin + length; ++t) {
      if (t > 0) next_iteration<N>(domain, eps, factors);
      if (t < begin) continue;
      MHC_UNROLL
      for (int i = 0; i < N; ++i) {
        kept[t - begin].u[i] = factors.u[i].value;
        kept[t - begin].v[i] = factors.v[i].value;
      }
    }
    if (later == nullptr) domain.start_backward(kept[length - 1], g);
    // The first column half step is the softmax that made M.
    for (int t = length - 1; t >= 0; --t) {
      if (later != nullptr) domain.columns_backward(kept[t].u, *later, g);
      domain.rows_backward(kept[t].u, kept[t].v, g);
      later = &kept[t].v;
    }
    first_of_later = kept[0];
    later = &first_of_later.v;
  }
}

/// Below this a first row sum is left to the log domain: far above what underflows, far below what
/// trained logits give (a row would have to lose every column by 57 nats in float).
template <class S>
inline constexpr S smallest_row_sum = sizeof(S) == 4 ? S(1e-25) : S(1e-250);

/// Where entry (i, j) stands in memory: for Axis::rows everything happens on the transpose.
template <int N>
MHC_INLINE int entry_of(int i, int j, Axis first) {
  return first == Axis::columns ? i * N + j : j * N + i;
}

/// A matrix in the order of its axes, and back.
template <int N, class V>
MHC_INLINE void load_ordered(const V* from, Axis first, V (&to)[N][N]) {
  MHC_UNROLL_4
  for (int i = 0; i < N; ++i) {
    MHC_UNROLL
    for (int j = 0; j < N; ++j) to[i][j] = from[entry_of<N>(i, j, first)];
  }
}

template <int N, class V>
MHC_INLINE void store_ordered(const V (&from)[N][N], Axis first, V* to) {
  MHC_UNROLL_4
  for (int i = 0; i < N; ++i) {
    MHC_UNROLL
    for (int j = 0; j < N; ++j) to[entry_of<N>(i, j, first)] = from[i][j];
  }
}

/// p: in logits, out their softmax over each column.
template <int N, class V>
inline void column_softmax(V (&p)[N][N]) {
  using S = NumberOf<V>;
  for (int j = 0; j < N; ++j) {
    V most = p[0][j];
    MHC_UNROLL
    for (int i = 1; i < N; ++i) most = max(most, p[i][j]);
    V total = V(S(0));
    MHC_UNROLL
    for (int i = 0; i < N; ++i) {
      p[i][j] = exp(p[i][j] - most);
      total = total + p[i][j];
    }
    const V scale = V(S(1)) / total;
    MHC_UNROLL
    for (int i = 0; i < N; ++i) p[i][j] = p[i][j] * scale;
  }
}

/// log p and log m of the matrix in `lane`, without underflow.
template <int N, class V>
inline void log_column_softmax(const V* logits, const SinkhornKnoppOptions& options, int lane,
                               double (&log_p)[N][N], double (&log_m)[N][N]) {
  for (int j = 0; j < N; ++j) {
    double column[N];
    for (int i = 0; i < N; ++i) {
      column[i] = static_cast<double>(logits[entry_of<N>(i, j, options.first)][lane]);
    }
    const double total = LogDomain<N>::log_sum_exp(column);
    for (int i = 0; i < N; ++i) {
      log_p[i][j] = column[i] - total;
      log_m[i][j] = options.start_eps > 0.0 ? std::log(std::exp(log_p[i][j]) + options.start_eps)
                                            : log_p[i][j];
    }
  }
}

/// The smallest row sum of each lane's M; not a number if a logit is none, since then a whole
/// column of M is none.
template <int N, class V>
inline V least_row_sum(const ScalingDomain<N, V>& domain) {
  V least;
  for (int i = 0; i < N; ++i) {
    V total = domain.m[i][0];
    for (int j = 1; j < N; ++j) total = total + domain.m[i][j];
    least = i == 0 ? total : min(total, least);
  }
  return least;
}

/// res = SinkhornKnopp(logits), a matrix per lane. `res` may be `logits`.
template <int N, class V>
inline void sinkhorn_knopp(const V* logits, const SinkhornKnoppOptions& options, V* res) {
  using S = NumberOf<V>;
  const S start_eps = static_cast<S>(options.start_eps);
  const S divisor_eps = static_cast<S>(options.divisor_eps);
  ScalingDomain<N, V> domain;
  load_ordered<N>(logits, options.first, domain.m);
  column_softmax<N>(domain.m);
  MHC_UNROLL_4
  for (int i = 0; i < N; ++i) {
    MHC_UNROLL
    for (int j = 0; j < N; ++j) domain.m[i][j] = domain.m[i][j] + V(start_eps);
  }
  V y[N][N];
  iterate<N>(domain, options.iterations, V(divisor_eps), y);
  const V least = least_row_sum(domain);
  for (int lane = 0; lane < V::size; ++lane) {
    if (least[lane] >= smallest_row_sum<S>) continue;
    double log_p[N][N];
    double z[N][N];
    LogDomain<N> log_domain;
    log_column_softmax<N>(logits, options, lane, log_p, log_domain.m);
    iterate<N>(log_domain, options.iterations, options.divisor_eps, z);
    for (int i = 0; i < N; ++i) {
      for (int j = 0; j < N; ++j) y[i][j].set(lane, static_cast<S>(z[i][j]));
    }
  }
  store_ordered<N>(y, options.first, res);
}

/// g: in the gradient of log p, out that of the logits: g_ij - p_ij sum_i g_ij.
template <int N, class Value>
inline void column_softmax_backward(const Value (&p)[N][N], Value (&g)[N][N]) {
  for (int j = 0; j < N; ++j) {
    Value total = g[0][j];
    for (int i = 1; i < N; ++i) total = total + g[i][j];
    for (int i = 0; i < N; ++i) g[i][j] = g[i][j] - p[i][j] * total;
  }
}

/// dlogits from dres, through every iteration. `dlogits` may be `dres`.
template <int N, class V>
inline void sinkhorn_knopp_backward(const V* logits, const SinkhornKnoppOptions& options,
                                    const V* dres, V* dlogits) {
  using S = NumberOf<V>;
  const S start_eps = static_cast<S>(options.start_eps);
  const S divisor_eps = static_cast<S>(options.divisor_eps);
  const Axis first = options.first;
  V p[N][N];
  ScalingDomain<N, V> domain;
  V g[N][N];
  load_ordered<N>(logits, first, p);
  load_ordered<N>(dres, first, g);
  column_softmax<N>(p);
  MHC_UNROLL_4
  for (int i = 0; i < N; ++i) {
    MHC_UNROLL
    for (int j = 0; j < N; ++j) domain.m[i][j] = p[i][j] + V(start_eps);
  }
  iterate_backward<N>(domain, options.iterations, V(divisor_eps), g);
  MHC_UNROLL_4
  for (int i = 0; i < N; ++i) {
    MHC_UNROLL
    for (int j = 0; j < N; ++j) g[i][j] = g[i][j] * p[i][j];  // M = p + eps: of log p
  }
  column_softmax_backward<N>(p, g);
  const V least = least_row_sum(domain);
  for (int lane = 0; lane < V::size; ++lane) {
    if (least[lane] >= smallest_row_sum<S>) continue;
    double log_p[N][N];
    LogDomain<N> log_domain;
    double h[N][N];
    log_column_softmax<N>(logits, options, lane, log_p, log_domain.m);
    for (int i = 0; i < N; ++i) {
      for (int j = 0; j < N; ++j) {
        h[i][j] = static_cast<double>(dres[entry_of<N>(i, j, first)][lane]);
      }
    }
    iterate_backward<N>(log_domain, options.iterations, options.divisor_eps, h);
    for (int i = 0; i < N; ++i) {
      for (int j = 0; j < N; ++j) {
        h[i][j] *= std::exp(log_p[i][j] - log_domain.m[i][j]);
        log_p[i][j] = std::exp(log_p[i][j]);
      }
    }
    column_softmax_backward<N>(log_p, h);
    for (int i = 0; i < N; ++i) {
      for (int j = 0; j < N; ++j) g[i][j].set(lane, static_cast<S>(h[i][j]));
    }
  }
  store_ordered<N>(g, first, dlogits);
}

/// How many matrices to take at once: from n = 5 on a matrix has enough sums to keep busy with.
template <int N, class S>
using Matrices = std::conditional_t<(N <= 4), Pair<S>, Pack<S>>;

/// V::size matrices from t0 of a view (count, n, n), one per lane, and back. Missing lanes repeat
/// the last.
template <int N, class V, class S>
MHC_INLINE void load_matrices(const StreamView<const S>& from, index t0, int count, V* to) {
  if (from.stream_stride == N) {
    gather(from.row(t0, 0), from.token_stride, count, N * N, to);
  } else {
    for (int i = 0; i < N; ++i) gather(from.row(t0, i), from.token_stride, count, N, to + i * N);
  }
}

template <int N, class V, class S>
MHC_INLINE void store_matrices(const V* from, const StreamView<S>& to, index t0, int count) {
  if (to.stream_stride == N) {
    scatter(from, count, N * N, to.row(t0, 0), to.token_stride);
  } else {
    for (int i = 0; i < N; ++i) scatter(from + i * N, count, N, to.row(t0, i), to.token_stride);
  }
}

template <int N, class S>
inline void sinkhorn_knopp_batch(const StreamView<const S>& logits,
                                 const SinkhornKnoppOptions& options, const StreamView<S>& res,
                                 index begin, index end) {
  using V = Matrices<N, S>;
  V m[N * N];
  for (index t0 = begin; t0 < end; t0 += V::size) {
    const int count = static_cast<int>(std::min<index>(V::size, end - t0));
    load_matrices<N>(logits, t0, count, m);
    sinkhorn_knopp<N>(m, options, m);
    store_matrices<N>(m, res, t0, count);
  }
}

template <int N, class S>
inline void sinkhorn_knopp_backward_batch(const StreamView<const S>& logits,
                                          const SinkhornKnoppOptions& options,
                                          const StreamView<const S>& dres,
                                          const StreamView<S>& dlogits, index begin, index end) {
  using V = Matrices<N, S>;
  V m[N * N];
  V g[N * N];
  for (index t0 = begin; t0 < end; t0 += V::size) {
    const int count = static_cast<int>(std::min<index>(V::size, end - t0));
    load_matrices<N>(logits, t0, count, m);
    load_matrices<N>(dres, t0, count, g);
    sinkhorn_knopp_backward<N>(m, options, g, g);
    store_matrices<N>(g, dlogits, t0, count);
  }
}
