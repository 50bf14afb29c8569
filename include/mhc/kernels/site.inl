// SPDX-License-Identifier: MIT
// Part of kernels.hpp: what the four calls of a block do to the tokens [begin, end). Stateless, no
// allocation, no exception; a token's result depends on that token alone.

/// One part of the projection of `count` tokens from t0, into `sums`.
template <int N, class Connection, class Element, class Phi, class Scalar>
MHC_INLINE void project_part_of(const Phi* phi, const StreamView<const Element>& x, Index t0,
                                int count, const Part& part, Scalar* sums) {
  using Shape = typename Connection::template Shape<N>;
  constexpr Index streams_per_group = N / Shape::groups;
  const Phi* rows = phi + part.stream % streams_per_group * x.channels * Shape::projections;
  project_part<Shape::projections>(x, t0, count, part.stream, part.begin, part.end, rows, sums);
}

template <int N, class Scalar, class Connection>
inline Scalar norm_eps(const Site<N, Scalar, Connection>& site) {
  return static_cast<Scalar>(site.options.norm_eps);
}

/// Adds the parts of a token's projection in order: into raw and inverse_rms of its record.
template <int N, class Scalar, class Connection>
class ProjectionTotal {
  using Layout = SavedView<N, Scalar, Connection>;
  using Shape = typename Connection::template Shape<N>;

 public:
  ProjectionTotal() = default;

  void add(const Part& part, const Scalar* sums, Scalar* record) {
    constexpr int R = Shape::projections;
    const Index group = part.stream / (N / Shape::groups);
    Scalar* raw = record + Layout::raw_offset + group * R;
    if (part.begin == 0 && part.stream % (N / Shape::groups) == 0) std::fill_n(raw, R, Scalar(0));
    add_part<R>(sums, raw, squares_[group]);
  }

  void finish(const Site<N, Scalar, Connection>& site, Index channels, Scalar* record) const {
    const Scalar depth = static_cast<Scalar>(site.parameters.depth(channels));
    for (int g = 0; g < Shape::groups; ++g) {
      record[g] = inverse_rms(squares_[g] / depth, site.options.norm, norm_eps(site));
    }
  }

 private:
  Scalar squares_[Shape::groups] = {};
};

/// norm and projection of `count` tokens from t0, into their records.
template <int N, class Scalar, class Connection, class Element, class Phi>
inline void project_streams(const Site<N, Scalar, Connection>& site, const Phi* phi,
                            const StreamView<const Element>& x, Index t0, int count,
                            const SavedView<N, Scalar, Connection>& saved) {
  constexpr int R = Connection::template Shape<N>::projections;
  constexpr int tile = tile_tokens<R, Scalar>();
  Scalar sums[tile * part_size<R, Scalar>];
  ProjectionTotal<N, Scalar, Connection> totals[tile];
  const Parts parts(x.channels);
  for (Index p = 0; p < N * parts.per_stream(); ++p) {
    const Part part = parts.part(p);
    project_part_of<N, Connection>(phi, x, t0, count, part, sums);
    for (int t = 0; t < count; ++t) {
      totals[t].add(part, sums + t * part_size<R, Scalar>, saved.token(t0 + t));
    }
  }
  for (int t = 0; t < count; ++t) totals[t].finish(site, x.channels, saved.token(t0 + t));
}

/// The mappings of `count` <= V::size tokens from their projections, in their records.
template <class V, int N, class Scalar, class Connection>
inline void map_tokens(const Site<N, Scalar, Connection>& site, Scalar* records, int count) {
  using Layout = SavedView<N, Scalar, Connection>;
  using Shape = typename Connection::template Shape<N>;
  Record<N, V, Connection> tokens;
  if constexpr (Shape::projections > 0) {
    gather(records, Layout::record, count, Shape::groups, tokens.inverse_rms);
    gather(records + Layout::raw_offset, Layout::record, count, Shape::groups * Shape::projections,
           tokens.raw);
  }
  Mapping<Connection>::template forward<N>(site.options, site.parameters.alpha_data(),
                                           site.parameters.b_data(), tokens);
  scatter(tokens.logits, count, Shape::logits, records + Layout::logits_offset, Layout::record);
  scatter(tokens.pre, count, N, records + Layout::pre_offset, Layout::record);
  if constexpr (Shape::merges) {
    scatter(tokens.post, count, N, records + Layout::post_offset, Layout::record);
    scatter(tokens.res, count, N * N, records + Layout::res_offset, Layout::record);
  }
}

