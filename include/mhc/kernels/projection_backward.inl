// SPDX-License-Identifier: MIT
// Part of kernels.hpp: the two products of the projection's backward.
//
//   back[t][k]  = sum_r draw[t][r] phi[k][r]    lanes over k, draw broadcast, phi turned in L1
//   dphi[k][r] += sum_t x[t][k] draw[t][r]      lanes over r, x broadcast

inline constexpr int back_channels = 64;  // whose turned rows of phi stay in L1

/// turned[r][c] = phi[c][r] for `length` channels, zero up to whole packs.
template <int R, class Scalar>
inline void turn_rows(const Scalar* phi, int length, Scalar* turned) {
  constexpr int W = Pack<Scalar>::size;
  for (int c = 0; c < length; c += W) {
    const int some = (std::min)(W, length - c);
    for (int r = 0; r < R; r += W) {
      Pack<Scalar> rows[W];
      if (r + W <= R) {
        MHC_UNROLL
        for (int i = 0; i < W; ++i) {
          rows[i] = i < some ? load(phi + (c + i) * R + r) : Pack<Scalar>(Scalar(0));
        }
      } else {
        for (int i = 0; i < W; ++i) {
          rows[i] = i < some ? load_first(phi + (c + i) * R + r, R - r) : Pack<Scalar>(Scalar(0));
        }
      }
      transpose(rows);
      MHC_UNROLL
      for (int i = 0; i < W; ++i) {
        if (r + i < R) store(rows[i], turned + (r + i) * back_channels + c);
      }
    }
  }
}

/// back[t][c] = sum_r draw[t][r] turned[r][c] for Packs packs of channels.
template <int R, int Tokens, int Packs, class Scalar>
MHC_INLINE void project_back_packs(const Scalar* draw, Index draw_stride, const Scalar* turned,
                                   Scalar* back, int back_stride) {
  constexpr int W = Pack<Scalar>::size;
  Pack<Scalar> sums[Tokens][Packs];
  MHC_UNROLL
  for (int t = 0; t < Tokens; ++t) {
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) sums[t][p] = Pack<Scalar>(Scalar(0));
  }
  for (int r = 0; r < R; ++r) {
    Pack<Scalar> row[Packs];
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) row[p] = load(turned + r * back_channels + p * W);
    MHC_UNROLL
    for (int t = 0; t < Tokens; ++t) {
      const Pack<Scalar> gradient(draw[t * draw_stride + r]);
      MHC_UNROLL
      for (int p = 0; p < Packs; ++p) sums[t][p] = mul_add(gradient, row[p], sums[t][p]);
    }
  }
  MHC_UNROLL
  for (int t = 0; t < Tokens; ++t) {
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) store(sums[t][p], back + t * back_stride + p * W);
  }
}

/// All packs of `length` channels, for Tokens tokens.
template <int R, int Tokens, class Scalar>
inline void project_back(const Scalar* draw, Index draw_stride, const Scalar* turned, int length,
                         Scalar* back, int back_stride) {
  constexpr int W = Pack<Scalar>::size;
  const int packs = (length + W - 1) / W;
  int p = 0;
  for (; p < 3 * threes(packs); p += 3) {
    project_back_packs<R, Tokens, 3>(draw, draw_stride, turned + p * W, back + p * W, back_stride);
  }
  for (; p + 2 <= packs; p += 2) {
    project_back_packs<R, Tokens, 2>(draw, draw_stride, turned + p * W, back + p * W, back_stride);
  }
  for (; p < packs; ++p) {
    project_back_packs<R, Tokens, 1>(draw, draw_stride, turned + p * W, back + p * W, back_stride);
  }
}

/// dphi[c][p] += sum over `rows` of x[row][c] draw[row][p], in order, for Channels channels.
template <int Channels, int Packs, class Scalar>
MHC_INLINE void accumulate_packs(const Scalar* x, const Scalar* draw, int draw_stride, int rows,
                                 Scalar* dphi, int dphi_stride) {
  constexpr int W = Pack<Scalar>::size;
  Pack<Scalar> sums[Channels][Packs];
  MHC_UNROLL
  for (int c = 0; c < Channels; ++c) {
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) sums[c][p] = load(dphi + c * dphi_stride + p * W);
  }
  for (int row = 0; row < rows; ++row) {
    Pack<Scalar> gradient[Packs];
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) gradient[p] = load(draw + row * draw_stride + p * W);
    MHC_UNROLL
    for (int c = 0; c < Channels; ++c) {
      const Pack<Scalar> value(x[row * back_channels + c]);
      MHC_UNROLL
      for (int p = 0; p < Packs; ++p) sums[c][p] = mul_add(value, gradient[p], sums[c][p]);
    }
  }
  MHC_UNROLL
  for (int c = 0; c < Channels; ++c) {
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) store(sums[c][p], dphi + c * dphi_stride + p * W);
  }
}

