// SPDX-License-Identifier: MIT
// Part of kernels.hpp: Sinkhorn-Knopp with one matrix per lane, forward and backward: the
// iterations of sinkhorn_domains.inl, the softmax that comes before them, and batches.

/// The scale factors of one iteration, as the next one needs them.
template <int N, class Domain>
struct Factors {
  typename Domain::Factor u[N];
  typename Domain::Factor v[N];
};

/// After iteration 1, whose column half is in M already.
template <int N, class Domain, class Value>
MHC_DEVICE inline void first_iteration(const Domain& domain, const Value& eps,
                                       Factors<N, Domain>& factors) {
  for (int i = 0; i < N; ++i) factors.u[i] = factors.v[i] = Domain::neutral();
  domain.scale_rows(eps, factors.v, factors.u);
}

template <int N, class Domain, class Value>
MHC_DEVICE MHC_INLINE void next_iteration(const Domain& domain, const Value& eps,
                                          Factors<N, Domain>& factors) {
  domain.scale_columns(eps, factors.u, factors.v);
  domain.scale_rows(eps, factors.v, factors.u);
}

template <int N, class Domain, class Value>
MHC_DEVICE inline void iterate(const Domain& domain, int iterations, const Value& eps,
                               Value (&y)[N][N]) {
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
MHC_DEVICE inline void iterate_backward(const Domain& domain, int iterations, const Value& eps,
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
template <class Scalar>
inline constexpr Scalar smallest_row_sum = sizeof(Scalar) == 4 ? Scalar(1e-25) : Scalar(1e-250);

/// Divisors max(s, eps) are s, but where a first row sum falls below eps: no later sum can be
/// less than 1/n if none of these was. So eps vanishes from the scaling form, and what is left out
/// of it, for either reason, is left to the log domain.
template <class Scalar>
MHC_DEVICE MHC_INLINE Scalar scaling_eps(const SinkhornKnoppOptions& options) {
  return options.divisor == Divisor::plus_eps ? static_cast<Scalar>(options.divisor_eps)
                                              : Scalar(0);
}

template <class Scalar>
MHC_DEVICE MHC_INLINE Scalar least_scaling_sum(const SinkhornKnoppOptions& options) {
  const Scalar eps = static_cast<Scalar>(options.divisor_eps);
  return options.divisor == Divisor::at_least_eps && eps > smallest_row_sum<Scalar>
             ? eps
             : smallest_row_sum<Scalar>;
}

/// Where entry (i, j) stands in memory: for Axis::rows everything happens on the transpose.
template <int N>
MHC_DEVICE MHC_INLINE int entry_of(int i, int j, Axis first) {
  return first == Axis::columns ? i * N + j : j * N + i;
}

/// A matrix in the order of its axes, and back.
template <int N, class V>
MHC_DEVICE MHC_INLINE void load_ordered(const V* from, Axis first, V (&to)[N][N]) {
  MHC_UNROLL_4
  for (int i = 0; i < N; ++i) {
    MHC_UNROLL
    for (int j = 0; j < N; ++j) to[i][j] = from[entry_of<N>(i, j, first)];
  }
}

template <int N, class V>
MHC_DEVICE MHC_INLINE void store_ordered(const V (&from)[N][N], Axis first, V* to) {
  MHC_UNROLL_4
  for (int i = 0; i < N; ++i) {
    MHC_UNROLL
    for (int j = 0; j < N; ++j) to[entry_of<N>(i, j, first)] = from[i][j];
  }
}

/// p: in logits, out their softmax over each column.
template <int N, class V>
MHC_DEVICE inline void column_softmax(V (&p)[N][N]) {
  using Scalar = NumberOf<V>;
  for (int j = 0; j < N; ++j) {
    V most = p[0][j];
    MHC_UNROLL
    for (int i = 1; i < N; ++i) most = larger(most, p[i][j]);
    V total = V(Scalar(0));
    MHC_UNROLL
    for (int i = 0; i < N; ++i) {
      p[i][j] = exp(p[i][j] - most);
      total = total + p[i][j];
    }
    const V scale = V(Scalar(1)) / total;
    MHC_UNROLL
    for (int i = 0; i < N; ++i) p[i][j] = p[i][j] * scale;
  }
}

/// The matrix in `lane`, in the order of its axes.
template <int N, class V>
MHC_DEVICE inline void load_lane(const V* from, Axis first, int lane, double (&to)[N][N]) {
  MHC_UNROLL_4
  for (int i = 0; i < N; ++i) {
    MHC_UNROLL
    for (int j = 0; j < N; ++j) {
      to[i][j] = static_cast<double>(from[entry_of<N>(i, j, first)][lane]);
    }
  }
}

/// log_p: in logits, out log p; and log m. Without underflow.
template <int N>
MHC_DEVICE inline void log_column_softmax(double start_eps, double (&log_p)[N][N],
                                          double (&log_m)[N][N]) {
  for (int j = 0; j < N; ++j) {
    double column[N];
    for (int i = 0; i < N; ++i) column[i] = log_p[i][j];
    const double total = LogDomain<N>::log_sum_exp(column);
    for (int i = 0; i < N; ++i) {
      log_p[i][j] = column[i] - total;
      log_m[i][j] = start_eps > 0.0 ? std::log(std::exp(log_p[i][j]) + start_eps) : log_p[i][j];
    }
  }
}

/// The smallest row sum of each lane's M; not a number if a logit is none, since then a whole
/// column of M is none.
template <int N, class V>
MHC_DEVICE inline V least_row_sum(const ScalingDomain<N, V>& domain) {
  V least;
  for (int i = 0; i < N; ++i) {
    V total = domain.m[i][0];
    for (int j = 1; j < N; ++j) total = total + domain.m[i][j];
    least = i == 0 ? total : smaller(total, least);
  }
  return least;
}

/// z: in logits in the order of the axes, out H_res, in the log domain.
template <int N>
MHC_DEVICE MHC_INLINE void sinkhorn_knopp_in_logs(const SinkhornKnoppOptions& options,
                                                  double (&z)[N][N]) {
  LogDomain<N> domain;
  domain.divisor = options.divisor;
  log_column_softmax<N>(options.start_eps, z, domain.m);
  iterate<N>(domain, options.iterations, options.divisor_eps, z);
}

/// res = SinkhornKnopp(logits), a matrix per lane. `res` may be `logits`.
template <int N, class V>
MHC_DEVICE inline void sinkhorn_knopp(const V* logits, const SinkhornKnoppOptions& options,
                                      V* res) {
  using Scalar = NumberOf<V>;
  const Scalar start_eps = static_cast<Scalar>(options.start_eps);
  const Scalar divisor_eps = scaling_eps<Scalar>(options);
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
    if (least[lane] >= least_scaling_sum<Scalar>(options)) continue;
    double z[N][N];
    load_lane<N>(logits, options.first, lane, z);
    sinkhorn_knopp_in_logs<N>(options, z);
    MHC_UNROLL_4
    for (int i = 0; i < N; ++i) {
      MHC_UNROLL
      for (int j = 0; j < N; ++j) y[i][j].set(lane, static_cast<Scalar>(z[i][j]));
    }
  }
  store_ordered<N>(y, options.first, res);
}

/// g: in the gradient of log p, out that of the logits: g_ij - p_ij sum_i g_ij.
template <int N, class Value>
MHC_DEVICE inline void column_softmax_backward(const Value (&p)[N][N], Value (&g)[N][N]) {
  for (int j = 0; j < N; ++j) {
    Value total = g[0][j];
    for (int i = 1; i < N; ++i) total = total + g[i][j];
    for (int i = 0; i < N; ++i) g[i][j] = g[i][j] - p[i][j] * total;
  }
}

/// dlogits from dres, through every iteration. `dlogits` may be `dres`.
template <int N, class V>
MHC_DEVICE inline void sinkhorn_knopp_backward(const V* logits, const SinkhornKnoppOptions& options,
                                               const V* dres, V* dlogits) {
  using Scalar = NumberOf<V>;
  const Scalar start_eps = static_cast<Scalar>(options.start_eps);
  const Scalar divisor_eps = scaling_eps<Scalar>(options);
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
    if (least[lane] >= least_scaling_sum<Scalar>(options)) continue;
    double log_p[N][N];
    LogDomain<N> log_domain;
    log_domain.divisor = options.divisor;
    double h[N][N];
    load_lane<N>(logits, first, lane, log_p);
    load_lane<N>(dres, first, lane, h);
    log_column_softmax<N>(options.start_eps, log_p, log_domain.m);
    iterate_backward<N>(log_domain, options.iterations, options.divisor_eps, h);
    for (int i = 0; i < N; ++i) {
      for (int j = 0; j < N; ++j) {
        h[i][j] *= std::exp(log_p[i][j] - log_domain.m[i][j]);
        log_p[i][j] = std::exp(log_p[i][j]);
      }
    }
    column_softmax_backward<N>(log_p, h);
    for (int i = 0; i < N; ++i) {
      for (int j = 0; j < N; ++j) g[i][j].set(lane, static_cast<Scalar>(h[i][j]));
    }
  }
  store_ordered<N>(g, first, dlogits);
}

