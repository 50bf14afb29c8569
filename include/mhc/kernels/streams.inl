// SPDX-License-Identifier: MIT
// Part of kernels.hpp: what mixes streams, one token at a time, channels in the lanes. Each loop
// over channels is written once, in `..._part<Whole>`, for W channels or for the last few.

// aggregate: u = pre . x

template <bool Whole, int N, class Element, class Scalar>
MHC_INLINE void aggregate_part(const Element* x, Index stream_stride, const Scalar* pre, Element* u,
                               Index some) {
  Pack<Scalar> sum = Pack<Scalar>(pre[0]) * load_part<Pack<Scalar>, Whole>(x, some);
  MHC_UNROLL
  for (int i = 1; i < N; ++i) {
    sum = mul_add(Pack<Scalar>(pre[i]), load_part<Pack<Scalar>, Whole>(x + i * stream_stride, some),
                  sum);
  }
  store_part<Whole>(sum, u, some);
}

template <int N, class Element, class Scalar>
inline void aggregate(const Element* x, Index stream_stride, const Scalar* pre, Element* u,
                      Index channels) {
  constexpr Index W = Pack<Scalar>::size;
  Index c = 0;
  for (; c + W <= channels; c += W) {
    aggregate_part<true, N>(x + c, stream_stride, pre, u + c, W);
  }
  if (c < channels) aggregate_part<false, N>(x + c, stream_stride, pre, u + c, channels - c);
}

// aggregate backward, the coefficients: dpre_i = <du, x_i>. Its part of dx is in stream_gradient
// below, where all terms of dx meet.

template <bool Whole, int N, class Element, class Scalar>
MHC_INLINE void aggregate_dot_part(const Element* x, Index stream_stride, const Element* du,
                                   Pack<Scalar>* dpre, Index some) {
  const Pack<Scalar> gradient = load_part<Pack<Scalar>, Whole>(du, some);
  MHC_UNROLL
  for (int i = 0; i < N; ++i) {
    dpre[i] =
        mul_add(gradient, load_part<Pack<Scalar>, Whole>(x + i * stream_stride, some), dpre[i]);
  }
}

template <int N, class Element, class Scalar>
inline void aggregate_backward(const Element* x, Index stream_stride, const Element* du,
                               Scalar* dpre, Index channels) {
  constexpr Index W = Pack<Scalar>::size;
  Pack<Scalar> sums[N];
  MHC_UNROLL
  for (int i = 0; i < N; ++i) sums[i] = Pack<Scalar>(Scalar(0));
  Index c = 0;
  for (; c + W <= channels; c += W) {
    aggregate_dot_part<true, N>(x + c, stream_stride, du + c, sums, W);
  }
  if (c < channels) {
    aggregate_dot_part<false, N>(x + c, stream_stride, du + c, sums, channels - c);
  }
  MHC_UNROLL
  for (int i = 0; i < N; ++i) dpre[i] = sum(sums[i]);
}

// merge: x'_o = post_o v + sum_i res[o][i] x_i. Every value of a lane is read before one is
// written, so that x' may be x itself.

template <class V, bool Whole, int N, class Element, class Scalar>
MHC_INLINE void merge_part(const Element* x, Index stream_stride, const Element* v,
                           const Scalar* post, const Scalar* res, Element* x_next,
                           Index next_stride, Index some) {
  const V update = load_part<V, Whole>(v, some);
  V streams[N];
  MHC_UNROLL
  for (int i = 0; i < N; ++i) streams[i] = load_part<V, Whole>(x + i * stream_stride, some);
  MHC_UNROLL_4
  for (int o = 0; o < N; ++o) {
    V sum = V(post[o]) * update;
    MHC_UNROLL
    for (int i = 0; i < N; ++i) sum = mul_add(V(res[o * N + i]), streams[i], sum);
    store_part<Whole>(sum, x_next + o * next_stride, some);
  }
}

