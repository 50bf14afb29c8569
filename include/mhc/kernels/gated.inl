// SPDX-License-Identifier: MIT
// Part of gated_entry.hpp: the calls of a gated residual. Stateless, no allocation, no exception; a
// token's result depends on that token alone. With h = x (1 + w), before the norm:
//
//   raw_i = h_i phi_i          [a | b] = 1/N sum_i r_i raw_i
//   hidden = silu(a)           inject = 2 sigmoid(b)
//   z = up hidden              u = sum_i r_i/N sigmoid(z_i) h_i

#include <mhc/kernels/gated_products.inl>

/// h = x (1 + w), zeros up to whole packs of channels.
template <class Element, class Scalar>
inline void weigh(const Element* x, const Scalar* w, int length, Scalar* h) {
  constexpr int W = Pack<Scalar>::size;
  const Pack<Scalar> one(Scalar(1));
  int c = 0;
  for (; c + W <= length; c += W) store(load(x + c) * (one + load(w + c)), h + c);
  if (c < length) {
    store(load_first(x + c, length - c) * (one + load_first(w + c, length - c)), h + c);
  }
}

/// raw of `count` tokens from t0, columns [begin, end) of phi, into their records.
template <int N, class Scalar, bool Injects, class Element>
inline void gated_project(const GatedSite<N, Scalar, Injects>& site,
                          const StreamView<const Element>& x,
                          const GatedSavedView<N, Scalar, Injects>& saved, Index t0, int count,
                          Index begin, Index end) {
  const Index R = site.parameters.projections();
  GatedTile<Scalar> h;
  for (int i = 0; i < N; ++i) {
    Scalar* raw = saved.raw().row(t0, i) + begin;
    for (int t = 0; t < count; ++t) std::fill_n(raw + t * saved.record(), end - begin, Scalar(0));
    for (Index c0 = 0; c0 < x.channels; c0 += gated_channels) {
      const int length = static_cast<int>(std::min<Index>(gated_channels, x.channels - c0));
      const Index k = i * x.channels + c0;
      for (int t = 0; t < count; ++t) {
        weigh(x.row(t0 + t, i) + c0, site.parameters.norm_data() + k, length, h[t]);
      }
      add_products(h, count, length, site.parameters.phi_data() + k * R + begin, R, end - begin,
                   raw, saved.record());
    }
  }
}

/// 1 / sqrt(mean(x^2) + eps) of one stream.
template <class Element, class Scalar>
inline Scalar inverse_rms(const Element* x, Index channels, Scalar eps) {
  constexpr Index W = Pack<Scalar>::size;
  Pack<Scalar> squares(Scalar(0));
  Index c = 0;
  for (; c + W <= channels; c += W) squares = mul_add(load(x + c), load(x + c), squares);
  if (c < channels) {
    const Pack<Scalar> last = load_first(x + c, channels - c);
    squares = mul_add(last, last, squares);
  }
  return Scalar(1) / std::sqrt(sum(squares) / static_cast<Scalar>(channels) + eps);
}

/// sum_i scale_i raw_i at r: a pack of [a | b] where scale_i = r_i / N.
template <bool Whole, int N, class Scalar>
MHC_INLINE Pack<Scalar> gated_logits(const Scalar* raw, Index R, const Scalar* scale, Index r,
                                     Index some) {
  Pack<Scalar> logits(Scalar(0));
  MHC_UNROLL_4
  for (int i = 0; i < N; ++i) {
    logits = mul_add(Pack<Scalar>(scale[i]), load_part<Pack<Scalar>, Whole>(raw + i * R + r, some),
                     logits);
  }
  return logits;
}

/// f(std::bool_constant<Whole>, e, some) for all packs of [0, size).
template <class Scalar, class Function>
MHC_INLINE void for_packs(Index size, Function&& f) {
  constexpr Index W = Pack<Scalar>::size;
  Index e = 0;
  for (; e + W <= size; e += W) f(std::true_type(), e, W);
  if (e < size) f(std::false_type(), e, size - e);
}

template <int N, class Scalar>
MHC_INLINE void scales(const Scalar* inverse_rms, Scalar* scale) {
  for (int i = 0; i < N; ++i) scale[i] = inverse_rms[i] / static_cast<Scalar>(N);
}