/// How many matrices to take at once: from n = 5 on a matrix has enough sums to keep busy with.
template <int N, class Scalar>
using Matrices = std::conditional_t<(N <= 4), Pair<Scalar>, Pack<Scalar>>;

/// V::size matrices from t0 of a view (count, n, n), one per lane, and back. Missing lanes repeat
/// the last.
template <int N, class V, class Scalar>
MHC_INLINE void load_matrices(const StreamView<const Scalar>& from, Index t0, int count, V* to) {
  if (from.stream_stride == N) {
    gather(from.row(t0, 0), from.token_stride, count, N * N, to);
  } else {
    for (int i = 0; i < N; ++i) gather(from.row(t0, i), from.token_stride, count, N, to + i * N);
  }
}

template <int N, class V, class Scalar>
MHC_INLINE void store_matrices(const V* from, const StreamView<Scalar>& to, Index t0, int count) {
  if (to.stream_stride == N) {
    scatter(from, count, N * N, to.row(t0, 0), to.token_stride);
  } else {
    for (int i = 0; i < N; ++i) scatter(from + i * N, count, N, to.row(t0, i), to.token_stride);
  }
}

template <int N, class Scalar>
inline void sinkhorn_knopp_batch(const StreamView<const Scalar>& logits,
                                 const SinkhornKnoppOptions& options, const StreamView<Scalar>& res,
                                 Index begin, Index end) {
  using V = Matrices<N, Scalar>;
  V m[N * N];
  for (Index t0 = begin; t0 < end; t0 += V::size) {
    const int count = static_cast<int>(std::min<Index>(V::size, end - t0));
    load_matrices<N>(logits, t0, count, m);
    sinkhorn_knopp<N>(m, options, m);
    store_matrices<N>(m, res, t0, count);
  }
}

template <int N, class Scalar>
inline void sinkhorn_knopp_backward_batch(const StreamView<const Scalar>& logits,
                                          const SinkhornKnoppOptions& options,
                                          const StreamView<const Scalar>& dres,
                                          const StreamView<Scalar>& dlogits, Index begin,
                                          Index end) {
  using V = Matrices<N, Scalar>;
  V m[N * N];
  V g[N * N];
  for (Index t0 = begin; t0 < end; t0 += V::size) {
    const int count = static_cast<int>(std::min<Index>(V::size, end - t0));
    load_matrices<N>(logits, t0, count, m);
    load_matrices<N>(dres, t0, count, g);
    if (options.gradient == Gradient::implicit) {
      sinkhorn_knopp<N>(m, options, m);
      implicit_backward<N>(m, g, g);
    } else {
      sinkhorn_knopp_backward<N>(m, options, g, g);
    }
    store_matrices<N>(g, dlogits, t0, count);
  }
}
