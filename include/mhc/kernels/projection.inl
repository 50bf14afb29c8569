// SPDX-License-Identifier: MIT
// Part of kernels.hpp: raw = x phi and sum(x^2), and the two products of the backward.
//
// Forward and dx put a token in each lane: a chunk of channels of W tokens is transposed in
// registers, then each channel meets the R coefficients of its row of phi, which are broadcast.
// The chunks have a fixed length and their partial sums are added in order, so that a token's sum
// is the same whatever tokens stand beside it, and rounding grows with the chunk, not with K.

inline constexpr int chunk_channels = 128;

/// values[c] = channel begin + c of `stream` for the W tokens from t0; missing tokens are zero.
template <class Element, class S>
MHC_INLINE void load_transposed(const StreamView<const Element>& x, index t0, int count,
                                index stream, index begin, int length, Pack<S>* values) {
  constexpr int W = Pack<S>::size;
  for (int c = 0; c < length; c += W) {
    Pack<S> rows[W];
    const int some = length - c < W ? length - c : W;
    for (int lane = 0; lane < W; ++lane) {
      if (lane >= count) {
        rows[lane] = Pack<S>(S(0));
      } else if (some == W) {
        rows[lane] = load(x.row(t0 + lane, stream) + begin + c);
      } else {
        rows[lane] = load_first(x.row(t0 + lane, stream) + begin + c, some);
      }
    }
    transpose(rows);
    for (int i = 0; i < some; ++i) values[c + i] = rows[i];
  }
}

/// total[r] += sum over the chunk of values[c] * phi[c][r], for Rows coefficients from `phi`.
template <int Rows, class S>
MHC_INLINE void project_rows(const Pack<S>* values, int length, const S* phi, int phi_stride,
                             Pack<S>* total) {
  Pack<S> partial[Rows];
  MHC_UNROLL
  for (int r = 0; r < Rows; ++r) partial[r] = Pack<S>(S(0));
  for (int c = 0; c < length; ++c) {
    MHC_UNROLL
    for (int r = 0; r < Rows; ++r) {
      partial[r] = mul_add(Pack<S>(phi[c * phi_stride + r]), values[c], partial[r]);
    }
  }
  MHC_UNROLL
  for (int r = 0; r < Rows; ++r) total[r] = total[r] + partial[r];
}

/// raw (groups * R) and the groups' sums of squares of W tokens.
template <int Groups, int R, class Element, class S>
inline void project(const StreamView<const Element>& x, index t0, int count, const S* phi,
                    Pack<S>* raw, Pack<S>* squares) {
  constexpr int block = 12;  // accumulators that fit 16 registers beside the value and its factor
  const index streams_per_group = x.streams / Groups;
  for (int r = 0; r < Groups * R; ++r) raw[r] = Pack<S>(S(0));
  for (int g = 0; g < Groups; ++g) squares[g] = Pack<S>(S(0));
  Pack<S> values[chunk_channels];
  for (index stream = 0; stream < x.streams; ++stream) {
    const index group = stream / streams_per_group;
    const S* phi_stream = phi + stream % streams_per_group * x.channels * R;
    for (index begin = 0; begin < x.channels; begin += chunk_channels) {
      const int length = static_cast<int>(std::min<index>(chunk_channels, x.channels - begin));
      const S* phi_chunk = phi_stream + begin * R;
      load_transposed(x, t0, count, stream, begin, length, values);
      Pack<S> square = Pack<S>(S(0));
      for (int c = 0; c < length; ++c) square = mul_add(values[c], values[c], square);
      squares[group] = squares[group] + square;
      Pack<S>* total = raw + group * R;
      int r = 0;
      for (; r + block <= R; r += block) {
        project_rows<block>(values, length, phi_chunk + r, R, total + r);
      }
      if constexpr (R % block != 0) {
        project_rows<R % block>(values, length, phi_chunk + r, R, total + r);
      }
    }
  }
}