/// inverse_rms, hidden and inject of the tokens [begin, end) from their raw.
template <int N, class Scalar, bool Injects, class Element>
inline void gated_map(const GatedSite<N, Scalar, Injects>& site, const StreamView<const Element>& x,
                      const GatedSavedView<N, Scalar, Injects>& saved, Index begin, Index end) {
  const Index R = saved.projections();
  for (Index t = begin; t < end; ++t) {
    Scalar* record = saved.token(t);
    const Scalar* raw = record + saved.raw_offset;
    for (int i = 0; i < N; ++i) record[i] = inverse_rms(x.row(t, i), x.channels, site.norm_eps);
    Scalar scale[N];
    scales<N>(record, scale);
    for_packs<Scalar>(saved.rank, [&](auto whole, Index l, Index some) {
      const Pack<Scalar> a = gated_logits<whole(), N>(raw, R, scale, l, some);
      store_part<whole()>(a * sigmoid(a), record + saved.hidden_offset() + l, some);
    });
    for_packs<Scalar>(saved.injects, [&](auto whole, Index i, Index some) {
      const Pack<Scalar> b = gated_logits<whole(), N>(raw, R, scale, saved.rank + i, some);
      store_part<whole()>(Pack<Scalar>(Scalar(2)) * sigmoid(b), record + saved.inject_offset() + i,
                          some);
    });
  }
}

/// u of `count` tokens from t0, channels [begin, end).
template <int N, class Scalar, bool Injects, class Element>
inline void gated_mix(const GatedSite<N, Scalar, Injects>& site, const StreamView<const Element>& x,
                      const TokenView<Element>& u, const GatedSavedView<N, Scalar, Injects>& saved,
                      Index t0, int count, Index begin, Index end) {
  const Index L = saved.rank;
  GatedTile<Scalar> z;
  GatedTile<Scalar> sums;
  for (Index c0 = begin; c0 < end; c0 += gated_channels) {
    const int length = static_cast<int>(std::min<Index>(gated_channels, end - c0));
    for (int i = 0; i < N; ++i) {
      const Index k = i * x.channels + c0;
      const Scalar* w = site.parameters.norm_data() + k;
      dot_rows(site.parameters.up_data() + k * L, L, length, saved.hidden().row(t0), saved.record(),
               L, count, z);
      for (int t = 0; t < count; ++t) {
        const Element* from = x.row(t0 + t, i) + c0;
        const Pack<Scalar> scale(saved.token(t0 + t)[i] / static_cast<Scalar>(N));
        for_packs<Scalar>(length, [&](auto whole, Index c, Index some) {
          const Pack<Scalar> weight =
              Pack<Scalar>(Scalar(1)) + load_part<Pack<Scalar>, whole()>(w + c, some);
          const Pack<Scalar> h = load_part<Pack<Scalar>, whole()>(from + c, some) * weight;
          const Pack<Scalar> gate = sigmoid(load(z[t] + c)) * scale;
          store(i == 0 ? gate * h : mul_add(gate, h, load(sums[t] + c)), sums[t] + c);
        });
      }
    }
    for (int t = 0; t < count; ++t) {
      for_packs<Scalar>(length, [&](auto whole, Index c, Index some) {
        store_part<whole()>(load(sums[t] + c), u.row(t0 + t) + c0 + c, some);
      });
    }
  }
}

/// x'_i = x_i + inject_i v. x' may be x.
template <int N, class Scalar, class Element>
inline void gated_finish(const StreamView<const Element>& x, const TokenView<const Element>& v,
                         const GatedSavedView<N, const Scalar, true>& saved,
                         const StreamView<Element>& x_next, Index begin, Index end) {
  for (Index t = begin; t < end; ++t) {
    const Scalar* inject = saved.inject().row(t);
    for_packs<Scalar>(x.channels, [&](auto whole, Index c, Index some) {
      const Pack<Scalar> update = load_part<Pack<Scalar>, whole()>(v.row(t) + c, some);
      Pack<Scalar> streams[N];
      MHC_UNROLL
      for (int i = 0; i < N; ++i) {
        streams[i] = load_part<Pack<Scalar>, whole()>(x.row(t, i) + c, some);
      }
      MHC_UNROLL
      for (int i = 0; i < N; ++i) {
        store_part<whole()>(mul_add(Pack<Scalar>(inject[i]), update, streams[i]),
                            x_next.row(t, i) + c, some);
      }
    });
  }
}

