// SPDX-License-Identifier: MIT
// Part of kernels.hpp: the backward of the calls in site.inl, with the same promises.

/// f(r) / r, where dr/dx_k = -f(r) x_k / K: f itself would overflow in float for small x. At x = 0,
/// where 1 / (rms + eps) has no derivative, zero.
template <class Scalar>
inline Scalar inverse_rms_backward(Scalar r, NormEps where, Scalar eps) {
  if (where == NormEps::in_root) return r * r;
  const Scalar rms = where == NormEps::on_root ? Scalar(1) / r - eps : Scalar(1) / r;
  if (where == NormEps::least_root && !(rms > eps)) return Scalar(0);  // r is a constant
  return rms > Scalar(0) ? r / rms : Scalar(0);
}

template <int N, class Scalar, class Connection, class Element>
inline void finish_backward(const StreamView<const Element>& dx_next,
                            const StreamView<const Element>& x, const TokenView<const Element>& v,
                            const SavedView<N, const Scalar, Connection>& saved,
                            const TokenView<Element>& dv,
                            const SavedView<N, Scalar, Connection>& dsaved, Index begin,
                            Index end) {
  using Layout = SavedView<N, Scalar, Connection>;
  for (Index t = begin; t < end; ++t) {
    Scalar* drecord = dsaved.token(t);
    std::fill_n(drecord, +Layout::record, Scalar(0));
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
template <int N, class Scalar, class Connection, class Element>
MHC_INLINE StreamGradient<Element, Scalar> outer_terms(
    const StreamView<const Element>& dx_next, const TokenView<const Scalar>& pre,
    const TokenView<const Element>& du, const SavedView<N, const Scalar, Connection>& saved,
    Index t) {
  using Layout = SavedView<N, Scalar, Connection>;
  StreamGradient<Element, Scalar> terms;
  if (dx_next) {
    terms.dx_next = dx_next.row(t, 0);
    terms.next_stride = dx_next.stream_stride;
    terms.res = saved.token(t) + Layout::res_offset;
  }
  if (du) {
    terms.du = du.row(t);
    terms.pre = pre.row(t);
  }
  return terms;
}

/// Onto dpre what comes from u = pre x, dpre_i = <du, x_i>, for `count` tokens from t0. Delayed,
/// the streams were read with another site's pre: then dpre takes over what that site's reader left
/// in `delayed`, and leaves there what belongs to the site before.
template <int N, class V, class Scalar, class Element>
inline void pre_from_reading(const StreamView<const Element>& x, const TokenView<const Element>& du,
                             const TokenView<Scalar>& delayed, Index t0, int count, V* dpre) {
  for (int lane = 0; lane < count; ++lane) {
    Scalar read[N] = {};
    if (du) {
      aggregate_backward<N>(x.row(t0 + lane, 0), x.stream_stride, du.row(t0 + lane), read,
                            x.channels);
    }
    if (delayed) std::swap_ranges(read, read + N, delayed.row(t0 + lane));
    for (int i = 0; i < N; ++i) dpre[i].set(lane, dpre[i][lane] + read[i]);
  }
}

/// The gradients of the mappings of `count` <= V::size tokens from t0, from those of pre, post and
/// res in dsaved and from du: into dsaved (logits, raw, inverse_rms), and the factor of x in dx
/// into norm[t][group].
template <class V, int N, class Scalar, class Connection, class Element>
inline void map_tokens_backward(const Site<N, Scalar, Connection>& site,
                                const StreamView<const Element>& x,
                                const TokenView<const Element>& du,
                                const TokenView<Scalar>& delayed, const Scalar* records,
                                Scalar* drecords, Index t0, int count, Scalar* norm) {
  using Layout = SavedView<N, Scalar, Connection>;
  using Shape = typename Connection::template Shape<N>;
  constexpr int groups = Shape::groups;
  constexpr int raws = groups * Shape::projections;
  Record<N, V, Connection> token;
  Record<N, V, Connection> dtoken;
  gather(records, Layout::record, count, groups, token.inverse_rms);
  gather(records + Layout::raw_offset, Layout::record, count, raws, token.raw);
  gather(records + Layout::logits_offset, Layout::record, count, Shape::logits, token.logits);
  if constexpr (Shape::merges) {
    gather(drecords + Layout::pre_offset, Layout::record, count, N, dtoken.pre);
    gather(drecords + Layout::post_offset, Layout::record, count, N, dtoken.post);
    gather(drecords + Layout::res_offset, Layout::record, count, N * N, dtoken.res);
  } else {
    for (int i = 0; i < N; ++i) dtoken.pre[i] = V(Scalar(0));
  }
  pre_from_reading<N>(x, du, delayed, t0, count, dtoken.pre);
  if constexpr (Shape::merges) {
    gather(records + Layout::res_offset, Layout::record, count, N * N, token.res);
  }
  Mapping<Connection>::template backward<N>(site.options, site.parameters.alpha_data(), token,
                                            dtoken);
  scatter(dtoken.inverse_rms, count, groups, drecords, Layout::record);
  scatter(dtoken.raw, count, raws, drecords + Layout::raw_offset, Layout::record);
  scatter(dtoken.logits, count, Shape::logits, drecords + Layout::logits_offset, Layout::record);
  if constexpr (groups > 0) {
    const Scalar depth = static_cast<Scalar>(site.parameters.depth(x.channels));
    for (int lane = 0; lane < count; ++lane) {
      for (int g = 0; g < groups; ++g) {
        const Scalar slope =
            inverse_rms_backward(token.inverse_rms[g][lane], site.options.norm, norm_eps(site));
        norm[lane * groups + g] =
            -(dtoken.inverse_rms[g][lane] * token.inverse_rms[g][lane]) * (slope / depth);
      }
    }
  }
}

/// How many tokens share the rows of phi that are turned: their gradients stay in L2.
template <int N>
inline constexpr int back_tokens = N <= 4   ? 32
                                   : N <= 8 ? 16
                                            : 8;

/// dx of `count` <= back_tokens tokens from t0, through their mappings.
template <int N, class Scalar, class Connection, class Element>
inline void stream_gradient_tile(const Site<N, Scalar, Connection>& site,
                                 const StreamView<const Element>& x,
                                 const StreamView<const Element>& dx_next,
                                 const TokenView<const Scalar>& pre,
                                 const TokenView<Scalar>& delayed,
                                 const TokenView<const Element>& du,
                                 const SavedView<N, const Scalar, Connection>& saved,
                                 const SavedView<N, Scalar, Connection>& dsaved,
                                 const StreamView<Element>& dx, Index t0, int count) {
  using Layout = SavedView<N, Scalar, Connection>;
  using Shape = typename Connection::template Shape<N>;
  using V = Matrices<N, Scalar>;
  constexpr int groups = Shape::groups;
  constexpr int R = Shape::projections;
  constexpr int streams_per_group = N / groups;
  constexpr int block = 4;  // tokens
  Scalar norm[back_tokens<N>][groups];
  Scalar turned[R * back_channels];
  Scalar back[N][back_tokens<N>][back_channels];
  for (int t = 0; t < count; t += V::size) {
    map_tokens_backward<V>(site, x, du, delayed, saved.token(t0 + t), dsaved.token(t0 + t), t0 + t,
                           (std::min)(V::size, count - t), norm[t]);
  }
  for (Index c0 = 0; c0 < x.channels; c0 += back_channels) {
    const int length = static_cast<int>(std::min<Index>(back_channels, x.channels - c0));
    for (int i = 0; i < N; ++i) {
      const Index depth = i % streams_per_group * x.channels + c0;
      turn_rows<R>(site.parameters.phi_data() + depth * R, length, turned);
      const Scalar* draw = dsaved.token(t0) + Layout::raw_offset + i / streams_per_group * R;
      int t = 0;
      for (; t + block <= count; t += block) {
        for (int ahead = t; ahead < t + block; ++ahead) {
          prefetch(x.row(t0 + ahead, i) + c0, length);
          if (dx_next) prefetch(dx_next.row(t0 + ahead, i) + c0, length);
          prefetch(dx.row(t0 + ahead, i) + c0, length);
        }
        project_back<R, block>(draw + t * Layout::record, Layout::record, turned, length,
                               back[i][t], back_channels);
      }
      for (; t < count; ++t) {
        project_back<R, 1>(draw + t * Layout::record, Layout::record, turned, length, back[i][t],
                           back_channels);
      }
    }
    for (int token = 0; token < count; ++token) {
      const Index t = t0 + token;
      StreamGradient<Element, Scalar> terms = outer_terms<N, Scalar>(dx_next, pre, du, saved, t);
      if (terms.dx_next != nullptr) terms.dx_next += c0;
      if (terms.du != nullptr) terms.du += c0;
      Scalar token_norm[N];
      for (int i = 0; i < N; ++i) token_norm[i] = norm[token][i / streams_per_group];
      terms.x = x.row(t, 0) + c0;
      terms.stream_stride = x.stream_stride;
      terms.norm = token_norm;
      terms.back = back[0][token];
      terms.back_stride = back_tokens<N> * back_channels;
      stream_gradient<N>(terms, dx.row(t, 0) + c0, dx.stream_stride, length);
    }
  }
}

/// dx, and in dsaved the gradients of logits, raw and inverse_rms. `pre` is what the streams were
/// read with, `delayed` absent unless that is another site's (pre_from_reading).
template <int N, class Scalar, class Connection, class Element>
inline void prepare_backward(const Site<N, Scalar, Connection>& site,
                             const StreamView<const Element>& x,
                             const StreamView<const Element>& dx_next,
                             const TokenView<const Scalar>& pre, const TokenView<Scalar>& delayed,
                             const TokenView<const Element>& du,
                             const SavedView<N, const Scalar, Connection>& saved,
                             const SavedView<N, Scalar, Connection>& dsaved,
                             const StreamView<Element>& dx, Index begin, Index end) {
  using Shape = typename Connection::template Shape<N>;
  if constexpr (Shape::groups == 0) {  // x goes into no mapping
    using V = Matrices<N, Scalar>;
    for (Index t = begin; t < end && (Shape::logits > 0 || delayed); t += V::size) {
      map_tokens_backward<V>(site, x, du, delayed, saved.token(t), dsaved.token(t), t,
                             static_cast<int>(std::min<Index>(V::size, end - t)),
                             static_cast<Scalar*>(nullptr));
    }
    for (Index t = begin; t < end; ++t) {
      stream_gradient<N>(outer_terms<N, Scalar>(dx_next, pre, du, saved, t), dx.row(t, 0),
                         dx.stream_stride, x.channels);
    }
  } else {
    for (Index t0 = begin; t0 < end; t0 += back_tokens<N>) {
      const int count = static_cast<int>(std::min<Index>(back_tokens<N>, end - t0));
      stream_gradient_tile(site, x, dx_next, pre, delayed, du, saved, dsaved, dx, t0, count);
    }
  }
}

/// dphi += x^T draw for the channels [begin, end) of each stream, all tokens in order.
template <int N, class Scalar, class Connection, class Element>
inline void prepare_backward_phi(const StreamView<const Element>& x,
                                 const SavedView<N, Scalar, Connection>& dsaved,
                                 const ParametersView<N, Scalar, Connection>& dparameters,
                                 Index begin, Index end) {
  using Layout = SavedView<N, Scalar, Connection>;
  using Shape = typename Connection::template Shape<N>;
  accumulate_phi<Shape::groups, Shape::projections>(x, dsaved.data + Layout::raw_offset,
                                                    Index{Layout::record}, begin, end,
                                                    dparameters.phi_data());
}

/// dalpha and db, all tokens in order.
template <int N, class Scalar, class Connection>
inline void prepare_backward_gates(const SavedView<N, const Scalar, Connection>& saved,
                                   const SavedView<N, Scalar, Connection>& dsaved,
                                   const ParametersView<N, Scalar, Connection>& dparameters) {
  using Layout = SavedView<N, Scalar, Connection>;
  for (Index t = 0; t < saved.tokens; ++t) {
    const Scalar* record = saved.token(t);
    Mapping<Connection>::template accumulate<N>(record, record + Layout::raw_offset,
                                                dsaved.token(t) + Layout::logits_offset,
                                                dparameters.alpha_data(), dparameters.b_data());
  }
}