template <int N, class Element, class Scalar>
inline void merge(const Element* x, Index stream_stride, const Element* v, const Scalar* post,
                  const Scalar* res, Element* x_next, Index next_stride, Index channels) {
  using Wide = Pair<Scalar>;  // shares the coefficients
  using Narrow = Pack<Scalar>;
  Index c = 0;
  for (; c + Wide::size <= channels; c += Wide::size) {
    merge_part<Wide, true, N>(x + c, stream_stride, v + c, post, res, x_next + c, next_stride, 0);
  }
  for (; c + Narrow::size <= channels; c += Narrow::size) {
    merge_part<Narrow, true, N>(x + c, stream_stride, v + c, post, res, x_next + c, next_stride, 0);
  }
  if (c < channels) {
    merge_part<Narrow, false, N>(x + c, stream_stride, v + c, post, res, x_next + c, next_stride,
                                 channels - c);
  }
}

// merge backward: dv = sum_o post_o dx'_o,  dpost_o = <dx'_o, v>,  dres[o][i] = <dx'_o, x_i>.

template <bool Whole, int N, class Element, class Scalar>
MHC_INLINE void merge_backward_part(const Element* dx_next, Index next_stride, const Element* x,
                                    Index stream_stride, const Element* v, const Scalar* post,
                                    Element* dv, Pack<Scalar>* dpost, Pack<Scalar>* dres,
                                    Index some) {
  const Pack<Scalar> update = load_part<Pack<Scalar>, Whole>(v, some);
  Pack<Scalar> streams[N];
  MHC_UNROLL
  for (int i = 0; i < N; ++i)
    streams[i] = load_part<Pack<Scalar>, Whole>(x + i * stream_stride, some);
  Pack<Scalar> dupdate;
  MHC_UNROLL_4
  for (int o = 0; o < N; ++o) {
    const Pack<Scalar> gradient = load_part<Pack<Scalar>, Whole>(dx_next + o * next_stride, some);
    const Pack<Scalar> factor = Pack<Scalar>(post[o]);
    dupdate = o == 0 ? factor * gradient : mul_add(factor, gradient, dupdate);
    dpost[o] = mul_add(gradient, update, dpost[o]);
    MHC_UNROLL
    for (int i = 0; i < N; ++i) {
      dres[o * N + i] = mul_add(gradient, streams[i], dres[o * N + i]);
    }
  }
  store_part<Whole>(dupdate, dv, some);
}

template <int N, class Element, class Scalar>
inline void merge_backward(const Element* dx_next, Index next_stride, const Element* x,
                           Index stream_stride, const Element* v, const Scalar* post, Element* dv,
                           Scalar* dpost, Scalar* dres, Index channels) {
  constexpr Index W = Pack<Scalar>::size;
  Pack<Scalar> dpost_sums[N];
  Pack<Scalar> dres_sums[N * N];
  MHC_UNROLL
  for (int o = 0; o < N; ++o) dpost_sums[o] = Pack<Scalar>(Scalar(0));
  MHC_UNROLL
  for (int e = 0; e < N * N; ++e) dres_sums[e] = Pack<Scalar>(Scalar(0));
  Index c = 0;
  for (; c + W <= channels; c += W) {
    merge_backward_part<true, N>(dx_next + c, next_stride, x + c, stream_stride, v + c, post,
                                 dv + c, dpost_sums, dres_sums, W);
  }
  if (c < channels) {
    merge_backward_part<false, N>(dx_next + c, next_stride, x + c, stream_stride, v + c, post,
                                  dv + c, dpost_sums, dres_sums, channels - c);
  }
  MHC_UNROLL
  for (int o = 0; o < N; ++o) dpost[o] = sum(dpost_sums[o]);
  MHC_UNROLL
  for (int e = 0; e < N * N; ++e) dres[e] = sum(dres_sums[e]);
}

