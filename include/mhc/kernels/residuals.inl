// SPDX-License-Identifier: MIT
// Part of kernels.hpp: from logits to H_res and back by each policy of residual_mapping.hpp, a
// token per lane. backward: dlogits (assigned) from dres; `res` is what forward made of `logits`.

template <int N, class V>
MHC_DEVICE inline void identity_matrix(V* res) {
  using Scalar = NumberOf<V>;
  for (int i = 0; i < N; ++i) {
    for (int j = 0; j < N; ++j) res[i * N + j] = V(i == j ? Scalar(1) : Scalar(0));
  }
}

/// p = softmax of `size` logits.
template <class V>
MHC_DEVICE inline void softmax(const V* logits, int size, V* p) {
  using Scalar = NumberOf<V>;
  V most = logits[0];
  for (int l = 1; l < size; ++l) most = larger(most, logits[l]);
  V total = V(Scalar(0));
  for (int l = 0; l < size; ++l) {
    p[l] = exp(logits[l] - most);
    total = total + p[l];
  }
  const V scale = V(Scalar(1)) / total;
  for (int l = 0; l < size; ++l) p[l] = p[l] * scale;
}

template <class Residual>
struct ResidualMapping;

template <>
struct ResidualMapping<SinkhornKnopp> {
  template <int N, class V>
  MHC_DEVICE static void forward(const V* logits, const SinkhornKnoppOptions& options, V* res) {
    sinkhorn_knopp<N>(logits, options, res);
  }
  template <int N, class V>
  MHC_DEVICE static void backward(const V* logits, const V* res,
                                  const SinkhornKnoppOptions& options, const V* dres, V* dlogits) {
    if (options.gradient == Gradient::implicit) {
      implicit_backward<N>(res, dres, dlogits);
    } else {
      sinkhorn_knopp_backward<N>(logits, options, dres, dlogits);
    }
  }
};

template <>
struct ResidualMapping<BirkhoffProjection> {
  template <int N, class V>
  MHC_DEVICE static void forward(const V* logits, const BirkhoffProjection::Options& options,
                                 V* res) {
    for (int lane = 0; lane < V::size; ++lane) {
      double t[N][N];
      take_lane<N>(logits, lane, t);
      birkhoff_projection<N>(options, t);
      put_lane<N>(t, lane, res);
    }
  }
  template <int N, class V>
  MHC_DEVICE static void backward(const V* /*logits*/, const V* res,
                                  const BirkhoffProjection::Options& /*options*/, const V* dres,
                                  V* dlogits) {
    implicit_backward<N>(res, dres, dlogits);
  }
};

/// H_ij = sum of p_r over the permutations with perm_r(i) = j.
template <>
struct ResidualMapping<PermutationSoftmax> {
  using Options = PermutationSoftmax::Options;

  template <int N, class V>
  MHC_DEVICE static void forward(const V* logits, const Options& /*options*/, V* res) {
    using Scalar = NumberOf<V>;
    constexpr int count = detail::permutations<N>();
    V p[count];
    softmax(logits, count, p);
    for (int e = 0; e < N * N; ++e) res[e] = V(Scalar(0));
    for (int r = 0; r < count; ++r) {
      const detail::Permutation<N> permutation(r);
      for (int i = 0; i < N; ++i) {
        V& entry = res[i * N + permutation.to[i]];
        entry = entry + p[r];
      }
    }
  }
  template <int N, class V>
  MHC_DEVICE static void backward(const V* logits, const V* /*res*/, const Options& /*options*/,
                                  const V* dres, V* dlogits) {
    using Scalar = NumberOf<V>;
    constexpr int count = detail::permutations<N>();
    V p[count];
    softmax(logits, count, p);
    V mean = V(Scalar(0));
    for (int r = 0; r < count; ++r) {
      const detail::Permutation<N> permutation(r);
      dlogits[r] = V(Scalar(0));
      for (int i = 0; i < N; ++i) dlogits[r] = dlogits[r] + dres[i * N + permutation.to[i]];
      mean = mul_add(p[r], dlogits[r], mean);
    }
    for (int r = 0; r < count; ++r) dlogits[r] = p[r] * (dlogits[r] - mean);
  }
};

/// H_ij = product over the bits of p_k or 1 - p_k, as i and j agree there or not.
template <>
struct ResidualMapping<Kronecker> {
  using Options = Kronecker::Options;

  /// same[k] = p_k, other[k] = 1 - p_k, as softmaxes, so that neither loses its digits.
  template <int K, class V>
  MHC_DEVICE static void factors(const V* logits, V (&p)[2][K + 1]) {
    for (int k = 0; k < K; ++k) {
      p[0][k] = sigmoid(logits[2 * k] - logits[2 * k + 1]);
      p[1][k] = sigmoid(logits[2 * k + 1] - logits[2 * k]);
    }
  }

  template <int N, class V>
  MHC_DEVICE static void forward(const V* logits, const Options& /*options*/, V* res) {
    using Scalar = NumberOf<V>;
    constexpr int K = detail::kronecker_factors<N>();
    V p[2][K + 1];
    factors<K>(logits, p);
    for (int i = 0; i < N; ++i) {
      for (int j = 0; j < N; ++j) {
        V product = V(Scalar(1));
        for (int k = 0; k < K; ++k) product = product * p[(i ^ j) >> (K - 1 - k) & 1][k];
        res[i * N + j] = product;
      }
    }
  }
  template <int N, class V>
  MHC_DEVICE static void backward(const V* logits, const V* /*res*/, const Options& /*options*/,
                                  const V* dres, V* dlogits) {
    using Scalar = NumberOf<V>;
    constexpr int K = detail::kronecker_factors<N>();
    V p[2][K + 1];
    factors<K>(logits, p);
    for (int k = 0; k < K; ++k) {
      V dsame = V(Scalar(0));  // dL/dp_k
      for (int i = 0; i < N; ++i) {
        for (int j = 0; j < N; ++j) {
          V others = dres[i * N + j];
          for (int l = 0; l < K; ++l) {
            if (l != k) others = others * p[(i ^ j) >> (K - 1 - l) & 1][l];
          }
          dsame = ((i ^ j) >> (K - 1 - k) & 1) == 0 ? dsame + others : dsame - others;
        }
      }
      dlogits[2 * k] = dsame * p[0][k] * p[1][k];
      dlogits[2 * k + 1] = V(Scalar(0)) - dlogits[2 * k];
    }
  }
};

template <>
struct ResidualMapping<IdentityResidual> {
  using Options = IdentityResidual::Options;

  template <int N, class V>
  MHC_DEVICE static void forward(const V* /*logits*/, const Options& /*options*/, V* res) {
    identity_matrix<N>(res);
  }
  template <int N, class V>
  MHC_DEVICE static void backward(const V* /*logits*/, const V* /*res*/, const Options& /*options*/,
                                  const V* /*dres*/, V* /*dlogits*/) {}
};
