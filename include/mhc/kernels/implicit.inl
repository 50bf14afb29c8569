// SPDX-License-Identifier: MIT
// Part of kernels.hpp: the doubly stochastic T = diag(a) exp(L) diag(b), found by Newton's method,
// and its derivative by the implicit function theorem. One matrix at a time, in double.
//
// With row sums r and column sums c of T, both steps solve with the Laplacian
//
//   S = diag(c) - T^T diag(1/r) T,   S_jk = -sum_i T_ij T_ik / r_i  (j != k),   S 1 = 0
//
// whose diagonal is taken from its other entries: positive terms, no cancellation.

/// (S + lambda I) w = rhs but for the last row, with w[N-1] = 0, by symmetric elimination. What is
/// left of the matrix keeps its form: a row's diagonal is its `excess`, lambda at first, and the
/// sum of its other entries. Where T falls into blocks and lambda = 0, pivots vanish: their w is
/// left at 0, which is a solution.
template <int N>
MHC_DEVICE inline void solve_laplacian(const double (&t)[N][N], const double (&r)[N], double lambda,
                                       double least, const double (&rhs)[N], double (&w)[N]) {
  double s[N][N];
  double excess[N];
  double pivot[N];
  for (int j = 0; j < N; ++j) {
    for (int k = 0; k < j; ++k) {
      double sum = 0.0;
      for (int i = 0; i < N; ++i) sum += t[i][j] * t[i][k] / r[i];
      s[j][k] = s[k][j] = -sum;
    }
    excess[j] = lambda;
    w[j] = rhs[j];
  }
  for (int p = 0; p < N - 1; ++p) {
    pivot[p] = excess[p];
    for (int k = p + 1; k < N; ++k) pivot[p] -= s[p][k];
    if (!(pivot[p] > least)) continue;
    for (int j = p + 1; j < N; ++j) {
      const double factor = s[j][p] / pivot[p];
      w[j] -= factor * w[p];
      excess[j] -= factor * excess[p];
      for (int k = p + 1; k < N; ++k) {
        if (k != j) s[j][k] -= factor * s[p][k];
      }
    }
  }
  w[N - 1] = 0.0;
  for (int p = N - 2; p >= 0; --p) {
    for (int k = p + 1; k < N; ++k) w[p] -= s[p][k] * w[k];
    w[p] = pivot[p] > least ? w[p] / pivot[p] : 0.0;
  }
}

/// g: in dL/dT, out the gradient of the logits, (G - v 1^T - 1 w^T) o T with
///   diag(r) v + T w = rowsums(G o T),   T^T v + diag(c) w = colsums(G o T).
template <int N>
MHC_DEVICE inline void implicit_backward(const double (&t)[N][N], double (&g)[N][N]) {
  double r[N] = {};
  double rhs[N] = {};
  double w[N];
  for (int i = 0; i < N; ++i) {
    for (int j = 0; j < N; ++j) r[i] += t[i][j];
  }
  for (int j = 0; j < N; ++j) {  // colsums(G o T) - T^T diag(1/r) rowsums(G o T)
    for (int i = 0; i < N; ++i) {
      double sum = 0.0;
      for (int k = 0; k < N; ++k) sum += t[i][k] * (g[i][j] - g[i][k]);
      rhs[j] += t[i][j] * sum / r[i];
    }
  }
  // A pivot below 1e-18 divides what is only rounding; a w that a block has in common changes no
  // entries but those, as small, that join the block to others.
  solve_laplacian<N>(t, r, 0.0, 1e-18, rhs, w);
  for (int i = 0; i < N; ++i) {
    double mean = 0.0;
    for (int j = 0; j < N; ++j) g[i][j] -= w[j];
    for (int j = 0; j < N; ++j) mean += t[i][j] * g[i][j] / r[i];
    for (int j = 0; j < N; ++j) g[i][j] = t[i][j] * (g[i][j] - mean);
  }
}

