// SPDX-License-Identifier: MIT
// Part of kernels.hpp: raw = x phi and sum(x^2).
//
//   raw[t][r] = sum_k x[t][k] phi[k][r]       lanes over r, x broadcast
//
// Nothing is packed beforehand and nothing is summed across lanes. Every sum has one order,
// whatever tokens stand beside it and however work is split: the sum over parts of (the sum over
// chunks of (the sum over channels)), each in order.

/// R, or a number of channels, in whole packs.
template <class Scalar>
constexpr int whole_packs(int size) {
  return (size + Pack<Scalar>::size - 1) / Pack<Scalar>::size * Pack<Scalar>::size;
}

// Blocks of `Tokens` tokens and `Packs` packs are held in registers: 12 sums of 16 registers (SSE2,
// AVX2), 24 of 32. Fewer than 8 sums would wait for one another.

/// A row of packs is taken in threes, and the rest in twos where that leaves no single one behind.
constexpr int threes(int packs) {
  return packs % 3 == 1 && packs > 1 ? packs / 3 - 1 : packs / 3;
}
constexpr int rest_block(int packs) {
  return packs == 1 ? 1 : 2;
}

/// How many tokens share the packs of a block.
template <class Scalar>
constexpr int block_tokens(int packs) {
  constexpr int sums = MHC_REGISTERS == 32 ? 24 : 12;
  return sums / (std::min)((std::max)(packs, 1), 3);
}

/// How many tokens share a chunk's rows of phi: whole blocks, at least 16.
template <int R, class Scalar>
constexpr int tile_tokens() {
  constexpr int block = block_tokens<Scalar>(whole_packs<Scalar>(R) / Pack<Scalar>::size);
  return (16 + block - 1) / block * block;
}

/// Rows of phi in the compute type or the type it is stored in, each of whole packs: phi itself or,
/// where a row is no whole number of packs, a copy in `room` that is padded with zeros.
template <int R, class Scalar, class Phi>
MHC_INLINE const Phi* whole_rows(const Phi* phi, int length, Phi* room) {
  constexpr int stride = whole_packs<Scalar>(R);
  if constexpr (R == stride) return phi;
  for (int c = 0; c < length; ++c) {
    for (int r = 0; r < R; ++r) room[c * stride + r] = phi[c * R + r];
    for (int r = R; r < stride; ++r) room[c * stride + r] = Phi(0);
  }
  return room;
}

/// Channels of one token in the compute type: x itself, or a copy in `room`.
template <class Scalar, class Element>
MHC_INLINE const Scalar* values_of(const Element* x, int length, Scalar* room) {
  if constexpr (std::is_same_v<Element, Scalar>) {
    return x;
  } else {
    constexpr int W = Pack<Scalar>::size;
    int c = 0;
    for (; c + W <= length; c += W) store(load(x + c), room + c);
    if (c < length) store(load_first(x + c, length - c), room + c);
    return room;
  }
}

/// sums[t][p] += sum over the channels of x[t][c] phi[c][p]. Asks for the lines of `next`, the
/// values that come after these, since rows of tokens are too far apart for the hardware to see it.
template <int Tokens, int Packs, class Scalar, class Phi, class Element>
MHC_INLINE void project_packs(const Scalar* const (&x)[Tokens], int length, const Phi* phi,
                              int phi_stride, Scalar* sums, int sums_stride,
                              const Element* const (&next)[Tokens]) {
  constexpr int W = Pack<Scalar>::size;
  constexpr int line = 64 / static_cast<int>(sizeof(Element));
  Pack<Scalar> partial[Tokens][Packs];
  MHC_UNROLL
  for (int t = 0; t < Tokens; ++t) {
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) partial[t][p] = Pack<Scalar>(Scalar(0));
  }
  for (int first = 0; first < length; first += line) {
    if (next[0] != nullptr) {
      MHC_UNROLL
      for (int t = 0; t < Tokens; ++t) __builtin_prefetch(next[t] + first);
    }
    const int last = (std::min)(first + line, length);
    for (int c = first; c < last; ++c) {
      Pack<Scalar> row[Packs];
      MHC_UNROLL
      for (int p = 0; p < Packs; ++p) row[p] = load(phi + c * phi_stride + p * W);
      MHC_UNROLL
      for (int t = 0; t < Tokens; ++t) {
        const Pack<Scalar> value(x[t][c]);
        MHC_UNROLL
        for (int p = 0; p < Packs; ++p) partial[t][p] = mul_add(row[p], value, partial[t][p]);
      }
    }
  }
  MHC_UNROLL
  for (int t = 0; t < Tokens; ++t) {
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) {
      Scalar* sum = sums + t * sums_stride + p * W;
      store(load(sum) + partial[t][p], sum);
    }
  }
}

