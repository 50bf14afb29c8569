// SPDX-License-Identifier: MIT
// Part of kernels.hpp: what the four calls of a block do to the tokens [begin, end). Stateless, no
// allocation, no exception; a token's result depends on that token alone.

/// norm and projection of Packs * W tokens from t0.
template <int Packs, int N, class S, class Connection, class Element>
inline void project_tile(const Site<N, S, Connection>& site, const StreamView<const Element>& x,
                         index t0, int count, Record<N, S, Connection> (&tokens)[Packs]) {
  using Shape = typename Connection::template Shape<N>;
  constexpr int groups = Shape::groups;
  Pack<S> squares[Packs][groups];
  Pack<S>* raw[Packs];
  for (int p = 0; p < Packs; ++p) raw[p] = tokens[p].raw;
  project<groups, Shape::projections, Packs>(x, t0, count, site.parameters.phi_data(), raw,
                                             squares);
  const Pack<S> depth(static_cast<S>(site.parameters.depth(x.channels)));
  const Pack<S> eps(static_cast<S>(site.options.norm_eps));
  for (int p = 0; p < Packs; ++p) {
    for (int g = 0; g < groups; ++g) {
      tokens[p].inverse_rms[g] = Pack<S>(S(1)) / sqrt(squares[p][g] / depth + eps);
    }
  }
}

/// The mappings of `count` <= Packs * W tokens from t0, into their records.
template <int Packs, int N, class S, class Connection, class Element>
inline void map_tile(const Site<N, S, Connection>& site, const StreamView<const Element>& x,
                     index t0, int count, const SavedView<N, S, Connection>& saved) {
  using Layout = SavedView<N, S, Connection>;
  using Shape = typename Connection::template Shape<N>;
  constexpr int W = Pack<S>::size;
  Record<N, S, Connection> tokens[Packs];
  if constexpr (Shape::projections > 0) project_tile(site, x, t0, count, tokens);
  for (int p = 0; p < Packs; ++p) {
    auto& token = tokens[p];
    const int some = std::min(W, count - p * W);
    S* records = saved.token(t0 + p * W);
    Mapping<Connection>::template forward<N>(site.options, site.parameters.alpha_data(),
                                             site.parameters.b_data(), token);
    if constexpr (Shape::projections > 0) {
      scatter(token.inverse_rms, some, Shape::groups, records, Layout::record);
      scatter(token.raw, some, Shape::groups * Shape::projections, records + Layout::raw_offset,
              Layout::record);
      scatter(token.logits, some, Shape::logits, records + Layout::logits_offset, Layout::record);
    }
    scatter(token.pre, some, N, records + Layout::pre_offset, Layout::record);
    if constexpr (Shape::merges) {
      scatter(token.post, some, N, records + Layout::post_offset, Layout::record);
      scatter(token.res, some, N * N, records + Layout::res_offset, Layout::record);
    }
  }
}

template <int N, class S, class Connection, class Element>
inline void prepare(const Site<N, S, Connection>& site, const StreamView<const Element>& x,
                    const TokenView<Element>& u, const SavedView<N, S, Connection>& saved,
                    index begin, index end) {
  using Layout = SavedView<N, S, Connection>;
  constexpr int W = Pack<S>::size;
  for (index t0 = begin; t0 < end; t0 += 2 * W) {
    const int count = static_cast<int>(std::min<index>(2 * W, end - t0));
    if (count > W) {
      map_tile<2>(site, x, t0, count, saved);
    } else {
      map_tile<1>(site, x, t0, count, saved);
    }
    if (!u) continue;
    for (index t = t0; t < t0 + count; ++t) {
      aggregate<N>(x.row(t, 0), x.stream_stride, saved.token(t) + Layout::pre_offset, u.row(t),
                   x.channels);
    }
  }
}

template <int N, class S, class Connection, class Element>
inline void finish(const StreamView<const Element>& x, const TokenView<const Element>& v,
                   const SavedView<N, const S, Connection>& saved,
                   const StreamView<Element>& x_next, index begin, index end) {
  using Layout = SavedView<N, S, Connection>;
  for (index t = begin; t < end; ++t) {
    const S* record = saved.token(t);
    merge<N>(x.row(t, 0), x.stream_stride, v.row(t), record + Layout::post_offset,
             record + Layout::res_offset, x_next.row(t, 0), x_next.stream_stride, x.channels);
  }
}