// Backward. With e = du r_i/N:
//
//   dv = sum_i inject_i dx'_i                           dinject_i = <dx'_i, v>
//   dz_i = e h_i gate_i (1 - gate_i)                    dhidden = up^T dz
//   dr_i = 1/N (<du, gate_i h_i> + <[da | db], raw_i>)  draw_i = r_i/N [da | db]
//   dh_i = e gate_i + phi_i draw_i
//   dx_i = dx'_i + dh_i (1 + w_i) - dr_i r_i^3 x_i / C

/// dv and dinject of the tokens [begin, end); all else in dsaved is zero.
template <int N, class Scalar, class Element>
inline void gated_finish_backward(const StreamView<const Element>& dx_next,
                                  const TokenView<const Element>& v,
                                  const GatedSavedView<N, const Scalar, true>& saved,
                                  const TokenView<Element>& dv,
                                  const GatedSavedView<N, Scalar, true>& dsaved, Index begin,
                                  Index end) {
  for (Index t = begin; t < end; ++t) {
    std::fill_n(dsaved.token(t), dsaved.record(), Scalar(0));
    if (!dx_next) {
      std::fill_n(dv.row(t), v.channels, Element(0));
      continue;
    }
    aggregate<N>(dx_next.row(t, 0), dx_next.stream_stride, saved.inject().row(t), dv.row(t),
                 v.channels);
    aggregate_backward<N>(dx_next.row(t, 0), dx_next.stream_stride, v.row(t),
                          dsaved.inject().row(t), v.channels);
  }
}

/// Through the gates of `count` tokens from t0: dhidden, and in dr the part of dr that comes this
/// way.
template <int N, class Scalar, bool Injects, class Element>
inline void gated_mix_backward(const GatedSite<N, Scalar, Injects>& site,
                               const StreamView<const Element>& x,
                               const TokenView<const Element>& du,
                               const GatedSavedView<N, const Scalar, Injects>& saved,
                               const GatedSavedView<N, Scalar, Injects>& dsaved, Index t0,
                               int count, Scalar (&dr)[gated_tokens][N]) {
  const Index L = saved.rank;
  GatedTile<Scalar> z;
  for (int t = 0; t < count; ++t) std::fill_n(dsaved.hidden().row(t0 + t), L, Scalar(0));
  for (int i = 0; i < N; ++i) {
    Pack<Scalar> sums[gated_tokens];
    for (int t = 0; t < count; ++t) sums[t] = Pack<Scalar>(Scalar(0));
    for (Index c0 = 0; c0 < x.channels; c0 += gated_channels) {
      const int length = static_cast<int>(std::min<Index>(gated_channels, x.channels - c0));
      const Index k = i * x.channels + c0;
      const Scalar* w = site.parameters.norm_data() + k;
      const Scalar* up = site.parameters.up_data() + k * L;
      dot_rows(up, L, length, saved.hidden().row(t0), saved.record(), L, count, z);
      for (int t = 0; t < count; ++t) {
        const Element* from = x.row(t0 + t, i) + c0;
        const Element* gradient = du.row(t0 + t) + c0;
        const Pack<Scalar> scale(saved.token(t0 + t)[i] / static_cast<Scalar>(N));
        for_packs<Scalar>(length, [&](auto whole, Index c, Index some) {
          const Pack<Scalar> one(Scalar(1));
          const Pack<Scalar> h = load_part<Pack<Scalar>, whole()>(from + c, some) *
                                 (one + load_part<Pack<Scalar>, whole()>(w + c, some));
          const Pack<Scalar> gate = sigmoid(load(z[t] + c));
          const Pack<Scalar> dgate = load_part<Pack<Scalar>, whole()>(gradient + c, some) * h;
          sums[t] = mul_add(dgate, gate, sums[t]);
          store(dgate * scale * (gate * (one - gate)), z[t] + c);
        });
      }
      add_products(z, count, length, up, L, L, dsaved.hidden().row(t0), dsaved.record());
    }
    for (int t = 0; t < count; ++t) dr[t][i] = sum(sums[t]) / static_cast<Scalar>(N);
  }
}

