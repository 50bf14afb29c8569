// SPDX-License-Identifier: MIT
// Part of kernels.hpp: from raw projections to pre, post and res and back, a token per lane.
//
// A policy's record in packs: raw[groups * R], inverse_rms[groups], logits[n*(n+2)], pre, post,
// res. backward: in   dpre, dpost, dres       out   dlogits, draw (gradient of raw), dinverse_rms.
// accumulate: one token's dlogits and saved values onto the gradients of alpha and b.

/// Which of the gates alpha = (pre, post, res) logit r belongs to.
template <int N>
constexpr int gate_of(int r) {
  return r < N ? 0 : r < 2 * N ? 1 : 2;
}

template <int N, class V, class Connection>
struct Record {
  using Shape = typename Connection::template Shape<N>;
  // A zero-length array is no C++: policies without projections keep one unused pack.
  static constexpr int at_least_one(int size) { return size > 0 ? size : 1; }
  V raw[at_least_one(Shape::groups * Shape::projections)];
  V inverse_rms[at_least_one(Shape::groups)];
  V logits[at_least_one(Shape::logits)];
  V pre[N];
  V post[at_least_one(Shape::merges ? N : 0)];
  V res[at_least_one(Shape::merges ? N * N : 0)];
};

template <class Connection>
struct Mapping;

/// l = alpha r raw + b;  pre = sigmoid(l) + eps, post = scale sigmoid(l) + eps, res = SK(l).
template <>
struct Mapping<ManifoldConstrained> {
  template <int N, class V>
  static void forward(const ManifoldConstrained::Options& options, const NumberOf<V>* alpha,
                      const NumberOf<V>* b, Record<N, V, ManifoldConstrained>& token) {
    using S = NumberOf<V>;
    for (int r = 0; r < N * (N + 2); ++r) {
      const V m = token.raw[r] * token.inverse_rms[0];
      token.logits[r] = mul_add(m, V(alpha[gate_of<N>(r)]), V(b[r]));
    }
    for (int i = 0; i < N; ++i) {
      token.pre[i] = sigmoid(token.logits[i]) + V(static_cast<S>(options.pre_eps));
      token.post[i] = mul_add(sigmoid(token.logits[N + i]), V(static_cast<S>(options.post_scale)),
                              V(static_cast<S>(options.post_eps)));
    }
    sinkhorn_knopp<N>(token.logits + 2 * N, options.sinkhorn, token.res);
  }

  template <int N, class V>
  static void backward(const ManifoldConstrained::Options& options, const NumberOf<V>* alpha,
                       const Record<N, V, ManifoldConstrained>& token,
                       Record<N, V, ManifoldConstrained>& dtoken) {
    using S = NumberOf<V>;
    for (int i = 0; i < N; ++i) {
      const V pre = sigmoid(token.logits[i]);
      const V post = sigmoid(token.logits[N + i]);
      dtoken.logits[i] = dtoken.pre[i] * pre * (V(S(1)) - pre);
      dtoken.logits[N + i] =
          dtoken.post[i] * V(static_cast<S>(options.post_scale)) * post * (V(S(1)) - post);
    }
    sinkhorn_knopp_backward<N>(token.logits + 2 * N, options.sinkhorn, dtoken.res,
                               dtoken.logits + 2 * N);
    V dinverse_rms = V(S(0));
    for (int r = 0; r < N * (N + 2); ++r) {
      const V dm = dtoken.logits[r] * V(alpha[gate_of<N>(r)]);
      dinverse_rms = mul_add(dm, token.raw[r], dinverse_rms);
      dtoken.raw[r] = dm * token.inverse_rms[0];
    }
    dtoken.inverse_rms[0] = dinverse_rms;
  }

  template <int N, class S>
  static void accumulate(const S* inverse_rms, const S* raw, const S* dlogits, S* dalpha, S* db) {
    for (int r = 0; r < N * (N + 2); ++r) {
      db[r] += dlogits[r];
      dalpha[gate_of<N>(r)] += dlogits[r] * (raw[r] * inverse_rms[0]);
    }
  }
};

/// Stream j gives m_j = r_j (x_j phi) in R^(n+2). With t = tanh(m):
///   pre_j = alpha_0 t_j,0 + b,   post_j = alpha_1 t_j,1 + b,   res[i, j] = alpha_2 t_j,2+i + b.
template <>
struct Mapping<HyperConnections> {
  /// Where logit r comes from: the projection p of stream j, at j * (n + 2) + p.
  template <int N>
  static constexpr int source(int r) {
    if (r < N) return r * (N + 2);
    if (r < 2 * N) return (r - N) * (N + 2) + 1;
    return (r - 2 * N) % N * (N + 2) + 2 + (r - 2 * N) / N;
  }

