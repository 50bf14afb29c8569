// SPDX-License-Identifier: MIT
// Part of kernels.hpp: Sinkhorn-Knopp with one matrix per lane, in scaling form.
//
// After its first half step (the softmax over columns, plus start_eps) every iterate is
//
//   Y_ij = u_i M_ij v_j
//
// so an iteration only moves the 2n scale factors: u_i <- u_i / (u_i sum_j M_ij v_j + eps), and v
// alike. The backward needs these factors and nothing else. With log-gradients g = Y o dY each
// half step, eps or not, is   g_ij <- g_ij - Y_ij sum_axis g   and divides by nothing.

/// Y_ij = u_i M_ij v_j, all lanes at once: for logits whose first row sums do not vanish.
template <int N, class S>
struct ScalingDomain {
  using V = Pack<S>;
  V m[N][N];

  MHC_INLINE static V neutral() { return V(S(1)); }
  MHC_INLINE V entry(int i, int j, const V& u, const V& v) const { return u * m[i][j] * v; }
  MHC_INLINE V row_sum(int i, const V* v) const {
    V sum = m[i][0] * v[0];
    for (int j = 1; j < N; ++j) sum = mul_add(m[i][j], v[j], sum);
    return sum;
  }
  MHC_INLINE V column_sum(int j, const V* u) const {
    V sum = u[0] * m[0][j];
    for (int i = 1; i < N; ++i) sum = mul_add(u[i], m[i][j], sum);
    return sum;
  }
  MHC_INLINE static V rescale(const V& scale, const V& sum, const V& eps) {
    return scale / mul_add(scale, sum, eps);
  }
};

/// Y_ij = exp(log M_ij + u_i + v_j), one matrix: for logits so far apart that whole rows of M
/// would underflow. In double whatever the logits, so that 1e4 + log 1e-7 keeps its digits.
template <int N>
struct LogDomain {
  double m[N][N];

  static double neutral() { return 0.0; }
  double entry(int i, int j, double u, double v) const { return std::exp(m[i][j] + u + v); }
  double row_sum(int i, const double* v) const {
    double terms[N];
    for (int j = 0; j < N; ++j) terms[j] = m[i][j] + v[j];
    return log_sum_exp(terms);
  }
  double column_sum(int j, const double* u) const {
    double terms[N];
    for (int i = 0; i < N; ++i) terms[i] = m[i][j] + u[i];
    return log_sum_exp(terms);
  }
  static double rescale(double scale, double sum, double eps) {
    if (!(eps > 0.0)) return -sum;
    return scale - std::log(std::exp(scale + sum) + eps);
  }
  static double log_sum_exp(const double* terms) {
    double most = terms[0];
    for (int i = 1; i < N; ++i) most = terms[i] > most ? terms[i] : most;
    double sum = 0.0;
    for (int i = 0; i < N; ++i) sum += std::exp(terms[i] - most);
    return most + std::log(sum);
  }
};

template <int N, class Value>
struct Scales {
  Value u[N];
  Value v[N];
};

/// Scale factors after iteration 1, whose column half is in M already.
template <int N, class Domain, class Value>
MHC_INLINE void first_iteration(const Domain& domain, const Value& eps, Scales<N, Value>& scales) {
  for (int j = 0; j < N; ++j) scales.v[j] = Domain::neutral();
  for (int i = 0; i < N; ++i) {
    scales.u[i] = Domain::rescale(Domain::neutral(), domain.row_sum(i, scales.v), eps);
  }
}

template <int N, class Domain, class Value>
MHC_INLINE void next_iteration(const Domain& domain, const Value& eps, Scales<N, Value>& scales) {
  for (int j = 0; j < N; ++j) {
    scales.v[j] = Domain::rescale(scales.v[j], domain.column_sum(j, scales.u), eps);
  }
  for (int i = 0; i < N; ++i) {
    scales.u[i] = Domain::rescale(scales.u[i], domain.row_sum(i, scales.v), eps);
  }
}

template <int N, class Domain, class Value>
MHC_INLINE void iterate(const Domain& domain, int iterations, const Value& eps, Value (&y)[N][N]) {
  Scales<N, Value> scales;
  first_iteration<N>(domain, eps, scales);
  for (int t = 1; t < iterations; ++t) next_iteration<N>(domain, eps, scales);
  for (int i = 0; i < N; ++i) {
    for (int j = 0; j < N; ++j) y[i][j] = domain.entry(i, j, scales.u[i], scales.v[j]);
  }
}