/// The terms of one token's dx; a null pointer leaves its term out.
///   dx_i = sum_o res[o][i] dx'_o + pre_i du + norm_i x_i + back_i
template <class Element, class Scalar>
struct StreamGradient {
  const Element* dx_next = nullptr;
  Index next_stride = 0;
  const Scalar* res = nullptr;
  const Element* du = nullptr;
  const Scalar* pre = nullptr;
  const Element* x = nullptr;  ///< the norm's term, and the projection's:
  Index stream_stride = 0;
  const Scalar* norm = nullptr;
  const Scalar* back = nullptr;
  Index back_stride = 0;
};

/// All terms meet in the compute type and are rounded once. dx may be dx'.
template <class V, bool Whole, int N, class Element, class Scalar>
MHC_INLINE void stream_gradient_part(const StreamGradient<Element, Scalar>& terms, Element* dx,
                                     Index dx_stride, Index c, Index some) {
  V sums[N];
  MHC_UNROLL
  for (int i = 0; i < N; ++i) sums[i] = V(Scalar(0));
  if (terms.x != nullptr) {
    MHC_UNROLL
    for (int i = 0; i < N; ++i) {
      sums[i] = mul_add(V(terms.norm[i]),
                        load_part<V, Whole>(terms.x + i * terms.stream_stride + c, some),
                        load_part<V, Whole>(terms.back + i * terms.back_stride + c, some));
    }
  }
  if (terms.dx_next != nullptr) {
    MHC_UNROLL_4
    for (int o = 0; o < N; ++o) {
      const V gradient = load_part<V, Whole>(terms.dx_next + o * terms.next_stride + c, some);
      MHC_UNROLL
      for (int i = 0; i < N; ++i) {
        sums[i] = mul_add(V(terms.res[o * N + i]), gradient, sums[i]);
      }
    }
  }
  if (terms.du != nullptr) {
    const V gradient = load_part<V, Whole>(terms.du + c, some);
    MHC_UNROLL
    for (int i = 0; i < N; ++i) sums[i] = mul_add(V(terms.pre[i]), gradient, sums[i]);
  }
  MHC_UNROLL
  for (int i = 0; i < N; ++i) store_part<Whole>(sums[i], dx + i * dx_stride + c, some);
}

template <int N, class Element, class Scalar>
inline void stream_gradient(const StreamGradient<Element, Scalar>& terms, Element* dx,
                            Index dx_stride, Index channels) {
  using Wide = Pair<Scalar>;  // shares the coefficients
  using Narrow = Pack<Scalar>;
  Index c = 0;
  for (; c + Wide::size <= channels; c += Wide::size) {
    stream_gradient_part<Wide, true, N>(terms, dx, dx_stride, c, 0);
  }
  for (; c + Narrow::size <= channels; c += Narrow::size) {
    stream_gradient_part<Narrow, true, N>(terms, dx, dx_stride, c, 0);
  }
  if (c < channels) {
    stream_gradient_part<Narrow, false, N>(terms, dx, dx_stride, c, channels - c);
  }
}

// The same over a range of tokens, coefficients in views: what aggregate.hpp and merge.hpp call.

template <int N, class Element, class Scalar>
inline void aggregate_tokens(const StreamView<const Element>& x, const TokenView<const Scalar>& pre,
                             const TokenView<Element>& u, Index begin, Index end) {
  for (Index t = begin; t < end; ++t) {
    aggregate<N>(x.row(t, 0), x.stream_stride, pre.row(t), u.row(t), x.channels);
  }
}

template <int N, class Element, class Scalar>
inline void aggregate_backward_tokens(const StreamView<const Element>& x,
                                      const TokenView<const Scalar>& pre,
                                      const TokenView<const Element>& du,
                                      const StreamView<Element>& dx, const TokenView<Scalar>& dpre,
                                      Index begin, Index end) {
  for (Index t = begin; t < end; ++t) {
    aggregate_backward<N>(x.row(t, 0), x.stream_stride, du.row(t), dpre.row(t), x.channels);
    StreamGradient<Element, Scalar> terms;
    terms.du = du.row(t);
    terms.pre = pre.row(t);
    stream_gradient<N>(terms, dx.row(t, 0), dx.stream_stride, x.channels);
  }
}

