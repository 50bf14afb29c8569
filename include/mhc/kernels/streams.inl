// SPDX-License-Identifier: MIT
// Part of kernels.hpp: what mixes streams, one token at a time, channels in the lanes. Each loop
// over channels is written once, in `..._part<Whole>`, for W channels or for the last few.

// aggregate: u = pre . x

template <bool Whole, int N, class Element, class S>
MHC_INLINE void aggregate_part(
    const Element* x, index stream_stride, const S* pre, Element* u, index some) {
  Pack<S> sum = Pack<S>(pre[0]) * load_part<Whole>(x, some);
  for (int i = 1; i < N; ++i) {
    sum = mul_add(Pack<S>(pre[i]), load_part<Whole>(x + i * stream_stride, some), sum);
  }
  store_part<Whole>(sum, u, some);
}

template <int N, class Element, class S>
inline void aggregate(
    const Element* x, index stream_stride, const S* pre, Element* u, index channels) {
  constexpr index W = Pack<S>::size;
  index c = 0;
  for (; c + W <= channels; c += W) {
    aggregate_part<true, N>(x + c, stream_stride, pre, u + c, W);
  }
  if (c < channels) aggregate_part<false, N>(x + c, stream_stride, pre, u + c, channels - c);
}

// aggregate backward, the coefficients: dpre_i = <du, x_i>. The part of dx is in site.inl, where
// all three terms of dx meet.

template <bool Whole, int N, class Element, class S>
MHC_INLINE void aggregate_dot_part(
    const Element* x, index stream_stride, const Element* du, Pack<S>* dpre, index some) {
  const Pack<S> gradient = load_part<Whole>(du, some);
  for (int i = 0; i < N; ++i) {
    dpre[i] = mul_add(gradient, load_part<Whole>(x + i * stream_stride, some), dpre[i]);
  }
}

template <int N, class Element, class S>
inline void aggregate_backward(
    const Element* x, index stream_stride, const Element* du, S* dpre, index channels) {
  constexpr index W = Pack<S>::size;
  Pack<S> sums[N];
  for (int i = 0; i < N; ++i) sums[i] = Pack<S>(S(0));
  index c = 0;
  for (; c + W <= channels; c += W) {
    aggregate_dot_part<true, N>(x + c, stream_stride, du + c, sums, W);
  }
  if (c < channels) {
    aggregate_dot_part<false, N>(x + c, stream_stride, du + c, sums, channels - c);
  }
  for (int i = 0; i < N; ++i) dpre[i] = sum(sums[i]);
}

// merge: x'_o = post_o v + sum_i res[o][i] x_i. Every value of a lane is read before one is
// written, so that x' may be x itself.

template <bool Whole, int N, class Element, class S>
MHC_INLINE void merge_part(const Element* x,
                           index stream_stride,
                           const Element* v,
                           const S* post,
                           const S* res,
                           Element* x_next,
                           index next_stride,
                           index some) {
  const Pack<S> update = load_part<Whole>(v, some);
  Pack<S> streams[N];
  for (int i = 0; i < N; ++i) streams[i] = load_part<Whole>(x + i * stream_stride, some);
  for (int o = 0; o < N; ++o) {
    Pack<S> sum = Pack<S>(post[o]) * update;
    for (int i = 0; i < N; ++i) sum = mul_add(Pack<S>(res[o * N + i]), streams[i], sum);
    store_part<Whole>(sum, x_next + o * next_stride, some);
  }
}

template <int N, class Element, class S>
inline void merge(const Element* x,
                  index stream_stride,
                  const Element* v,
                  const S* post,
                  const S* res,
                  Element* x_next,
                  index next_stride,
                  index channels) {
  constexpr index W = Pack<S>::size;
  index c = 0;
  for (; c + W <= channels; c += W) {
    merge_part<true, N>(x + c, stream_stride, v + c, post, res, x_next + c, next_stride, W);
  }
  if (c < channels) {
    merge_part<false, N>(x + c, stream_stride, v + c, post, res, x_next + c, next_stride,
                         channels - c);
  }
}

// merge backward: dv = sum_o post_o dx'_o,  dpost_o = <dx'_o, v>,  dres[o][i] = <dx'_o, x_i>.