/// All packs of a row, block by block.
template <int Packs, int Tokens, class Scalar, class Phi, class Element>
MHC_INLINE void project_blocks(const Scalar* const (&x)[Tokens], int length, const Phi* phi,
                               int phi_stride, Scalar* sums, int sums_stride,
                               const Element* const (&next)[Tokens]) {
  constexpr int W = Pack<Scalar>::size;
  constexpr int in_threes = 3 * threes(Packs);
  constexpr int rest = rest_block(Packs);
  const Element* const none[Tokens] = {};
  for (int p = 0; p < in_threes; p += 3) {
    project_packs<Tokens, 3>(x, length, phi + p * W, phi_stride, sums + p * W, sums_stride,
                             p == 0 ? next : none);
  }
  if constexpr (Packs > in_threes) {
    for (int p = in_threes; p < Packs; p += rest) {
      project_packs<Tokens, rest>(x, length, phi + p * W, phi_stride, sums + p * W, sums_stride,
                                  p == 0 ? next : none);
    }
  }
}

/// squares[t] += x[t]^2, channel c in lane c mod W.
template <int Tokens, class Element, class Scalar>
MHC_INLINE void add_squares(const Element* const (&x)[Tokens], int length, Scalar* squares,
                            int stride) {
  constexpr int W = Pack<Scalar>::size;
  Pack<Scalar> sums[Tokens];
  MHC_UNROLL
  for (int t = 0; t < Tokens; ++t) sums[t] = load(squares + t * stride);
  int c = 0;
  for (; c + W <= length; c += W) {
    MHC_UNROLL
    for (int t = 0; t < Tokens; ++t) {
      const Pack<Scalar> value = load(x[t] + c);
      sums[t] = mul_add(value, value, sums[t]);
    }
  }
  if (c < length) {
    for (int t = 0; t < Tokens; ++t) {
      const Pack<Scalar> value = load_first(x[t] + c, length - c);
      sums[t] = mul_add(value, value, sums[t]);
    }
  }
  MHC_UNROLL
  for (int t = 0; t < Tokens; ++t) store(sums[t], squares + t * stride);
}

/// What one part of a token's channels adds to its projection: R sums in whole packs, then the
/// lanes of the sum of squares.
template <int R, class Scalar>
inline constexpr int part_size = whole_packs<Scalar>(R) + Pack<Scalar>::size;

/// One chunk of `Tokens` tokens, whose rows begin at x, into the sums of their part. The rows at
/// `soon`, null for none, come next.
template <int R, int Tokens, class Scalar, class Phi, class Element>
MHC_INLINE void project_chunk(const Element* x, Index token_stride, int length, const Phi* rows,
                              Scalar* sums, const Element* soon) {
  constexpr int packed = whole_packs<Scalar>(R);
  Scalar room[Tokens][chunk_channels + Pack<Scalar>::size];
  const Scalar* values[Tokens];
  const Element* next[Tokens];
  MHC_UNROLL
  for (int t = 0; t < Tokens; ++t) {
    values[t] = values_of(x + t * token_stride, length, room[t]);
    next[t] = soon == nullptr ? nullptr : soon + t * token_stride;
  }
  project_blocks<packed / Pack<Scalar>::size>(values, length, rows, packed, sums,
                                              part_size<R, Scalar>, next);
  add_squares(values, length, sums + packed, part_size<R, Scalar>);
}

/// The tokens [t, count) in blocks of `Tokens`, then of half as many.
template <int R, int Tokens, class Scalar, class Phi, class Element>
MHC_INLINE void project_tokens(const Element* x, Index token_stride, int t, int count, int length,
                               const Phi* rows, Scalar* sums, const Element* soon) {
  for (; t + Tokens <= count; t += Tokens) {
    const Index offset = t * token_stride;
    project_chunk<R, Tokens>(x + offset, token_stride, length, rows,
                             sums + t * part_size<R, Scalar>,
                             soon == nullptr ? nullptr : soon + offset);
  }
  if constexpr (Tokens > 1) {
    if (t < count) {
      project_tokens<R, Tokens / 2>(x, token_stride, t, count, length, rows, sums, soon);
    }
  }
}

