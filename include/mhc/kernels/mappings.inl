// SPDX-License-Identifier: MIT
// Part of kernels.hpp: from raw projections to pre, post and res and back, a token per lane.
//
// A connection's record in packs: raw[groups * R], inverse_rms[groups], logits, pre, post, res.
// backward: in   dpre, dpost, dres       out   dlogits, draw (gradient of raw), dinverse_rms.
// accumulate: one token's dlogits and saved values onto the gradients of alpha and b.

template <int N, class V, class Connection>
struct Record {
  using Shape = typename Connection::template Shape<N>;
  // A zero-length array is no C++: what a connection does not have is one unused pack.
  static constexpr int at_least_one(int size) { return size > 0 ? size : 1; }
  V raw[at_least_one(Shape::groups * Shape::projections)];
  V inverse_rms[at_least_one(Shape::groups)];
  V logits[at_least_one(Shape::logits)];
  V pre[N];
  V post[at_least_one(Shape::merges ? N : 0)];
  V res[at_least_one(Shape::merges ? N * N : 0)];
};

/// r, the inverse root mean square, from the mean square of K values.
template <class Scalar>
MHC_DEVICE inline Scalar inverse_rms(Scalar mean_square, NormEps where, Scalar eps) {
  switch (where) {
    case NormEps::on_root:
      return Scalar(1) / (std::sqrt(mean_square) + eps);
    case NormEps::least_root: {
      const Scalar root = std::sqrt(mean_square);
      return Scalar(1) / (root < eps ? eps : root);
    }
    case NormEps::in_root:
      break;
  }
  return Scalar(1) / std::sqrt(mean_square + eps);
}

/// Which of the gates alpha = (pre, post, res) logit r belongs to.
template <int N>
MHC_DEVICE constexpr int gate_of(int r) {
  return r < N ? 0 : r < 2 * N ? 1 : 2;
}

/// The group that logit r is projected from: its stream where each stream has a norm of its own,
/// which for res[out, in] is the stream that goes in.
template <int N, class Shape>
MHC_DEVICE constexpr int group_of(int r) {
  if (Shape::groups == 1) return 0;
  return r < 2 * N ? r % N : (r - 2 * N) % N;
}

/// Its place in raw[groups * R]: a stream's columns of phi are pre, post, then res for each out.
template <int N, class Shape>
MHC_DEVICE constexpr int raw_of(int r) {
  if (Shape::groups == 1) return r;
  const int column = r < 2 * N ? r / N : 2 + (r - 2 * N) / N;
  return group_of<N, Shape>(r) * Shape::projections + column;
}

/// HC squashes what it projects before the gate.
template <class Connection>
inline constexpr bool squashes = false;
template <class Source>
inline constexpr bool squashes<Unconstrained<Source>> = true;

/// l = alpha m + b  with  m = r raw, in HC m = tanh(r raw);  l = b if there is no projection.
template <class Connection>
struct Logits {
  template <int N>
  using Shape = typename Connection::template Shape<N>;

  template <int N, class V>
  MHC_DEVICE static void forward(const NumberOf<V>* alpha, const NumberOf<V>* b,
                                 Record<N, V, Connection>& token) {
    for (int r = 0; r < Shape<N>::logits; ++r) {
      if constexpr (Shape<N>::groups == 0) {
        token.logits[r] = V(b[r]);
      } else {
        V m = token.raw[raw_of<N, Shape<N>>(r)] * token.inverse_rms[group_of<N, Shape<N>>(r)];
        if constexpr (squashes<Connection>) m = tanh(m);
        token.logits[r] = mul_add(m, V(alpha[gate_of<N>(r)]), V(b[r]));
      }
    }
  }