/// T = softmax over each row of L + 1 beta^T, and its column sums; returns the dual that beta
/// minimises, sum_i log sum_j exp(L_ij + beta_j) - sum_j beta_j.
template <int N>
MHC_DEVICE inline double row_softmax(const double (&logits)[N][N], double scale,
                                     const double (&beta)[N], double (&t)[N][N], double (&c)[N]) {
  double dual = 0.0;
  for (int j = 0; j < N; ++j) c[j] = 0.0;
  for (int i = 0; i < N; ++i) {
    double most = scale * logits[i][0] + beta[0];
    for (int j = 0; j < N; ++j) {
      t[i][j] = scale * logits[i][j] + beta[j];
      most = t[i][j] > most ? t[i][j] : most;
    }
    double total = 0.0;
    for (int j = 0; j < N; ++j) {
      t[i][j] = std::exp(t[i][j] - most);
      total += t[i][j];
    }
    for (int j = 0; j < N; ++j) {
      t[i][j] /= total;
      c[j] += t[i][j];
    }
    dual += most + std::log(total) - beta[i];
  }
  return dual;
}

template <int N>
MHC_DEVICE inline double largest_error(const double (&c)[N]) {
  double error = 0.0;
  for (int j = 0; j < N; ++j) {
    const double here = std::abs(c[j] - 1.0);
    error = error >= here || error != error ? error : here;  // not a number stays none
  }
  return error;
}

/// beta for `scale` times the logits, from the beta it comes with. T and c are its own at the end.
/// S + lambda keeps a step in bounds where parts of T hardly know of each other and rounding alone
/// would move them; lambda vanishes as fast as the square of the error.
template <int N>
MHC_DEVICE inline void minimize_dual(const double (&logits)[N][N], double scale, double tolerance,
                                     double (&beta)[N], double (&t)[N][N], double (&c)[N]) {
  double ones[N];
  for (int i = 0; i < N; ++i) ones[i] = 1.0;
  double dual = row_softmax<N>(logits, scale, beta, t, c);
  for (int step = 0; step < 500; ++step) {
    const double error = largest_error<N>(c);
    if (!(error > tolerance)) return;
    double start[N];
    double gradient[N];
    double newton[N];
    double slope = 0.0;
    for (int j = 0; j < N; ++j) {
      start[j] = beta[j];
      gradient[j] = 1.0 - c[j];
    }
    const double lambda = error * error < 1e-3 ? error * error : 1e-3;
    solve_laplacian<N>(t, ones, lambda, 1e-280, gradient, newton);
    for (int j = 0; j < N; ++j) slope -= gradient[j] * newton[j];
    bool accepted = false;
    for (double length = 1.0; length > 1e-4 && !accepted; length *= 0.5) {
      for (int j = 0; j < N; ++j) beta[j] = start[j] + length * newton[j];
      const double next = row_softmax<N>(logits, scale, beta, t, c);
      // Close to the minimum the dual moves by less than its rounding: there the error decides.
      accepted = next < dual + 0.1 * length * slope || (error < 0.1 && largest_error<N>(c) < error);
      if (accepted) dual = next;
    }
    if (!accepted) {  // a half step of Sinkhorn-Knopp never goes up
      for (int j = 0; j < N; ++j) beta[j] = start[j];
      row_softmax<N>(logits, scale, beta, t, c);
      for (int j = 0; j < N; ++j) beta[j] -= std::log(c[j] > 1e-300 ? c[j] : 1e-300);
      dual = row_softmax<N>(logits, scale, beta, t, c);
      if (error < 1e-9 && !(largest_error<N>(c) < error)) return;  // as exact as rounding allows
    }
  }
}