/// dlogits = [da | db] at a pack: draw_i = r_i/N dlogits into the record, and <dlogits, raw_i>.
template <bool Whole, int N, class Scalar>
MHC_INLINE void gated_logits_backward(const Pack<Scalar>& dlogits, const Scalar* raw, Scalar* draw,
                                      Index R, const Scalar* scale, Index r, Index some,
                                      Pack<Scalar>* dots) {
  MHC_UNROLL_4
  for (int i = 0; i < N; ++i) {
    const Index at = i * R + r;
    dots[i] = mul_add(dlogits, load_part<Pack<Scalar>, Whole>(raw + at, some), dots[i]);
    store_part<Whole>(Pack<Scalar>(scale[i]) * dlogits, draw + at, some);
  }
}

/// draw and dr of one token, from dhidden and dinject in its record and from dr.
template <int N, class Scalar, bool Injects>
inline void gated_map_backward(const GatedSavedView<N, const Scalar, Injects>& saved,
                               const GatedSavedView<N, Scalar, Injects>& dsaved, Index t,
                               const Scalar* dr) {
  const Index R = saved.projections();
  const Scalar* record = saved.token(t);
  Scalar* drecord = dsaved.token(t);
  const Scalar* raw = record + saved.raw_offset;
  Scalar* draw = drecord + dsaved.raw_offset;
  const Pack<Scalar> one(Scalar(1));
  Scalar scale[N];
  scales<N>(record, scale);
  Pack<Scalar> dots[N];
  for (int i = 0; i < N; ++i) dots[i] = Pack<Scalar>(Scalar(0));
  for_packs<Scalar>(saved.rank, [&](auto whole, Index l, Index some) {
    const Pack<Scalar> a = gated_logits<whole(), N>(raw, R, scale, l, some);
    const Pack<Scalar> s = sigmoid(a);  // silu' = s (1 + a (1 - s))
    const Pack<Scalar> dhidden =
        load_part<Pack<Scalar>, whole()>(drecord + dsaved.hidden_offset() + l, some);
    const Pack<Scalar> da = dhidden * (s * mul_add(a, one - s, one));
    gated_logits_backward<whole(), N>(da, raw, draw, R, scale, l, some, dots);
  });
  for_packs<Scalar>(saved.injects, [&](auto whole, Index i, Index some) {
    const Pack<Scalar> inject =
        load_part<Pack<Scalar>, whole()>(record + saved.inject_offset() + i, some);
    const Pack<Scalar> dinject =
        load_part<Pack<Scalar>, whole()>(drecord + dsaved.inject_offset() + i, some);
    const Pack<Scalar> db = dinject * (inject * (one - Pack<Scalar>(Scalar(0.5)) * inject));
    gated_logits_backward<whole(), N>(db, raw, draw, R, scale, saved.rank + i, some, dots);
  });
  for (int i = 0; i < N; ++i) drecord[i] = dr[i] + sum(dots[i]) / static_cast<Scalar>(N);
}

/// inverse_rms, raw and hidden of dsaved for the tokens [begin, end).
template <int N, class Scalar, bool Injects, class Element>
inline void gated_backward_tokens(const GatedSite<N, Scalar, Injects>& site,
                                  const StreamView<const Element>& x,
                                  const TokenView<const Element>& du,
                                  const GatedSavedView<N, const Scalar, Injects>& saved,
                                  const GatedSavedView<N, Scalar, Injects>& dsaved, Index begin,
                                  Index end) {
  for (Index t0 = begin; t0 < end; t0 += gated_tokens) {
    const int count = static_cast<int>(std::min<Index>(gated_tokens, end - t0));
    Scalar dr[gated_tokens][N] = {};
    if (du) {
      gated_mix_backward(site, x, du, saved, dsaved, t0, count, dr);
    } else {
      for (int t = 0; t < count; ++t)
        std::fill_n(dsaved.hidden().row(t0 + t), saved.rank, Scalar(0));
    }
    for (int t = 0; t < count; ++t) gated_map_backward(saved, dsaved, t0 + t, dr[t]);
  }
}

/// What the tokens' channels meet in the last step of the backward, for one stream and chunk.
template <class Scalar>
struct GatedTiles {
  GatedTile<Scalar> h;
  GatedTile<Scalar> back;  ///< phi draw
  GatedTile<Scalar> z;     ///< then dz
};