/// All packs of a row of dphi, block by block.
template <int Packs, int Channels, class Scalar>
MHC_INLINE void accumulate_blocks(const Scalar* x, const Scalar* draw, int draw_stride, int rows,
                                  Scalar* dphi, int dphi_stride) {
  constexpr int W = Pack<Scalar>::size;
  constexpr int in_threes = 3 * threes(Packs);
  constexpr int rest = rest_block(Packs);
  for (int p = 0; p < in_threes; p += 3) {
    accumulate_packs<Channels, 3>(x, draw + p * W, draw_stride, rows, dphi + p * W, dphi_stride);
  }
  if constexpr (Packs > in_threes) {
    for (int p = in_threes; p < Packs; p += rest) {
      accumulate_packs<Channels, rest>(x, draw + p * W, draw_stride, rows, dphi + p * W,
                                       dphi_stride);
    }
  }
}

/// dphi += x^T draw for the channels [begin, end) of every stream, a token's groups one after the
/// other. Sums run over tokens in order and straight into dphi, so that neither threads nor the
/// split of a batch change a bit.
template <int Groups, int R, class Element, class Scalar>
inline void accumulate_phi(const StreamView<const Element>& x, const Scalar* draw,
                           Index draw_stride, Index begin, Index end, Scalar* dphi) {
  constexpr int W = Pack<Scalar>::size;
  constexpr int packed = whole_packs<Scalar>(R);
  constexpr int block = block_tokens<Scalar>(packed / W);
  constexpr int tile = phi_tokens / Groups > 0 ? phi_tokens / Groups : 1;
  const Index streams_per_group = x.streams / Groups;
  Scalar gradients[tile * Groups][packed];
  Scalar values[tile * Groups][back_channels];
  Scalar sums[back_channels][packed];
  for (Index t0 = 0; t0 < x.tokens; t0 += tile) {
    const int tokens = static_cast<int>(std::min<Index>(tile, x.tokens - t0));
    for (int row = 0; row < tokens * Groups; ++row) {
      const Scalar* from = draw + (t0 + row / Groups) * draw_stride + row % Groups * R;
      for (int r = 0; r < packed; ++r) gradients[row][r] = r < R ? from[r] : Scalar(0);
    }
    for (Index stream = 0; stream < streams_per_group; ++stream) {
      for (Index c0 = begin; c0 < end; c0 += back_channels) {
        const int length = static_cast<int>(std::min<Index>(back_channels, end - c0));
        for (int row = 0; row < tokens * Groups; ++row) {
          const Element* from =
              x.row(t0 + row / Groups, row % Groups * streams_per_group + stream) + c0;
          if (c0 + length < end)
            prefetch(from + length, std::min<Index>(back_channels, end - c0 - length));
          int c = 0;
          for (; c + W <= length; c += W) store(load(from + c), values[row] + c);
          for (; c < length; ++c) values[row][c] = static_cast<Scalar>(from[c]);
        }
        Scalar* rows = dphi + (stream * x.channels + c0) * R;
        Scalar* target = rows;
        if constexpr (R != packed) {
          target = sums[0];
          for (int c = 0; c < length; ++c) {
            for (int r = 0; r < packed; ++r) sums[c][r] = r < R ? rows[c * R + r] : Scalar(0);
          }
        }
        int c = 0;
        for (; c + block <= length; c += block) {
          accumulate_blocks<packed / W, block>(values[0] + c, gradients[0], packed, tokens * Groups,
                                               target + c * packed, packed);
        }
        for (; c < length; ++c) {
          accumulate_blocks<packed / W, 1>(values[0] + c, gradients[0], packed, tokens * Groups,
                                           target + c * packed, packed);
        }
        if constexpr (R != packed) {
          for (int c1 = 0; c1 < length; ++c1) {
            for (int r = 0; r < R; ++r) rows[c1 * R + r] = sums[c1][r];
          }
        }
      }
    }
  }
}