template <bool Whole, int N, class Element, class S>
MHC_INLINE void merge_backward_part(const Element* dx_next,
                                    index next_stride,
                                    const Element* x,
                                    index stream_stride,
                                    const Element* v,
                                    const S* post,
                                    Element* dv,
                                    Pack<S>* dpost,
                                    Pack<S>* dres,
                                    index some) {
  const Pack<S> update = load_part<Whole>(v, some);
  Pack<S> streams[N];
  for (int i = 0; i < N; ++i) streams[i] = load_part<Whole>(x + i * stream_stride, some);
  Pack<S> dupdate;
  for (int o = 0; o < N; ++o) {
    const Pack<S> gradient = load_part<Whole>(dx_next + o * next_stride, some);
    const Pack<S> factor = Pack<S>(post[o]);
    dupdate = o == 0 ? factor * gradient : mul_add(factor, gradient, dupdate);
    dpost[o] = mul_add(gradient, update, dpost[o]);
    for (int i = 0; i < N; ++i) {
      dres[o * N + i] = mul_add(gradient, streams[i], dres[o * N + i]);
    }
  }
  store_part<Whole>(dupdate, dv, some);
}

template <int N, class Element, class S>
inline void merge_backward(const Element* dx_next,
                           index next_stride,
                           const Element* x,
                           index stream_stride,
                           const Element* v,
                           const S* post,
                           Element* dv,
                           S* dpost,
                           S* dres,
                           index channels) {
  constexpr index W = Pack<S>::size;
  Pack<S> dpost_sums[N];
  Pack<S> dres_sums[N * N];
  for (int o = 0; o < N; ++o) dpost_sums[o] = Pack<S>(S(0));
  for (int e = 0; e < N * N; ++e) dres_sums[e] = Pack<S>(S(0));
  index c = 0;
  for (; c + W <= channels; c += W) {
    merge_backward_part<true, N>(dx_next + c, next_stride, x + c, stream_stride, v + c, post,
                                 dv + c, dpost_sums, dres_sums, W);
  }
  if (c < channels) {
    merge_backward_part<false, N>(dx_next + c, next_stride, x + c, stream_stride, v + c, post,
                                  dv + c, dpost_sums, dres_sums, channels - c);
  }
  for (int o = 0; o < N; ++o) dpost[o] = sum(dpost_sums[o]);
  for (int e = 0; e < N * N; ++e) dres[e] = sum(dres_sums[e]);
}

/// The three terms of dx meet and are rounded once:
///   dx_i = sum_o res[o][i] dx'_o + pre_i du + back_i + norm x_i
/// with `back` from the projection. Either cotangent may be absent (null). dx may be dx'.
template <bool Whole, int N, class Element, class S>
MHC_INLINE void stream_gradient_part(const Element* dx_next,
                                     index next_stride,
                                     const S* res,
                                     const Element* du,
                                     const S* pre,
                                     Pack<S>* terms,
                                     index some) {
  if (dx_next != nullptr) {
    for (int o = 0; o < N; ++o) {
      const Pack<S> gradient = load_part<Whole>(dx_next + o * next_stride, some);
      for (int i = 0; i < N; ++i) {
        terms[i] = mul_add(Pack<S>(res[o * N + i]), gradient, terms[i]);
      }
    }
  }
  if (du != nullptr) {
    const Pack<S> gradient = load_part<Whole>(du, some);
    for (int i = 0; i < N; ++i) terms[i] = mul_add(Pack<S>(pre[i]), gradient, terms[i]);
  }
}

/// The two terms of dx that do not come from the projection, for one token.
template <int N, class Element, class S>
inline void stream_gradient(const Element* dx_next,
                            index next_stride,
                            const S* res,
                            const Element* du,
                            const S* pre,
                            Element* dx,
                            index stream_stride,
                            index channels) {
  constexpr index W = Pack<S>::size;
  for (index c = 0; c < channels; c += W) {
    Pack<S> terms[N];
    for (int i = 0; i < N; ++i) terms[i] = Pack<S>(S(0));
    const index some = std::min(W, channels - c);
    const Element* dx_next_at = dx_next != nullptr ? dx_next + c : nullptr;
    const Element* du_at = du != nullptr ? du + c : nullptr;
    if (some == W) {
      stream_gradient_part<true, N>(dx_next_at, next_stride, res, du_at, pre, terms, some);
      for (int i = 0; i < N; ++i) store(terms[i], dx + i * stream_stride + c);
    } else {
      stream_gradient_part<false, N>(dx_next_at, next_stride, res, du_at, pre, terms, some);
      for (int i = 0; i < N; ++i) store_first(terms[i], dx + i * stream_stride + c, some);
    }
  }
}