  template <int N, class V>
  MHC_DEVICE static void backward(const NumberOf<V>* alpha, const Record<N, V, Connection>& token,
                                  Record<N, V, Connection>& dtoken) {
    using Scalar = NumberOf<V>;
    for (int g = 0; g < Shape<N>::groups; ++g) dtoken.inverse_rms[g] = V(Scalar(0));
    if constexpr (Shape<N>::groups > 0) {
      for (int r = 0; r < Shape<N>::logits; ++r) {
        const int from = raw_of<N, Shape<N>>(r);
        const int g = group_of<N, Shape<N>>(r);
        V dm = dtoken.logits[r] * V(alpha[gate_of<N>(r)]);
        if constexpr (squashes<Connection>) {
          const V t = tanh(token.raw[from] * token.inverse_rms[g]);
          dm = dm * (V(Scalar(1)) - t * t);
        }
        dtoken.inverse_rms[g] = mul_add(dm, token.raw[from], dtoken.inverse_rms[g]);
        dtoken.raw[from] = dm * token.inverse_rms[g];
      }
    }
  }

  template <int N, class Scalar>
  MHC_DEVICE static void accumulate(const Scalar* inverse_rms, const Scalar* raw,
                                    const Scalar* dlogits, Scalar* dalpha, Scalar* db) {
    for (int r = 0; r < Shape<N>::logits; ++r) {
      db[r] += dlogits[r];
      if constexpr (Shape<N>::groups > 0) {
        const Scalar m = raw[raw_of<N, Shape<N>>(r)] * inverse_rms[group_of<N, Shape<N>>(r)];
        dalpha[gate_of<N>(r)] += dlogits[r] * (squashes<Connection> ? std::tanh(m) : m);
      }
    }
  }
};

/// pre = sigmoid(l) + eps, divided by its sum if the options say so.
template <int N, class V, class Options>
MHC_DEVICE inline V pre_gates(const Options& options, const V* logits, V* pre) {
  using Scalar = NumberOf<V>;
  V total = V(Scalar(0));
  for (int i = 0; i < N; ++i) {
    pre[i] = sigmoid(logits[i]) + V(static_cast<Scalar>(options.pre_eps));
    total = total + pre[i];
  }
  total = larger(total, V(Scalar(1e-30)));
  if (options.normalize_pre) {
    for (int i = 0; i < N; ++i) pre[i] = pre[i] / total;
  }
  return total;
}

template <int N, class V, class Options>
MHC_DEVICE inline void pre_gates_backward(const Options& options, const V* logits, const V* dpre,
                                          V* dlogits) {
  using Scalar = NumberOf<V>;
  V common = V(Scalar(0));
  V scale = V(Scalar(1));
  if (options.normalize_pre) {
    V pre[N];
    scale = V(Scalar(1)) / pre_gates<N>(options, logits, pre);
    for (int i = 0; i < N; ++i) common = mul_add(dpre[i], pre[i], common);
  }
  for (int i = 0; i < N; ++i) {
    const V s = sigmoid(logits[i]);
    dlogits[i] = (dpre[i] - common) * scale * s * (V(Scalar(1)) - s);
  }
}

template <class Connection>
struct Mapping;

/// pre and post by sigmoids, res by the residual policy.
template <class Residual, class Source>
struct Mapping<Constrained<Residual, Source>> : Logits<Constrained<Residual, Source>> {
  using Connection = Constrained<Residual, Source>;
  using Options = typename Connection::Options;

  template <int N, class V>
  MHC_DEVICE static void forward(const Options& options, const NumberOf<V>* alpha,
                                 const NumberOf<V>* b, Record<N, V, Connection>& token) {
    using Scalar = NumberOf<V>;
    Logits<Connection>::template forward<N>(alpha, b, token);
    pre_gates<N>(options, token.logits, token.pre);
    for (int i = 0; i < N; ++i) {
      token.post[i] =
          mul_add(sigmoid(token.logits[N + i]), V(static_cast<Scalar>(options.post_scale)),
                  V(static_cast<Scalar>(options.post_eps)));
    }
    ResidualMapping<Residual>::template forward<N>(token.logits + 2 * N, options.residual,
                                                   token.res);
  }