/// back[c][lane] = sum_r draw[r] phi[c][r], returned token-major: rows of `back`, `back_stride`
/// apart, one per token.
template <int R, class S>
MHC_INLINE void project_back(const Pack<S>* draw, const S* phi, int length, S* back,
                             int back_stride) {
  constexpr int W = Pack<S>::size;
  constexpr int block = W < 8 ? W : 8;  // independent sums, which hide the latency of one
  for (int c = 0; c < length; c += W) {
    Pack<S> rows[W];
    for (int first = 0; first < W; first += block) {
      Pack<S> sums[block];
      MHC_UNROLL
      for (int i = 0; i < block; ++i) sums[i] = Pack<S>(S(0));
      for (int r = 0; r < R; ++r) {
        MHC_UNROLL
        for (int i = 0; i < block; ++i) {
          const int channel = std::min(c + first + i, length - 1);
          sums[i] = mul_add(Pack<S>(phi[channel * R + r]), draw[r], sums[i]);
        }
      }
      MHC_UNROLL
      for (int i = 0; i < block; ++i) rows[first + i] = sums[i];
    }
    transpose(rows);
    for (int lane = 0; lane < W; ++lane) store(rows[lane], back + lane * back_stride + c);
  }
}

/// dphi[c][r] += sum over tokens and groups of x[token][c] draw[token][r], tokens in order, for
/// Channels rows and one pack of coefficients (`some` of them).
template <int Channels, bool Whole, class Element, class S>
MHC_INLINE void accumulate_rows(const Element* x, index token_stride, index group_stride,
                                int tokens, int groups, const S* draw, index draw_stride,
                                int draw_group_stride, index some, S* dphi, int dphi_stride) {
  Pack<S> sums[Channels];
  MHC_UNROLL
  for (int c = 0; c < Channels; ++c) sums[c] = load_part<Whole>(dphi + c * dphi_stride, some);
  for (int t = 0; t < tokens; ++t) {
    for (int g = 0; g < groups; ++g) {
      const Element* values = x + t * token_stride + g * group_stride;
      const Pack<S> gradient =
          load_part<Whole>(draw + t * draw_stride + g * draw_group_stride, some);
      MHC_UNROLL
      for (int c = 0; c < Channels; ++c) {
        sums[c] = mul_add(Pack<S>(static_cast<S>(values[c])), gradient, sums[c]);
      }
    }
  }
  MHC_UNROLL
  for (int c = 0; c < Channels; ++c) store_part<Whole>(sums[c], dphi + c * dphi_stride, some);
}

template <int Groups, int R, int Channels, class Element, class S>
MHC_INLINE void accumulate_block(const Element* x, index token_stride, index group_stride,
                                 int tokens, const S* draw, index draw_stride, S* dphi) {
  constexpr int W = Pack<S>::size;
  int r = 0;
  for (; r + W <= R; r += W) {
    accumulate_rows<Channels, true>(x, token_stride, group_stride, tokens, Groups, draw + r,
                                    draw_stride, R, W, dphi + r, R);
  }
  if constexpr (R % W != 0) {
    accumulate_rows<Channels, false>(x, token_stride, group_stride, tokens, Groups, draw + r,
                                     draw_stride, R, R % W, dphi + r, R);
  }
}

/// dphi += x^T draw for the channels [begin, end) of every stream. Sums run over tokens in order
/// and straight into dphi, so that neither threads nor the split of a batch change a bit.
template <int Groups, int R, class Element, class S>
inline void accumulate_phi(const StreamView<const Element>& x, const S* draw, index draw_stride,
                           index begin, index end, S* dphi) {
  constexpr int block = 8;
  constexpr index tile = 64;  // tokens whose part of x stays in L1
  const index streams_per_group = x.streams / Groups;
  const index group_stride = streams_per_group * x.stream_stride;
  for (index t0 = 0; t0 < x.tokens; t0 += tile) {
    const int tokens = static_cast<int>(std::min(tile, x.tokens - t0));
    const S* gradient = draw + t0 * draw_stride;
    for (index stream = 0; stream < streams_per_group; ++stream) {
      const Element* values = x.row(t0, stream);
      S* rows = dphi + stream * x.channels * R;
      index c = begin;
      for (; c + block <= end; c += block) {
        accumulate_block<Groups, R, block>(values + c, x.token_stride, group_stride, tokens,
                                           gradient, draw_stride, rows + c * R);
      }
      for (; c < end; ++c) {
        accumulate_block<Groups, R, 1>(values + c, x.token_stride, group_stride, tokens, gradient,
                                       draw_stride, rows + c * R);
      }
    }
  }
}