/// From the projections of `count` tokens from t0 to their mappings and u = pre x.
template <int N, class Scalar, class Connection, class Element>
inline void read_tile(const Site<N, Scalar, Connection>& site, const StreamView<const Element>& x,
                      const TokenView<const Scalar>& pre, const TokenView<Element>& u,
                      const SavedView<N, Scalar, Connection>& saved, Index t0, int count) {
  using V = Matrices<N, Scalar>;
  for (int t = 0; t < count; t += V::size) {
    map_tokens<V>(site, saved.token(t0 + t), (std::min)(V::size, count - t));
  }
  if (!u) return;
  for (Index t = t0; t < t0 + count; ++t) {
    aggregate<N>(x.row(t, 0), x.stream_stride, pre.row(t), u.row(t), x.channels);
  }
}

/// `pre` is what the streams are read with: that of `saved`, or of the site before.
template <int N, class Scalar, class Connection, class Element, class Phi>
inline void prepare(const Site<N, Scalar, Connection>& site, const Phi* phi,
                    const StreamView<const Element>& x, const TokenView<const Scalar>& pre,
                    const TokenView<Element>& u, const SavedView<N, Scalar, Connection>& saved,
                    Index begin, Index end) {
  constexpr int R = Connection::template Shape<N>::projections;
  constexpr int tile = R > 0 ? tile_tokens<R, Scalar>() : 64;
  for (Index t0 = begin; t0 < end; t0 += tile) {
    const int count = static_cast<int>(std::min<Index>(tile, end - t0));
    if constexpr (R > 0) project_streams(site, phi, x, t0, count, saved);
    read_tile(site, x, pre, u, saved, t0, count);
  }
}

// The same for so few tokens that threads share out the parts of the projection: first the parts
// [begin, end), sums of part p and token t at sums[(p * tokens + t) * part_size]; then all the
// rest.

template <int N, class Scalar, class Connection, class Element, class Phi>
inline void prepare_parts(const Site<N, Scalar, Connection>& /*site*/, const Phi* phi,
                          const StreamView<const Element>& x, Scalar* sums, Index begin,
                          Index end) {
  constexpr int size = part_size<Connection::template Shape<N>::projections, Scalar>;
  const int tokens = static_cast<int>(x.tokens);
  const Parts parts(x.channels);
  for (Index p = begin; p < end; ++p) {
    project_part_of<N, Connection>(phi, x, 0, tokens, parts.part(p), sums + p * tokens * size);
  }
}

template <int N, class Scalar, class Connection, class Element>
inline void prepare_from_parts(const Site<N, Scalar, Connection>& site,
                               const StreamView<const Element>& x,
                               const TokenView<const Scalar>& pre, const TokenView<Element>& u,
                               const SavedView<N, Scalar, Connection>& saved, const Scalar* sums) {
  constexpr int size = part_size<Connection::template Shape<N>::projections, Scalar>;
  const int tokens = static_cast<int>(x.tokens);
  const Parts parts(x.channels);
  for (int t = 0; t < tokens; ++t) {
    ProjectionTotal<N, Scalar, Connection> total;
    for (Index p = 0; p < N * parts.per_stream(); ++p) {
      total.add(parts.part(p), sums + (p * tokens + t) * size, saved.token(t));
    }
    total.finish(site, x.channels, saved.token(t));
  }
  read_tile(site, x, pre, u, saved, 0, tokens);
}

template <int N, class Scalar, class Connection, class Element>
inline void finish(const StreamView<const Element>& x, const TokenView<const Element>& v,
                   const SavedView<N, const Scalar, Connection>& saved,
                   const StreamView<Element>& x_next, Index begin, Index end) {
  using Layout = SavedView<N, Scalar, Connection>;
  for (Index t = begin; t < end; ++t) {
    const Scalar* record = saved.token(t);
    merge<N>(x.row(t, 0), x.stream_stride, v.row(t), record + Layout::post_offset,
             record + Layout::res_offset, x_next.row(t, 0), x_next.stream_stride, x.channels);
  }
}