/// h, dz, dw and dx of one token: `length` channels of one stream. Null pointers leave a term out.
template <class Scalar, class Element>
inline void gated_stream_gradient(const Element* x, const Element* dx_next, const Element* du,
                                  Scalar scale, Scalar norm, const Scalar* w, Scalar* dw,
                                  int length, const Scalar* back, Scalar* h, Scalar* z,
                                  Element* dx) {
  const Pack<Scalar> one(Scalar(1));
  for_packs<Scalar>(length, [&](auto whole, Index c, Index some) {
    const Pack<Scalar> value = load_part<Pack<Scalar>, whole()>(x + c, some);
    const Pack<Scalar> weight = one + load_part<Pack<Scalar>, whole()>(w + c, some);
    const Pack<Scalar> weighted = value * weight;
    Pack<Scalar> dh = load(back + c);
    if (du != nullptr) {
      const Pack<Scalar> e = load_part<Pack<Scalar>, whole()>(du + c, some) * Pack<Scalar>(scale);
      const Pack<Scalar> gate = sigmoid(load(z + c));
      dh = mul_add(e, gate, dh);
      store(e * weighted * (gate * (one - gate)), z + c);
    }
    store(weighted, h + c);
    const Pack<Scalar> sum = mul_add(dh, value, load_part<Pack<Scalar>, whole()>(dw + c, some));
    store_part<whole()>(sum, dw + c, some);
    Pack<Scalar> gradient = mul_add(dh, weight, Pack<Scalar>(norm) * value);
    if (dx_next != nullptr)
      gradient = gradient + load_part<Pack<Scalar>, whole()>(dx_next + c, some);
    store_part<whole()>(gradient, dx + c, some);
  });
}

/// dx and the gradients of the parameters for the channels [begin, end) of every stream, all tokens
/// in order. dx may be dx'.
template <int N, class Scalar, bool Injects, class Element>
inline void gated_backward_channels(
    const GatedSite<N, Scalar, Injects>& site, const StreamView<const Element>& x,
    const StreamView<const Element>& dx_next, const TokenView<const Element>& du,
    const GatedSavedView<N, const Scalar, Injects>& saved,
    const GatedSavedView<N, Scalar, Injects>& dsaved, const StreamView<Element>& dx,
    const GatedParametersView<N, Scalar, Injects>& grads, Index begin, Index end) {
  const auto& parameters = site.parameters;
  const Index L = saved.rank;
  const Index R = saved.projections();
  GatedTiles<Scalar> tiles;
  for (Index c0 = begin; c0 < end; c0 += gated_channels) {
    const int length = static_cast<int>(std::min<Index>(gated_channels, end - c0));
    for (int i = 0; i < N; ++i) {
      const Index k = i * x.channels + c0;
      for (Index t0 = 0; t0 < x.tokens; t0 += gated_tokens) {
        const int count = static_cast<int>(std::min<Index>(gated_tokens, x.tokens - t0));
        const Scalar* hidden = saved.hidden().row(t0);
        const Scalar* draw = dsaved.raw().row(t0, i);
        if (du) {
          dot_rows(parameters.up_data() + k * L, L, length, hidden, saved.record(), L, count,
                   tiles.z);
        }
        dot_rows(parameters.phi_data() + k * R, R, length, draw, dsaved.record(), R, count,
                 tiles.back);
        for (int token = 0; token < count; ++token) {
          const Index t = t0 + token;
          const Scalar r = saved.token(t)[i];
          const Scalar norm = -dsaved.token(t)[i] * r * (r * r / static_cast<Scalar>(x.channels));
          gated_stream_gradient(x.row(t, i) + c0, dx_next ? dx_next.row(t, i) + c0 : nullptr,
                                du ? du.row(t) + c0 : nullptr, r / static_cast<Scalar>(N), norm,
                                parameters.norm_data() + k, grads.norm_data() + k, length,
                                tiles.back[token], tiles.h[token], tiles.z[token],
                                dx.row(t, i) + c0);
        }
        if (du) {
          add_outer(tiles.z, count, length, hidden, saved.record(), L, grads.up_data() + k * L, L);
        }
        add_outer(tiles.h, count, length, draw, dsaved.record(), R, grads.phi_data() + k * R, R);
      }
    }
  }
}
