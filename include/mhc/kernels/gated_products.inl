// SPDX-License-Identifier: MIT
// Part of gated.inl: the products of the gated residual with a matrix M of any width, phi or up,
// of which they see the rows of a few channels:
//
//   add_products   sums[t][r] += sum_c a[t][c] M[c][r]     lanes over r, a broadcast
//   dot_rows       dots[t][c]  = sum_r M[c][r] b[t][r]     lanes over r, summed across lanes
//   add_outer      dM[c][r]   += sum_t a[t][c] b[t][r]     lanes over r, a broadcast
//
// a and dots are tiles in L1, b and sums are in the tokens' records. Every number is summed in one
// order, whatever stands beside it in a block. M comes from memory while the rows before are in
// use: the hardware foresees no strip of columns and no end of a group of rows.

/// Numbers of a few tokens and channels.
template <class Scalar>
using GatedTile = Scalar[gated_tokens][gated_channels];

/// The last `some` < W columns of `count` rows, each padded with zeros to a pack: what is read
/// often is read whole.
template <class Scalar>
inline void last_columns(const Scalar* from, Index stride, int count, Index some, Scalar* to) {
  for (int i = 0; i < count; ++i)
    store(load_first(from + i * stride, some), to + i * Pack<Scalar>::size);
}

/// Asks for columns of the `count` rows that follow.
template <class Scalar>
MHC_INLINE void prefetch_next(const Scalar* rows, Index stride, int count, Index columns) {
  for (int c = count; c < 2 * count; ++c) prefetch(rows + c * stride, columns);
}

/// `Packs` packs of columns for `Tokens` tokens. The channels are summed apart from what is there,
/// so that the error of a long sum is that of its chunks.
template <bool Whole, int Tokens, int Packs, class Scalar>
MHC_INLINE void add_products_block(const Scalar* a, int length, const Scalar* rows, Index stride,
                                   Scalar* sums, Index sums_stride, Index some) {
  constexpr int W = Pack<Scalar>::size;
  Pack<Scalar> partial[Tokens][Packs];
  MHC_UNROLL
  for (int t = 0; t < Tokens; ++t) {
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) partial[t][p] = Pack<Scalar>(Scalar(0));
  }
  for (int c = 0; c < length; ++c) {
    Pack<Scalar> row[Packs];
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) row[p] = load(rows + c * stride + p * W);
    MHC_UNROLL
    for (int t = 0; t < Tokens; ++t) {
      const Pack<Scalar> value(a[t * gated_channels + c]);
      MHC_UNROLL
      for (int p = 0; p < Packs; ++p) partial[t][p] = mul_add(row[p], value, partial[t][p]);
    }
  }
  MHC_UNROLL
  for (int t = 0; t < Tokens; ++t) {
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) {
      Scalar* sum = sums + t * sums_stride + p * W;
      store_part<Whole>(load_part<Pack<Scalar>, Whole>(sum, some) + partial[t][p], sum, some);
    }
  }
}

/// The same for all tokens, `Tokens` at a time.
template <bool Whole, int Tokens, int Packs, class Scalar>
MHC_INLINE void add_products_columns(const Scalar* a, int count, int length, const Scalar* rows,
                                     Index stride, Scalar* sums, Index sums_stride, Index some) {
  int t = 0;
  for (; t + Tokens <= count; t += Tokens) {
    add_products_block<Whole, Tokens, Packs>(a + t * gated_channels, length, rows, stride,
                                             sums + t * sums_stride, sums_stride, some);
  }
  if constexpr (Tokens > 1) {
    for (; t < count; ++t) {
      add_products_block<Whole, 1, Packs>(a + t * gated_channels, length, rows, stride,
                                          sums + t * sums_stride, sums_stride, some);
    }
  }
}