  template <int N, class V>
  MHC_DEVICE static void backward(const Options& options, const NumberOf<V>* alpha,
                                  const Record<N, V, Connection>& token,
                                  Record<N, V, Connection>& dtoken) {
    using Scalar = NumberOf<V>;
    pre_gates_backward<N>(options, token.logits, dtoken.pre, dtoken.logits);
    for (int i = 0; i < N; ++i) {
      const V s = sigmoid(token.logits[N + i]);
      dtoken.logits[N + i] =
          dtoken.post[i] * V(static_cast<Scalar>(options.post_scale)) * s * (V(Scalar(1)) - s);
    }
    ResidualMapping<Residual>::template backward<N>(
        token.logits + 2 * N, token.res, options.residual, dtoken.res, dtoken.logits + 2 * N);
    Logits<Connection>::template backward<N>(alpha, token, dtoken);
  }
};

/// HC: pre, post and res are the logits.
template <class Source>
struct Mapping<Unconstrained<Source>> : Logits<Unconstrained<Source>> {
  using Connection = Unconstrained<Source>;
  using Options = typename Connection::Options;

  template <int N, class V>
  MHC_DEVICE static void forward(const Options& /*options*/, const NumberOf<V>* alpha,
                                 const NumberOf<V>* b, Record<N, V, Connection>& token) {
    Logits<Connection>::template forward<N>(alpha, b, token);
    for (int i = 0; i < N; ++i) {
      token.pre[i] = token.logits[i];
      token.post[i] = token.logits[N + i];
    }
    for (int e = 0; e < N * N; ++e) token.res[e] = token.logits[2 * N + e];
  }

  template <int N, class V>
  MHC_DEVICE static void backward(const Options& /*options*/, const NumberOf<V>* alpha,
                                  const Record<N, V, Connection>& token,
                                  Record<N, V, Connection>& dtoken) {
    for (int i = 0; i < N; ++i) {
      dtoken.logits[i] = dtoken.pre[i];
      dtoken.logits[N + i] = dtoken.post[i];
    }
    for (int e = 0; e < N * N; ++e) dtoken.logits[2 * N + e] = dtoken.res[e];
    Logits<Connection>::template backward<N>(alpha, token, dtoken);
  }
};

/// pre = 1/n, post = 1, res = I; nothing to learn.
template <>
struct Mapping<OrdinaryResidual> {
  template <int N, class V>
  MHC_DEVICE static void forward(const OrdinaryResidual::Options& /*options*/,
                                 const NumberOf<V>* /*alpha*/, const NumberOf<V>* /*b*/,
                                 Record<N, V, OrdinaryResidual>& token) {
    using Scalar = NumberOf<V>;
    for (int i = 0; i < N; ++i) {
      token.pre[i] = V(Scalar(1) / Scalar(N));
      token.post[i] = V(Scalar(1));
    }
    identity_matrix<N>(token.res);
  }

  template <int N, class V>
  MHC_DEVICE static void backward(const OrdinaryResidual::Options& /*options*/,
                                  const NumberOf<V>* /*alpha*/,
                                  const Record<N, V, OrdinaryResidual>& /*token*/,
                                  Record<N, V, OrdinaryResidual>& /*dtoken*/) {}
};

/// pre alone.
template <>
struct Mapping<LearnedCollapse> : Logits<LearnedCollapse> {
  template <int N, class V>
  MHC_DEVICE static void forward(const LearnedCollapse::Options& options, const NumberOf<V>* alpha,
                                 const NumberOf<V>* b, Record<N, V, LearnedCollapse>& token) {
    Logits<LearnedCollapse>::forward<N>(alpha, b, token);
    pre_gates<N>(options, token.logits, token.pre);
  }

  template <int N, class V>
  MHC_DEVICE static void backward(const LearnedCollapse::Options& options, const NumberOf<V>* alpha,
                                  const Record<N, V, LearnedCollapse>& token,
                                  Record<N, V, LearnedCollapse>& dtoken) {
    pre_gates_backward<N>(options, token.logits, dtoken.pre, dtoken.logits);
    Logits<LearnedCollapse>::backward<N>(alpha, token, dtoken);
  }
};
