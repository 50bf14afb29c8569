// SPDX-License-Identifier: MIT
// Part of kernels.hpp: raw = x phi and sum(x^2), and the two products of the backward.
//
// Forward and dx put a token in each lane: a chunk of channels of W tokens is transposed in
// registers, then each channel meets the R coefficients of its row of phi, which are broadcast.
// The chunks have a fixed length and their partial sums are added in order, so that a token's sum
// is the same whatever tokens stand beside it, and rounding grows with the chunk, not with K.

inline constexpr int chunk_channels = 128;
inline constexpr int back_channels = 64;  // whose gradients of 2W tokens stay in L1

/// values[c * Packs] = channel begin + c of `stream` for the W tokens from t0; missing ones are
/// zero.
template <int Packs, class Element, class S>
MHC_INLINE void load_transposed(const StreamView<const Element>& x, index t0, int count,
                                index stream, index begin, int length, Pack<S>* values) {
  constexpr int W = Pack<S>::size;
  const Element* tokens[W];
  for (int lane = 0; lane < W; ++lane) {  // a missing token is read as the last one, then cleared
    tokens[lane] = x.row(t0 + std::max(0, std::min(lane, count - 1)), stream) + begin;
  }
  Pack<S> rows[W];
  for (int c = 0; c < length; c += W) {
    const int some = std::min(W, length - c);
    if (some == W) {
      MHC_UNROLL
      for (int lane = 0; lane < W; ++lane) rows[lane] = load(tokens[lane] + c);
    } else {
      for (int lane = 0; lane < W; ++lane) rows[lane] = load_first(tokens[lane] + c, some);
    }
    if (count < W) {
      for (int lane = std::max(0, count); lane < W; ++lane) rows[lane] = Pack<S>(S(0));
    }
    transpose(rows);
    MHC_UNROLL
    for (int i = 0; i < W; ++i) values[(c + i) * Packs] = rows[i];
  }
}

/// total[p][r] += sum over the chunk of values[c][p] * phi[c][r], for Rows coefficients from `phi`.
template <int Rows, int Packs, class S>
MHC_INLINE void project_rows(const Pack<S>* values, int length, const S* phi, int phi_stride,
                             Pack<S>* const (&total)[Packs], int first) {
  Pack<S> partial[Rows * Packs];
  MHC_UNROLL
  for (int i = 0; i < Rows * Packs; ++i) partial[i] = Pack<S>(S(0));
  for (int c = 0; c < length; ++c) {
    MHC_UNROLL
    for (int i = 0; i < Rows * Packs; ++i) {
      partial[i] = mul_add(Pack<S>(phi[c * phi_stride + i / Packs]), values[c * Packs + i % Packs],
                           partial[i]);
    }
  }
  MHC_UNROLL
  for (int i = 0; i < Rows * Packs; ++i) {
    Pack<S>& sum = total[i % Packs][first + i / Packs];
    sum = sum + partial[i];
  }
}

/// The sum of squares of a chunk in a few chains, channel c in chain c mod 4 (mod W below 4 lanes);
/// the channels beyond `length`, up to a multiple of W, are zero.
template <int Packs, class S>
MHC_INLINE Pack<S> sum_of_squares(const Pack<S>* values, int length) {
  constexpr int count = Pack<S>::size < 4 ? Pack<S>::size : 4;
  Pack<S> chains[count];
  MHC_UNROLL
  for (int i = 0; i < count; ++i) chains[i] = Pack<S>(S(0));
  for (int c = 0; c < length; c += count) {
    MHC_UNROLL
    for (int i = 0; i < count; ++i) {
      const Pack<S> value = values[(c + i) * Packs];
      chains[i] = mul_add(value, value, chains[i]);
    }
  }
  MHC_UNROLL
  for (int i = 1; i < count; ++i) chains[0] = chains[0] + chains[i];
  return chains[0];
}

/// raw[p] (groups * R) and squares[p] (groups) of Packs * W tokens. Two packs share each
/// coefficient that is loaded: six rows of them, or twelve of one, are what 16 registers hold
/// beside it.
template <int Groups, int R, int Packs, class Element, class S>
inline void project(const StreamView<const Element>& x, index t0, int count, const S* phi,
                    Pack<S>* const (&raw)[Packs], Pack<S> (&squares)[Packs][Groups]) {
  constexpr int W = Pack<S>::size;
  constexpr int block = 12 / Packs;
  const index streams_per_group = x.streams / Groups;
  for (int p = 0; p < Packs; ++p) {
    for (int r = 0; r < Groups * R; ++r) raw[p][r] = Pack<S>(S(0));
    for (int g = 0; g < Groups; ++g) squares[p][g] = Pack<S>(S(0));
  }
  Pack<S> values[chunk_channels * Packs];  // a multiple of W, so that the last rows fit
  for (index stream = 0; stream < x.streams; ++stream) {
    const index group = stream / streams_per_group;
    const S* phi_stream = phi + stream % streams_per_group * x.channels * R;
    for (index begin = 0; begin < x.channels; begin += chunk_channels) {
      const int length = static_cast<int>(std::min<index>(chunk_channels, x.channels - begin));
      const S* phi_chunk = phi_stream + begin * R;
      for (int p = 0; p < Packs; ++p) {
        load_transposed<Packs>(x, t0 + p * W, count - p * W, stream, begin, length, values + p);
        squares[p][group] = squares[p][group] + sum_of_squares<Packs>(values + p, length);
      }
      const int first = static_cast<int>(group) * R;
      int r = 0;
      for (; r + block <= R; r += block) {
        project_rows<block>(values, length, phi_chunk + r, R, raw, first + r);
      }
      if constexpr (R % block != 0) {
        project_rows<R % block>(values, length, phi_chunk + r, R, raw, first + r);
      }
    }
  }
}