  template <int N, class V>
  static void forward(const HyperConnections::Options& /*options*/, const NumberOf<V>* alpha,
                      const NumberOf<V>* b, Record<N, V, HyperConnections>& token) {
    for (int r = 0; r < N * (N + 2); ++r) {
      const int from = source<N>(r);
      const V t = tanh(token.raw[from] * token.inverse_rms[from / (N + 2)]);
      token.logits[r] = mul_add(t, V(alpha[gate_of<N>(r)]), V(b[r]));
    }
    for (int i = 0; i < N; ++i) {
      token.pre[i] = token.logits[i];
      token.post[i] = token.logits[N + i];
    }
    for (int e = 0; e < N * N; ++e) token.res[e] = token.logits[2 * N + e];
  }

  template <int N, class V>
  static void backward(const HyperConnections::Options& /*options*/, const NumberOf<V>* alpha,
                       const Record<N, V, HyperConnections>& token,
                       Record<N, V, HyperConnections>& dtoken) {
    using S = NumberOf<V>;
    for (int i = 0; i < N; ++i) {
      dtoken.logits[i] = dtoken.pre[i];
      dtoken.logits[N + i] = dtoken.post[i];
    }
    for (int e = 0; e < N * N; ++e) dtoken.logits[2 * N + e] = dtoken.res[e];
    for (int j = 0; j < N; ++j) dtoken.inverse_rms[j] = V(S(0));
    for (int r = 0; r < N * (N + 2); ++r) {
      const int from = source<N>(r);
      const int j = from / (N + 2);
      const V t = tanh(token.raw[from] * token.inverse_rms[j]);
      const V dm = dtoken.logits[r] * V(alpha[gate_of<N>(r)]) * (V(S(1)) - t * t);
      dtoken.inverse_rms[j] = mul_add(dm, token.raw[from], dtoken.inverse_rms[j]);
      dtoken.raw[from] = dm * token.inverse_rms[j];
    }
  }

  template <int N, class S>
  static void accumulate(const S* inverse_rms, const S* raw, const S* dlogits, S* dalpha, S* db) {
    for (int r = 0; r < N * (N + 2); ++r) {
      const int from = source<N>(r);
      db[r] += dlogits[r];
      dalpha[gate_of<N>(r)] += dlogits[r] * std::tanh(raw[from] * inverse_rms[from / (N + 2)]);
    }
  }
};

/// pre = 1/n, post = 1, res = I; nothing to learn.
template <>
struct Mapping<OrdinaryResidual> {
  template <int N, class V>
  static void forward(const OrdinaryResidual::Options& /*options*/, const NumberOf<V>* /*alpha*/,
                      const NumberOf<V>* /*b*/, Record<N, V, OrdinaryResidual>& token) {
    using S = NumberOf<V>;
    for (int i = 0; i < N; ++i) {
      token.pre[i] = V(S(1) / S(N));
      token.post[i] = V(S(1));
      for (int j = 0; j < N; ++j) token.res[i * N + j] = V(i == j ? S(1) : S(0));
    }
  }
};

/// pre = sigmoid(alpha r raw + b) + eps.
template <>
struct Mapping<LearnedCollapse> {
  template <int N, class V>
  static void forward(const LearnedCollapse::Options& options, const NumberOf<V>* alpha,
                      const NumberOf<V>* b, Record<N, V, LearnedCollapse>& token) {
    using S = NumberOf<V>;
    for (int i = 0; i < N; ++i) {
      const V m = token.raw[i] * token.inverse_rms[0];
      token.logits[i] = mul_add(m, V(alpha[0]), V(b[i]));
      token.pre[i] = sigmoid(token.logits[i]) + V(static_cast<S>(options.pre_eps));
    }
  }

  template <int N, class V>
  static void backward(const LearnedCollapse::Options& /*options*/, const NumberOf<V>* alpha,
                       const Record<N, V, LearnedCollapse>& token,
                       Record<N, V, LearnedCollapse>& dtoken) {
    using S = NumberOf<V>;
    dtoken.inverse_rms[0] = V(S(0));
    for (int i = 0; i < N; ++i) {
      const V pre = sigmoid(token.logits[i]);
      dtoken.logits[i] = dtoken.pre[i] * pre * (V(S(1)) - pre);
      const V dm = dtoken.logits[i] * V(alpha[0]);
      dtoken.inverse_rms[0] = mul_add(dm, token.raw[i], dtoken.inverse_rms[0]);
      dtoken.raw[i] = dm * token.inverse_rms[0];
    }
  }

  template <int N, class S>
  static void accumulate(const S* inverse_rms, const S* raw, const S* dlogits, S* dalpha, S* db) {
    for (int i = 0; i < N; ++i) {
      db[i] += dlogits[i];
      dalpha[0] += dlogits[i] * (raw[i] * inverse_rms[0]);
    }
  }
};