template <int N, class Value>
MHC_INLINE void subtract_row_means(Value (&g)[N][N], const Value (&y)[N][N]) {
  for (int i = 0; i < N; ++i) {
    Value total = g[i][0];
    for (int j = 1; j < N; ++j) total = total + g[i][j];
    for (int j = 0; j < N; ++j) g[i][j] = g[i][j] - y[i][j] * total;
  }
}

template <int N, class Value>
MHC_INLINE void subtract_column_means(Value (&g)[N][N], const Value (&y)[N][N]) {
  for (int j = 0; j < N; ++j) {
    Value total = g[0][j];
    for (int i = 1; i < N; ++i) total = total + g[i][j];
    for (int i = 0; i < N; ++i) g[i][j] = g[i][j] - y[i][j] * total;
  }
}

/// g: in dL/dY, out dL/d(log M). The factors of up to `segment` iterations are kept (at most 32 KiB
/// on the stack); more iterations are walked in segments from the last to the first, each of which
/// starts over from iteration 1.
template <int N, class Domain, class Value>
inline void iterate_backward(const Domain& domain, int iterations, const Value& eps,
                             Value (&g)[N][N]) {
  constexpr int fits = 32768 / static_cast<int>(sizeof(Scales<N, Value>));
  constexpr int segment = fits < 4 ? 4 : fits;
  Scales<N, Value> kept[segment + 1];  // kept[0] is the iteration before the segment
  Value y[N][N];
  bool last = true;
  for (int begin = (iterations - 1) / segment * segment; begin >= 0; begin -= segment) {
    const int length = iterations - begin < segment ? iterations - begin : segment;
    Scales<N, Value> scales;
    first_iteration<N>(domain, eps, scales);
    for (int t = 1; t < begin; ++t) next_iteration<N>(domain, eps, scales);
    kept[0] = scales;
    for (int t = 0; t < length; ++t) {
      if (begin + t > 0) next_iteration<N>(domain, eps, scales);
      kept[t + 1] = scales;
    }
    for (int t = length; t > 0; --t) {
      for (int i = 0; i < N; ++i) {
        for (int j = 0; j < N; ++j) y[i][j] = domain.entry(i, j, kept[t].u[i], kept[t].v[j]);
      }
      if (last) {
        for (int i = 0; i < N; ++i) {
          for (int j = 0; j < N; ++j) g[i][j] = g[i][j] * y[i][j];
        }
        last = false;
      }
      subtract_row_means<N>(g, y);
      if (begin + t == 1) break;  // the first column half step is the softmax that made M
      for (int i = 0; i < N; ++i) {
        for (int j = 0; j < N; ++j) y[i][j] = domain.entry(i, j, kept[t - 1].u[i], kept[t].v[j]);
      }
      subtract_column_means<N>(g, y);
    }
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

/// p = softmax of the logits over each column (out).
template <int N, class S>
MHC_INLINE void column_softmax(const Pack<S>* logits, Axis first, Pack<S> (&p)[N][N]) {
  using V = Pack<S>;
  for (int j = 0; j < N; ++j) {
    for (int i = 0; i < N; ++i) {
      p[i][j] = logits[entry_of<N>(i, j, first)];
    }
    V most = p[0][j];
    for (int i = 1; i < N; ++i) most = max(most, p[i][j]);
    V total = V(S(0));
    for (int i = 0; i < N; ++i) {
      p[i][j] = exp(p[i][j] - most);
      total = total + p[i][j];
    }
    const V scale = V(S(1)) / total;
    for (int i = 0; i < N; ++i) p[i][j] = p[i][j] * scale;
  }
}

/// log p and log m of the matrix in `lane`, without underflow.
template <int N, class S>
inline void log_column_softmax(const Pack<S>* logits, const SinkhornKnoppOptions& options, int lane,
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

template <int N, class V>
MHC_INLINE void store_ordered(const V (&from)[N][N], Axis first, V* to) {
  for (int i = 0; i < N; ++i) {
    for (int j = 0; j < N; ++j) to[entry_of<N>(i, j, first)] = from[i][j];
  }
}

/// lost[lane]: the matrix has a row that vanishes in the scaling domain, or is not a number.
template <int N, class S>
MHC_INLINE void find_lost(const ScalingDomain<N, S>& domain, bool (&lost)[Pack<S>::size]) {
  for (bool& lane : lost) lane = false;
  for (int i = 0; i < N; ++i) {
    Pack<S> total = domain.m[i][0];
    for (int j = 1; j < N; ++j) total = total + domain.m[i][j];
    for (int lane = 0; lane < Pack<S>::size; ++lane) {
      lost[lane] = lost[lane] || !(total[lane] >= smallest_row_sum<S>);
    }
  }
}

/// res = SinkhornKnopp(logits), a matrix per lane. `res` may be `logits`.
template <int N, class S>
inline void sinkhorn_knopp(const Pack<S>* logits, const SinkhornKnoppOptions& options,
                           Pack<S>* res) {
  using V = Pack<S>;
  const S start_eps = static_cast<S>(options.start_eps);
  const S divisor_eps = static_cast<S>(options.divisor_eps);
  ScalingDomain<N, S> domain;
  column_softmax<N>(logits, options.first, domain.m);
  for (int i = 0; i < N; ++i) {
    for (int j = 0; j < N; ++j) domain.m[i][j] = domain.m[i][j] + V(start_eps);
  }
  V y[N][N];
  iterate<N>(domain, options.iterations, V(divisor_eps), y);
  bool lost[V::size];
  find_lost<N>(domain, lost);
  for (int lane = 0; lane < V::size; ++lane) {
    if (!lost[lane]) continue;
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

/// dlogits from dres, through every iteration. `dlogits` may be `dres`.
template <int N, class S>
inline void sinkhorn_knopp_backward(const Pack<S>* logits, const SinkhornKnoppOptions& options,
                                    const Pack<S>* dres, Pack<S>* dlogits) {
  using V = Pack<S>;
  const S start_eps = static_cast<S>(options.start_eps);
  const S divisor_eps = static_cast<S>(options.divisor_eps);
  const Axis first = options.first;
  V p[N][N];
  V g[N][N];
  ScalingDomain<N, S> domain;
  column_softmax<N>(logits, first, p);
  for (int i = 0; i < N; ++i) {
    for (int j = 0; j < N; ++j) {
      domain.m[i][j] = p[i][j] + V(start_eps);
      g[i][j] = dres[entry_of<N>(i, j, first)];
    }
  }
  iterate_backward<N>(domain, options.iterations, V(divisor_eps), g);
  if (start_eps > S(0)) {  // m = p + eps:  g_p = p dm = g_m p / m
    for (int i = 0; i < N; ++i) {
      for (int j = 0; j < N; ++j) g[i][j] = g[i][j] * (p[i][j] / domain.m[i][j]);
    }
  }
  subtract_column_means<N>(g, p);
  bool lost[V::size];
  find_lost<N>(domain, lost);
  for (int lane = 0; lane < V::size; ++lane) {
    if (!lost[lane]) continue;
    double log_p[N][N];
    double h[N][N];
    LogDomain<N> log_domain;
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
    subtract_column_means<N>(h, log_p);
    for (int i = 0; i < N; ++i) {
      for (int j = 0; j < N; ++j) g[i][j].set(lane, static_cast<S>(h[i][j]));
    }
  }
  store_ordered<N>(g, first, dlogits);
}

/// W matrices from t0 of a view (count, n, n), one per lane, and back. Missing lanes repeat the
/// last.
template <int N, class S>
MHC_INLINE void load_matrices(const StreamView<const S>& from, index t0, int count, Pack<S>* to) {
  for (int i = 0; i < N; ++i) gather(from.row(t0, i), from.token_stride, count, N, to + i * N);
}

template <int N, class S>
MHC_INLINE void store_matrices(const Pack<S>* from, const StreamView<S>& to, index t0, int count) {
  for (int i = 0; i < N; ++i) scatter(from + i * N, count, N, to.row(t0, i), to.token_stride);
}

template <int N, class S>
inline void sinkhorn_knopp_batch(const StreamView<const S>& logits,
                                 const SinkhornKnoppOptions& options, const StreamView<S>& res,
                                 index begin, index end) {
  constexpr int W = Pack<S>::size;
  Pack<S> m[N * N];
  for (index t0 = begin; t0 < end; t0 += W) {
    const int count = static_cast<int>(std::min<index>(W, end - t0));
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
  constexpr int W = Pack<S>::size;
  Pack<S> m[N * N];
  Pack<S> g[N * N];
  for (index t0 = begin; t0 < end; t0 += W) {
    const int count = static_cast<int>(std::min<index>(W, end - t0));
    load_matrices<N>(logits, t0, count, m);
    load_matrices<N>(dres, t0, count, g);
    sinkhorn_knopp_backward<N>(m, options, g, g);
    store_matrices<N>(g, dlogits, t0, count);
  }
}