template <int N, class Element, class Scalar>
inline void merge_tokens(const StreamView<const Element>& x, const TokenView<const Element>& v,
                         const TokenView<const Scalar>& post, const StreamView<const Scalar>& res,
                         const StreamView<Element>& x_next, Index begin, Index end) {
  for (Index t = begin; t < end; ++t) {
    merge<N>(x.row(t, 0), x.stream_stride, v.row(t), post.row(t), res.row(t, 0), x_next.row(t, 0),
             x_next.stream_stride, x.channels);
  }
}

template <int N, class Element, class Scalar>
inline void merge_backward_tokens(const StreamView<const Element>& dx_next,
                                  const StreamView<const Element>& x,
                                  const TokenView<const Element>& v,
                                  const TokenView<const Scalar>& post,
                                  const StreamView<const Scalar>& res,
                                  const StreamView<Element>& dx, const TokenView<Element>& dv,
                                  const TokenView<Scalar>& dpost, const StreamView<Scalar>& dres,
                                  Index begin, Index end) {
  for (Index t = begin; t < end; ++t) {
    merge_backward<N>(dx_next.row(t, 0), dx_next.stream_stride, x.row(t, 0), x.stream_stride,
                      v.row(t), post.row(t), dv.row(t), dpost.row(t), dres.row(t, 0), x.channels);
    StreamGradient<Element, Scalar> terms;
    terms.dx_next = dx_next.row(t, 0);
    terms.next_stride = dx_next.stream_stride;
    terms.res = res.row(t, 0);
    stream_gradient<N>(terms, dx.row(t, 0), dx.stream_stride, x.channels);
  }
}

// Run-time n, all streams alike: what expand.hpp and collapse.hpp call.

/// out = scale * sum_i x_i.
template <bool Whole, class Element, class Scalar>
MHC_INLINE void sum_streams_part(const Element* x, Index stream_stride, Index streams, Scalar scale,
                                 Element* out, Index some) {
  Pack<Scalar> sum = load_part<Pack<Scalar>, Whole>(x, some);
  for (Index i = 1; i < streams; ++i) {
    sum = sum + load_part<Pack<Scalar>, Whole>(x + i * stream_stride, some);
  }
  store_part<Whole>(sum * Pack<Scalar>(scale), out, some);
}

template <class Element, class Scalar>
inline void sum_streams(const StreamView<const Element>& x, Scalar scale,
                        const TokenView<Element>& out, Index begin, Index end) {
  constexpr Index W = Pack<Scalar>::size;
  for (Index t = begin; t < end; ++t) {
    Index c = 0;
    for (; c + W <= x.channels; c += W) {
      sum_streams_part<true>(x.row(t, 0) + c, x.stream_stride, x.streams, scale, out.row(t) + c, W);
    }
    if (c < x.channels) {
      sum_streams_part<false>(x.row(t, 0) + c, x.stream_stride, x.streams, scale, out.row(t) + c,
                              x.channels - c);
    }
  }
}

/// x_i = scale * in, for every stream.
template <class Element, class Scalar>
inline void repeat_token(const TokenView<const Element>& in, Scalar scale,
                         const StreamView<Element>& x, Index begin, Index end) {
  constexpr Index W = Pack<Scalar>::size;
  for (Index t = begin; t < end; ++t) {
    for (Index c = 0; c < in.channels; c += W) {
      const Index some = (std::min)(W, in.channels - c);
      const Pack<Scalar> value =
          (some == W ? load(in.row(t) + c) : load_first(in.row(t) + c, some)) * Pack<Scalar>(scale);
      for (Index i = 0; i < x.streams; ++i) {
        if (some == W) {
          store(value, x.row(t, i) + c);
        } else {
          store_first(value, x.row(t, i) + c, some);
        }
      }
    }
  }
}