/// logits: in L, out T. Large logits are reached by doubling: where T is nearly a permutation, beta
/// grows as the logits do.
template <int N>
MHC_DEVICE inline void birkhoff_projection(const BirkhoffProjection::Options& options,
                                           double (&logits)[N][N]) {
  double t[N][N];
  double c[N];
  double beta[N] = {};
  double most = 0.0;
  for (int i = 0; i < N; ++i) {
    for (int j = 0; j < N; ++j) {
      most = std::abs(logits[i][j]) > most ? std::abs(logits[i][j]) : most;
    }
  }
  double scale = 1.0;
  while (most * scale > 8.0 && scale > 1e-300) scale *= 0.5;
  for (; scale < 1.0; scale *= 2.0) {
    minimize_dual<N>(logits, scale, 1e-2, beta, t, c);
    for (int j = 0; j < N; ++j) beta[j] *= 2.0;
  }
  minimize_dual<N>(logits, 1.0, options.tolerance, beta, t, c);
  for (int i = 0; i < N; ++i) {
    for (int j = 0; j < N; ++j) logits[i][j] = t[i][j];
  }
}

/// The matrix in `lane` of n x n packs, and back.
template <int N, class V>
MHC_DEVICE inline void take_lane(const V* from, int lane, double (&to)[N][N]) {
  for (int i = 0; i < N; ++i) {
    for (int j = 0; j < N; ++j) to[i][j] = static_cast<double>(from[i * N + j][lane]);
  }
}

template <int N, class V>
MHC_DEVICE inline void put_lane(const double (&from)[N][N], int lane, V* to) {
  for (int i = 0; i < N; ++i) {
    for (int j = 0; j < N; ++j) to[i * N + j].set(lane, static_cast<NumberOf<V>>(from[i][j]));
  }
}

/// The implicit gradient, a matrix per lane. `dlogits` may be `dres`.
template <int N, class V>
MHC_DEVICE inline void implicit_backward(const V* res, const V* dres, V* dlogits) {
  for (int lane = 0; lane < V::size; ++lane) {
    double t[N][N];
    double g[N][N];
    take_lane<N>(res, lane, t);
    take_lane<N>(dres, lane, g);
    implicit_backward<N>(t, g);
    put_lane<N>(g, lane, dlogits);
  }
}

// Batches: the matrices [begin, end) of views (count, n, n).

template <int N, class Scalar>
inline void take_matrix(const StreamView<const Scalar>& from, Index t, double (&to)[N][N]) {
  for (int i = 0; i < N; ++i) {
    for (int j = 0; j < N; ++j) to[i][j] = static_cast<double>(from.row(t, i)[j]);
  }
}

template <int N, class Scalar>
inline void put_matrix(const double (&from)[N][N], const StreamView<Scalar>& to, Index t) {
  for (int i = 0; i < N; ++i) {
    for (int j = 0; j < N; ++j) to.row(t, i)[j] = static_cast<Scalar>(from[i][j]);
  }
}

template <int N, class Scalar>
inline void birkhoff_projection_batch(const StreamView<const Scalar>& logits,
                                      const BirkhoffProjection::Options& options,
                                      const StreamView<Scalar>& res, Index begin, Index end) {
  for (Index t = begin; t < end; ++t) {
    double matrix[N][N];
    take_matrix<N>(logits, t, matrix);
    birkhoff_projection<N>(options, matrix);
    put_matrix<N>(matrix, res, t);
  }
}

/// How far T is from doubly stochastic.
template <int N>
MHC_DEVICE inline double marginal_error(const double (&t)[N][N]) {
  double r[N] = {};
  double c[N] = {};
  for (int i = 0; i < N; ++i) {
    for (int j = 0; j < N; ++j) {
      r[i] += t[i][j];
      c[j] += t[i][j];
    }
  }
  return (std::max)(largest_error<N>(r), largest_error<N>(c));
}

template <int N, class Scalar>
inline void implicit_backward_batch(const StreamView<const Scalar>& res,
                                    const StreamView<const Scalar>& dres,
                                    const StreamView<Scalar>& dlogits,
                                    const TokenView<Scalar>& error, Index begin, Index end) {
  for (Index t = begin; t < end; ++t) {
    double matrix[N][N];
    double g[N][N];
    take_matrix<N>(res, t, matrix);
    take_matrix<N>(dres, t, g);
    implicit_backward<N>(matrix, g);
    put_matrix<N>(g, dlogits, t);
    if (error) *error.row(t) = static_cast<Scalar>(marginal_error<N>(matrix));
  }
}