template <int N, class S, class Connection, class Element>
inline void finish_backward(const StreamView<const Element>& dx_next,
                            const StreamView<const Element>& x, const TokenView<const Element>& v,
                            const SavedView<N, const S, Connection>& saved,
                            const TokenView<Element>& dv, const SavedView<N, S, Connection>& dsaved,
                            index begin, index end) {
  using Layout = SavedView<N, S, Connection>;
  for (index t = begin; t < end; ++t) {
    S* drecord = dsaved.token(t);
    std::fill_n(drecord, +Layout::record, S(0));
    if (!dx_next) {
      std::fill_n(dv.row(t), x.channels, Element(0));
      continue;
    }
    merge_backward<N>(dx_next.row(t, 0), dx_next.stream_stride, x.row(t, 0), x.stream_stride,
                      v.row(t), saved.token(t) + Layout::post_offset, dv.row(t),
                      drecord + Layout::post_offset, drecord + Layout::res_offset, x.channels);
  }
}

/// The terms of dx that come from outside the mappings, for token t.
template <int N, class S, class Connection, class Element>
MHC_INLINE StreamGradient<Element, S> outer_terms(const StreamView<const Element>& dx_next,
                                                  const TokenView<const Element>& du,
                                                  const SavedView<N, const S, Connection>& saved,
                                                  index t) {
  using Layout = SavedView<N, S, Connection>;
  StreamGradient<Element, S> terms;
  if (dx_next) {
    terms.dx_next = dx_next.row(t, 0);
    terms.next_stride = dx_next.stream_stride;
    terms.res = saved.token(t) + Layout::res_offset;
  }
  if (du) {
    terms.du = du.row(t);
    terms.pre = saved.token(t) + Layout::pre_offset;
  }
  return terms;
}

/// The gradients of the mappings of W tokens, from those of pre, post and res in dsaved and from
/// du: into dsaved (logits, raw, inverse_rms), into `draw`, and the factor of x in dx into `norm`.
template <int N, class S, class Connection, class Element>
inline void map_tile_backward(const Site<N, S, Connection>& site,
                              const StreamView<const Element>& x,
                              const TokenView<const Element>& du, const S* records, S* drecords,
                              index t0, int count, Pack<S>* draw, Pack<S>* norm) {
  using Layout = SavedView<N, S, Connection>;
  using Shape = typename Connection::template Shape<N>;
  constexpr int groups = Shape::groups;
  constexpr int raws = groups * Shape::projections;
  Record<N, S, Connection> token;
  Record<N, S, Connection> dtoken;
  gather(records, Layout::record, count, groups, token.inverse_rms);
  gather(records + Layout::raw_offset, Layout::record, count, raws, token.raw);
  gather(records + Layout::logits_offset, Layout::record, count, Shape::logits, token.logits);
  if constexpr (Shape::merges) {
    gather<S>(drecords + Layout::pre_offset, Layout::record, count, N, dtoken.pre);
    gather<S>(drecords + Layout::post_offset, Layout::record, count, N, dtoken.post);
    gather<S>(drecords + Layout::res_offset, Layout::record, count, N * N, dtoken.res);
  } else {
    for (int i = 0; i < N; ++i) dtoken.pre[i] = Pack<S>(S(0));
  }
  if (du) {
    for (int lane = 0; lane < count; ++lane) {
      S dpre[N];
      aggregate_backward<N>(x.row(t0 + lane, 0), x.stream_stride, du.row(t0 + lane), dpre,
                            x.channels);
      for (int i = 0; i < N; ++i) dtoken.pre[i].set(lane, dtoken.pre[i][lane] + dpre[i]);
    }
  }
  Mapping<Connection>::template backward<N>(site.options, site.parameters.alpha_data(), token,
                                            dtoken);
  scatter(dtoken.inverse_rms, count, groups, drecords, Layout::record);
  scatter(dtoken.raw, count, raws, drecords + Layout::raw_offset, Layout::record);
  scatter(dtoken.logits, count, Shape::logits, drecords + Layout::logits_offset, Layout::record);
  for (int r = 0; r < raws; ++r) draw[r] = dtoken.raw[r];
  const Pack<S> depth(static_cast<S>(site.parameters.depth(x.channels)));
  for (int g = 0; g < groups; ++g) {  // dr/dx_k = -r^3 x_k / K
    const Pack<S> r = token.inverse_rms[g];
    norm[g] = Pack<S>(S(0)) - dtoken.inverse_rms[g] * r * (r * r / depth);
  }
}