/// sums[t][r] += sum over `length` channels of a[t][c] rows[c][r], for r < width.
template <class Scalar>
inline void add_products(const GatedTile<Scalar>& a, int count, int length, const Scalar* rows,
                         Index stride, Index width, Scalar* sums, Index sums_stride) {
  constexpr int W = Pack<Scalar>::size;
  constexpr int packs = MHC_REGISTERS == 32 ? 5 : 3;
  constexpr int many = 8;  // packs of one token: fewer sums would wait for one another
  Index r = 0;
  if (count == 1) {
    for (; r + many * W <= width; r += many * W) {
      prefetch_next(rows + r, stride, length, many * W);
      add_products_columns<true, 1, many>(a[0], count, length, rows + r, stride, sums + r,
                                          sums_stride, W);
    }
  }
  for (; r + packs * W <= width; r += packs * W) {
    prefetch_next(rows + r, stride, length, packs * W);
    add_products_columns<true, 4, packs>(a[0], count, length, rows + r, stride, sums + r,
                                         sums_stride, W);
  }
  for (; r + W <= width; r += W) {
    add_products_columns<true, 4, 1>(a[0], count, length, rows + r, stride, sums + r, sums_stride,
                                     W);
  }
  if (r < width) {
    Scalar last[gated_channels * W];
    last_columns(rows + r, stride, length, width - r, last);
    add_products_columns<false, 4, 1>(a[0], count, length, last, W, sums + r, sums_stride,
                                      width - r);
  }
}

/// totals[i] = sum(packs[i]), W packs at a time: turned, their lanes are added in the same order.
template <int Count, class Scalar>
MHC_INLINE void sum_each(Pack<Scalar>* packs, Scalar* totals) {
  constexpr int W = Pack<Scalar>::size;
  if constexpr (Count % W == 0) {
    MHC_UNROLL
    for (int first = 0; first < Count; first += W) {
      Pack<Scalar>* lanes = packs + first;
      transpose(lanes);
      MHC_UNROLL
      for (int half = W / 2; half > 0; half /= 2) {
        MHC_UNROLL
        for (int lane = 0; lane < half; ++lane) lanes[lane] = lanes[lane] + lanes[lane + half];
      }
      store(lanes[0], totals + first);
    }
  } else {
    for (int i = 0; i < Count; ++i) totals[i] = sum(packs[i]);
  }
}

/// A matrix by its rows: whole packs where they are, the last columns padded beside them.
template <class Scalar>
struct RowsInPacks {
  const Scalar* data;
  Index stride;
  const Scalar* last;

  MHC_INLINE RowsInPacks from(int row) const {
    return {data + row * stride, stride, last + row * Pack<Scalar>::size};
  }
};

/// dots[t][c] for `Tokens` tokens and `Rows` rows.
template <int Tokens, int Rows, class Scalar>
MHC_INLINE void dot_rows_block(const RowsInPacks<Scalar>& rows, const RowsInPacks<Scalar>& b,
                               Index width, Scalar* dots) {
  constexpr int W = Pack<Scalar>::size;
  Pack<Scalar> sums[Tokens * Rows];
  MHC_UNROLL
  for (int e = 0; e < Tokens * Rows; ++e) sums[e] = Pack<Scalar>(Scalar(0));
  const auto add = [&](const Scalar* row, Index row_stride, const Scalar* of_b, Index b_stride) {
    Pack<Scalar> packs[Rows];
    MHC_UNROLL
    for (int c = 0; c < Rows; ++c) packs[c] = load(row + c * row_stride);
    MHC_UNROLL
    for (int t = 0; t < Tokens; ++t) {
      const Pack<Scalar> value = load(of_b + t * b_stride);
      MHC_UNROLL
      for (int c = 0; c < Rows; ++c) {
        sums[t * Rows + c] = mul_add(packs[c], value, sums[t * Rows + c]);
      }
    }
  };
  Index r = 0;
  for (; r + W <= width; r += W) add(rows.data + r, rows.stride, b.data + r, b.stride);
  if (r < width) add(rows.last, W, b.last, W);
  Scalar totals[Tokens * Rows];
  sum_each<Tokens * Rows>(sums, totals);
  for (int t = 0; t < Tokens; ++t) {
    for (int c = 0; c < Rows; ++c) dots[t * gated_channels + c] = totals[t * Rows + c];
  }
}

/// The same for `length` rows. Asks for part `share` of `shares` of the rows that follow these.
template <int Tokens, int Rows, class Scalar>
MHC_INLINE void dot_rows_tokens(const RowsInPacks<Scalar>& rows, int length,
                                const RowsInPacks<Scalar>& b, Index width, Scalar* dots, int share,
                                int shares) {
  const Scalar* next = rows.data + length * rows.stride;
  const Index some = Rows * rows.stride / shares;
  int c = 0;
  for (; c + Rows <= length; c += Rows) {
    prefetch(next + c * rows.stride + share * some, some);
    dot_rows_block<Tokens, Rows>(rows.from(c), b, width, dots + c);
  }
  for (; c < length; ++c) dot_rows_block<Tokens, 1>(rows.from(c), b, width, dots + c);
}