// The same over a range of tokens, coefficients in views: what aggregate.hpp and merge.hpp call.

template <int N, class Element, class S>
inline void aggregate_tokens(const StreamView<const Element>& x,
                             const TokenView<const S>& pre,
                             const TokenView<Element>& u,
                             index begin,
                             index end) {
  for (index t = begin; t < end; ++t) {
    aggregate<N>(x.row(t, 0), x.stream_stride, pre.row(t), u.row(t), x.channels);
  }
}

template <int N, class Element, class S>
inline void aggregate_backward_tokens(const StreamView<const Element>& x,
                                      const TokenView<const S>& pre,
                                      const TokenView<const Element>& du,
                                      const StreamView<Element>& dx,
                                      const TokenView<S>& dpre,
                                      index begin,
                                      index end) {
  for (index t = begin; t < end; ++t) {
    aggregate_backward<N>(x.row(t, 0), x.stream_stride, du.row(t), dpre.row(t), x.channels);
    stream_gradient<N, Element, S>(nullptr, 0, nullptr, du.row(t), pre.row(t), dx.row(t, 0),
                                   dx.stream_stride, x.channels);
  }
}

template <int N, class Element, class S>
inline void merge_tokens(const StreamView<const Element>& x,
                         const TokenView<const Element>& v,
                         const TokenView<const S>& post,
                         const StreamView<const S>& res,
                         const StreamView<Element>& x_next,
                         index begin,
                         index end) {
  for (index t = begin; t < end; ++t) {
    merge<N>(x.row(t, 0), x.stream_stride, v.row(t), post.row(t), res.row(t, 0), x_next.row(t, 0),
             x_next.stream_stride, x.channels);
  }
}

template <int N, class Element, class S>
inline void merge_backward_tokens(const StreamView<const Element>& dx_next,
                                  const StreamView<const Element>& x,
                                  const TokenView<const Element>& v,
                                  const TokenView<const S>& post,
                                  const StreamView<const S>& res,
                                  const StreamView<Element>& dx,
                                  const TokenView<Element>& dv,
                                  const TokenView<S>& dpost,
                                  const StreamView<S>& dres,
                                  index begin,
                                  index end) {
  for (index t = begin; t < end; ++t) {
    merge_backward<N>(dx_next.row(t, 0), dx_next.stream_stride, x.row(t, 0), x.stream_stride,
                      v.row(t), post.row(t), dv.row(t), dpost.row(t), dres.row(t, 0), x.channels);
    stream_gradient<N, Element, S>(dx_next.row(t, 0), dx_next.stream_stride, res.row(t, 0), nullptr,
                                   nullptr, dx.row(t, 0), dx.stream_stride, x.channels);
  }
}

// Run-time n, all streams alike: what expand.hpp and collapse.hpp call.

/// out = scale * sum_i x_i.
template <bool Whole, class Element, class S>
MHC_INLINE void sum_streams_part(
    const Element* x, index stream_stride, index streams, S scale, Element* out, index some) {
  Pack<S> sum = load_part<Whole>(x, some);
  for (index i = 1; i < streams; ++i) {
    sum = sum + load_part<Whole>(x + i * stream_stride, some);
  }
  store_part<Whole>(sum * Pack<S>(scale), out, some);
}

template <class Element, class S>
inline void sum_streams(const StreamView<const Element>& x,
                        S scale,
                        const TokenView<Element>& out,
                        index begin,
                        index end) {
  constexpr index W = Pack<S>::size;
  for (index t = begin; t < end; ++t) {
    index c = 0;
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
template <class Element, class S>
inline void repeat_token(const TokenView<const Element>& in,
                         S scale,
                         const StreamView<Element>& x,
                         index begin,
                         index end) {
  constexpr index W = Pack<S>::size;
  for (index t = begin; t < end; ++t) {
    for (index c = 0; c < in.channels; c += W) {
      const index some = std::min(W, in.channels - c);
      const Pack<S> value =
          (some == W ? load(in.row(t) + c) : load_first(in.row(t) + c, some)) * Pack<S>(scale);
      for (index i = 0; i < x.streams; ++i) {
        if (some == W) {
          store(value, x.row(t, i) + c);
        } else {
          store_first(value, x.row(t, i) + c, some);
        }
      }
    }
  }
}