/// dx of `count` <= Packs * W tokens from t0, through their mappings.
template <int Packs, int N, class S, class Connection, class Element>
inline void stream_gradient_tile(const Site<N, S, Connection>& site,
                                 const StreamView<const Element>& x,
                                 const StreamView<const Element>& dx_next,
                                 const TokenView<const Element>& du,
                                 const SavedView<N, const S, Connection>& saved,
                                 const SavedView<N, S, Connection>& dsaved,
                                 const StreamView<Element>& dx, index t0, int count) {
  using Shape = typename Connection::template Shape<N>;
  constexpr int W = Pack<S>::size;
  constexpr int groups = Shape::groups;
  constexpr int R = Shape::projections;
  constexpr int streams_per_group = N / groups;
  Pack<S> draw[Packs][groups * R];
  Pack<S> norm[Packs][groups];
  S back[N][Packs * W][back_channels];
  for (int p = 0; p < Packs; ++p) {
    const index t = t0 + p * W;
    map_tile_backward(site, x, du, saved.token(t), dsaved.token(t), t, std::min(W, count - p * W),
                      draw[p], norm[p]);
  }
  for (index c0 = 0; c0 < x.channels; c0 += back_channels) {
    const int length = static_cast<int>(std::min<index>(back_channels, x.channels - c0));
    for (int i = 0; i < N; ++i) {
      const index depth = i % streams_per_group * x.channels + c0;
      const Pack<S>* of_group[Packs];
      for (int p = 0; p < Packs; ++p) of_group[p] = draw[p] + i / streams_per_group * R;
      project_back<R>(of_group, site.parameters.phi_data() + depth * R, length, &back[i][0][0],
                      back_channels);
    }
    for (int token = 0; token < count; ++token) {
      const index t = t0 + token;
      StreamGradient<Element, S> terms = outer_terms<N, S>(dx_next, du, saved, t);
      if (terms.dx_next != nullptr) terms.dx_next += c0;
      if (terms.du != nullptr) terms.du += c0;
      S token_norm[N];
      for (int i = 0; i < N; ++i) {
        token_norm[i] = norm[token / W][i / streams_per_group][token % W];
      }
      terms.x = x.row(t, 0) + c0;
      terms.stream_stride = x.stream_stride;
      terms.norm = token_norm;
      terms.back = &back[0][token][0];
      terms.back_stride = Packs * W * back_channels;
      stream_gradient<N>(terms, dx.row(t, 0) + c0, dx.stream_stride, length);
    }
  }
}

/// dx, and in dsaved the gradients of logits, raw and inverse_rms.
template <int N, class S, class Connection, class Element>
inline void prepare_backward(const Site<N, S, Connection>& site, const StreamView<const Element>& x,
                             const StreamView<const Element>& dx_next,
                             const TokenView<const Element>& du,
                             const SavedView<N, const S, Connection>& saved,
                             const SavedView<N, S, Connection>& dsaved,
                             const StreamView<Element>& dx, index begin, index end) {
  constexpr int W = Pack<S>::size;
  if constexpr (Connection::template Shape<N>::groups == 0) {  // no mappings to go through
    for (index t = begin; t < end; ++t) {
      stream_gradient<N>(outer_terms<N, S>(dx_next, du, saved, t), dx.row(t, 0), dx.stream_stride,
                         x.channels);
    }
  } else {
    for (index t0 = begin; t0 < end; t0 += 2 * W) {
      const int count = static_cast<int>(std::min<index>(2 * W, end - t0));
      if (count > W) {
        stream_gradient_tile<2>(site, x, dx_next, du, saved, dsaved, dx, t0, count);
      } else {
        stream_gradient_tile<1>(site, x, dx_next, du, saved, dsaved, dx, t0, count);
      }
    }
  }
}

/// dphi += x^T draw for the channels [begin, end) of each stream, all tokens in order.
template <int N, class S, class Connection, class Element>
inline void prepare_backward_phi(const StreamView<const Element>& x,
                                 const SavedView<N, S, Connection>& dsaved,
                                 const ParametersView<N, S, Connection>& dparameters, index begin,
                                 index end) {
  using Layout = SavedView<N, S, Connection>;
  using Shape = typename Connection::template Shape<N>;
  accumulate_phi<Shape::groups, Shape::projections>(x, dsaved.data + Layout::raw_offset,
                                                    index{Layout::record}, begin, end,
                                                    dparameters.phi_data());
}

/// dalpha and db, all tokens in order.
template <int N, class S, class Connection>
inline void prepare_backward_gates(const SavedView<N, const S, Connection>& saved,
                                   const SavedView<N, S, Connection>& dsaved,
                                   const ParametersView<N, S, Connection>& dparameters) {
  using Layout = SavedView<N, S, Connection>;
  for (index t = 0; t < saved.tokens; ++t) {
    const S* record = saved.token(t);
    Mapping<Connection>::template accumulate<N>(record, record + Layout::raw_offset,
                                                dsaved.token(t) + Layout::logits_offset,
                                                dparameters.alpha_data(), dparameters.b_data());
  }
}