/// back[c] = sum_r draw[p][r] phi[c][r] for the tokens of each pack, returned token-major: rows of
/// `back`, `back_stride` apart, one per token.
template <int R, int Packs, class S>
MHC_INLINE void project_back(const Pack<S>* const (&draw)[Packs], const S* phi, int length, S* back,
                             int back_stride) {
  constexpr int W = Pack<S>::size;
  constexpr int block = W < 4 ? W : 4;  // channels; their independent sums hide a sum's latency
  for (int c = 0; c < length; c += W) {
    Pack<S> rows[Packs][W];
    for (int first = 0; first < W; first += block) {
      Pack<S> sums[block * Packs];
      const S* coefficients[block];
      MHC_UNROLL
      for (int i = 0; i < block; ++i) {  // beyond the last channel its result is not used
        coefficients[i] = phi + std::min(c + first + i, length - 1) * R;
      }
      MHC_UNROLL
      for (int i = 0; i < block * Packs; ++i) sums[i] = Pack<S>(S(0));
      for (int r = 0; r < R; ++r) {
        MHC_UNROLL
        for (int i = 0; i < block * Packs; ++i) {
          sums[i] = mul_add(Pack<S>(coefficients[i / Packs][r]), draw[i % Packs][r], sums[i]);
        }
      }
      MHC_UNROLL
      for (int i = 0; i < block * Packs; ++i) rows[i % Packs][first + i / Packs] = sums[i];
    }
    for (int p = 0; p < Packs; ++p) {
      transpose(rows[p]);
      for (int lane = 0; lane < W; ++lane) {
        store(rows[p][lane], back + (p * W + lane) * back_stride + c);
      }
    }
  }
}

/// dphi[c][r] += sum over tokens and groups of x[token][c] draw[token][r], tokens in order, for
/// Channels rows and Packs packs of coefficients, of which the last has `some`.
template <int Channels, int Packs, bool Whole, class Element, class S>
MHC_INLINE void accumulate_rows(const Element* x, index token_stride, index group_stride,
                                int tokens, int groups, const S* draw, index draw_stride,
                                int draw_group_stride, index some, S* dphi, int dphi_stride) {
  constexpr int W = Pack<S>::size;
  Pack<S> sums[Channels * Packs];
  MHC_UNROLL
  for (int i = 0; i < Channels * Packs; ++i) {
    sums[i] = load_part<Whole>(dphi + i / Packs * dphi_stride + i % Packs * W, some);
  }
  for (int t = 0; t < tokens; ++t) {
    for (int g = 0; g < groups; ++g) {
      const Element* values = x + t * token_stride + g * group_stride;
      const S* gradient = draw + t * draw_stride + g * draw_group_stride;
      Pack<S> gradients[Packs];
      MHC_UNROLL
      for (int p = 0; p < Packs; ++p) gradients[p] = load_part<Whole>(gradient + p * W, some);
      MHC_UNROLL
      for (int i = 0; i < Channels * Packs; ++i) {
        sums[i] =
            mul_add(Pack<S>(static_cast<S>(values[i / Packs])), gradients[i % Packs], sums[i]);
      }
    }
  }
  MHC_UNROLL
  for (int i = 0; i < Channels * Packs; ++i) {
    store_part<Whole>(sums[i], dphi + i / Packs * dphi_stride + i % Packs * W, some);
  }
}

/// All R coefficients of Channels rows: packs by threes, then what is left.
template <int Groups, int R, int Channels, class Element, class S>
MHC_INLINE void accumulate_block(const Element* x, index token_stride, index group_stride,
                                 int tokens, const S* draw, index draw_stride, S* dphi) {
  constexpr int W = Pack<S>::size;
  constexpr int packs = R / W;
  int r = 0;
  for (; r + 3 * W <= R; r += 3 * W) {
    accumulate_rows<Channels, 3, true>(x, token_stride, group_stride, tokens, Groups, draw + r,
                                       draw_stride, R, W, dphi + r, R);
  }
  if constexpr (packs % 3 != 0) {
    accumulate_rows<Channels, packs % 3, true>(x, token_stride, group_stride, tokens, Groups,
                                               draw + r, draw_stride, R, W, dphi + r, R);
    r += packs % 3 * W;
  }
  if constexpr (R % W != 0) {
    accumulate_rows<Channels, 1, false>(x, token_stride, group_stride, tokens, Groups, draw + r,
                                        draw_stride, R, R % W, dphi + r, R);
  }
}

/// dphi += x^T draw for the channels [begin, end) of every stream. Sums run over tokens in order
/// and straight into dphi, so that neither threads nor the split of a batch change a bit.
template <int Groups, int R, class Element, class S>
inline void accumulate_phi(const StreamView<const Element>& x, const S* draw, index draw_stride,
                           index begin, index end, S* dphi) {
  constexpr int block = 4;    // channels, times three packs: 12 accumulators
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