/// dots[t][c] = sum over r < width of rows[c][r] b[t][r], and zeros up to whole packs of channels.
template <class Scalar>
inline void dot_rows(const Scalar* rows, Index stride, int length, const Scalar* b, Index b_stride,
                     Index width, int count, GatedTile<Scalar>& dots) {
  constexpr int W = Pack<Scalar>::size;
  constexpr int some_rows = MHC_REGISTERS == 32 ? 4 : 2;
  Scalar last_of_rows[gated_channels * W];
  Scalar last_of_b[gated_tokens * W];
  if (const Index some = width % W; some > 0) {
    last_columns(rows + (width - some), stride, length, some, last_of_rows);
    last_columns(b + (width - some), b_stride, count, some, last_of_b);
  }
  const RowsInPacks<Scalar> of_rows{rows, stride, last_of_rows};
  const RowsInPacks<Scalar> of_b{b, b_stride, last_of_b};
  int t = 0;
  for (; t + 4 <= count; t += 4) {
    dot_rows_tokens<4, some_rows>(of_rows, length, of_b.from(t), width, dots[t], t / 4, count / 4);
  }
  for (; t < count; ++t) {
    dot_rows_tokens<1, 8>(of_rows, length, of_b.from(t), width, dots[t], t % 4, count % 4);
  }
  for (int c = length; c % W != 0; ++c) {
    for (t = 0; t < count; ++t) dots[t][c] = Scalar(0);
  }
}

/// `Packs` packs of columns of `Rows` rows of dM. Tokens are added to what is there one by one, so
/// that the split of a batch into calls changes nothing.
template <bool Whole, int Rows, int Packs, class Scalar>
MHC_INLINE void add_outer_block(const Scalar* a, int count, const Scalar* b, Index b_stride,
                                Scalar* rows, Index stride, Index some) {
  constexpr int W = Pack<Scalar>::size;
  Pack<Scalar> sums[Rows][Packs];
  MHC_UNROLL
  for (int c = 0; c < Rows; ++c) {
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) {
      sums[c][p] = load_part<Pack<Scalar>, Whole>(rows + c * stride + p * W, some);
    }
  }
  for (int t = 0; t < count; ++t) {
    Pack<Scalar> gradient[Packs];
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) gradient[p] = load(b + t * b_stride + p * W);
    MHC_UNROLL
    for (int c = 0; c < Rows; ++c) {
      const Pack<Scalar> value(a[t * gated_channels + c]);
      MHC_UNROLL
      for (int p = 0; p < Packs; ++p) sums[c][p] = mul_add(value, gradient[p], sums[c][p]);
    }
  }
  MHC_UNROLL
  for (int c = 0; c < Rows; ++c) {
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) {
      store_part<Whole>(sums[c][p], rows + c * stride + p * W, some);
    }
  }
}

template <bool Whole, int Packs, class Scalar>
MHC_INLINE void add_outer_columns(const Scalar* a, int count, int length, const Scalar* b,
                                  Index b_stride, Scalar* rows, Index stride, Index some) {
  constexpr int block = 4;
  int c = 0;
  for (; c + block <= length; c += block) {
    add_outer_block<Whole, block, Packs>(a + c, count, b, b_stride, rows + c * stride, stride,
                                         some);
  }
  for (; c < length; ++c) {
    add_outer_block<Whole, 1, Packs>(a + c, count, b, b_stride, rows + c * stride, stride, some);
  }
}

/// rows[c][r] += sum over `count` tokens, in order, of a[t][c] b[t][r], for r < width.
template <class Scalar>
inline void add_outer(const GatedTile<Scalar>& a, int count, int length, const Scalar* b,
                      Index b_stride, Index width, Scalar* rows, Index stride) {
  constexpr int W = Pack<Scalar>::size;
  constexpr int packs = MHC_REGISTERS == 32 ? 5 : 3;
  Index r = 0;
  for (; r + packs * W <= width; r += packs * W) {
    prefetch_next(rows + r, stride, length, packs * W);
    add_outer_columns<true, packs>(a[0], count, length, b + r, b_stride, rows + r, stride, W);
  }
  for (; r + W <= width; r += W) {
    add_outer_columns<true, 1>(a[0], count, length, b + r, b_stride, rows + r, stride, W);
  }
  if (r < width) {
    Scalar last[gated_tokens * W];
    last_columns(b + r, b_stride, count, width - r, last);
    add_outer_columns<false, 1>(a[0], count, length, last, W, rows + r, stride, width - r);
  }
}