/// `Chunks` whole chunks of a single token side by side: their sums do not wait for one another,
/// and phi comes from memory in several streams. Added in order, they are what one after the other
/// is.
template <int R, int Chunks, class Scalar, class Phi, class Element>
MHC_INLINE void project_chunks(const Element* x, const Phi* phi, Scalar* sums) {
  constexpr int W = Pack<Scalar>::size;
  constexpr int packs = R / W;
  constexpr int block = packs % 3 == 0 ? 3 : packs % 2 == 0 ? 2 : 1;
  static_assert(R % W == 0, "rows of phi are read where they are");
  Scalar room[Chunks][chunk_channels];
  const Scalar* values[Chunks];
  MHC_UNROLL
  for (int k = 0; k < Chunks; ++k) {
    values[k] = values_of(x + k * chunk_channels, chunk_channels, room[k]);
  }
  for (int p = 0; p < packs; p += block) {
    Pack<Scalar> partial[Chunks][block];
    MHC_UNROLL
    for (int k = 0; k < Chunks; ++k) {
      MHC_UNROLL
      for (int i = 0; i < block; ++i) partial[k][i] = Pack<Scalar>(Scalar(0));
    }
    for (int c = 0; c < chunk_channels; ++c) {
      MHC_UNROLL
      for (int k = 0; k < Chunks; ++k) {
        const Phi* row = phi + (k * chunk_channels + c) * R + p * W;
        // Streams of 16-bit rows end before the hardware has foreseen their next page.
        if constexpr (sizeof(Phi) == 2) __builtin_prefetch(row + 1024);
        const Pack<Scalar> value(values[k][c]);
        MHC_UNROLL
        for (int i = 0; i < block; ++i) {
          partial[k][i] = mul_add(load(row + i * W), value, partial[k][i]);
        }
      }
    }
    MHC_UNROLL
    for (int k = 0; k < Chunks; ++k) {
      MHC_UNROLL
      for (int i = 0; i < block; ++i) {
        Scalar* sum = sums + (p + i) * W;
        store(load(sum) + partial[k][i], sum);
      }
    }
  }
  const Scalar* const whole[1] = {values[0]};  // the chunks are neighbours, in x and in room
  add_squares(whole, Chunks * chunk_channels, sums + R, 0);
}

/// Whole chunks of a single token from channel c on, by fours, then by twos; returns the first
/// channel that is left.
template <int R, class Element, class Phi, class Scalar>
inline Index project_token(const Element* x, Index c, Index end, const Phi* phi, Scalar* sums) {
  constexpr Index chunk = chunk_channels;
  for (; c + 4 * chunk <= end; c += 4 * chunk) project_chunks<R, 4>(x + c, phi + c * R, sums);
  if (c + 2 * chunk <= end) {
    project_chunks<R, 2>(x + c, phi + c * R, sums);
    c += 2 * chunk;
  }
  return c;
}

/// The sums of `count` tokens from t0 (assigned, part_size apart) over the channels [begin, end) of
/// a stream; `phi` has the rows of this stream.
template <int R, class Element, class Phi, class Scalar>
inline void project_part(const StreamView<const Element>& x, Index t0, int count, Index stream,
                         Index begin, Index end, const Phi* phi, Scalar* sums) {
  constexpr int packed = whole_packs<Scalar>(R);
  constexpr int block = block_tokens<Scalar>(packed / Pack<Scalar>::size);
  std::fill_n(sums, count * part_size<R, Scalar>, Scalar(0));
  Index c = begin;
  if constexpr (R == packed) {
    if (count == 1) c = project_token<R>(x.row(t0, stream), begin, end, phi, sums);
  }
  Phi room[R == packed ? 1 : chunk_channels * packed];
  for (; c < end; c += chunk_channels) {
    const int length = static_cast<int>(std::min<Index>(chunk_channels, end - c));
    const Phi* rows = whole_rows<R, Scalar>(phi + c * R, length, room);
    const Element* soon = nullptr;
    if (c + length < end) {
      soon = x.row(t0, stream) + c + length;
    } else if (stream + 1 < x.streams) {
      soon = x.row(t0, stream + 1);
    }
    project_tokens<R, block>(x.row(t0, stream) + c, x.token_stride, 0, count, length, rows, sums,
                             soon);
  }
}

/// raw and the sum of squares of one token += those of a part.
template <int R, class Scalar>
MHC_INLINE void add_part(const Scalar* part, Scalar* raw, Scalar& squares) {
  for (int r = 0; r < R; ++r) raw[r] += part[r];
  squares += sum(load(part + whole_packs<Scalar>(R)));
}
