// SPDX-License-Identifier: MIT
// Part of kernels.hpp: raw = x phi where both are bf16, by vdpbf16ps, which adds the products of
// two channels to each of 16 sums in f32. The channels of a chunk meet in pairs:
//
//   pairs[c / 2][r] = (phi[c][r], phi[c + 1][r])      16 of them in a register, x's pair broadcast
//
// The chunks, the parts and their order are those of projection.inl, and so is the sum of squares;
// every token, alone or in a tile, goes through the same instructions. The instruction takes
// subnormal operands as zeros, sums to zero where a sum would be subnormal, and rounds within a
// pair in a way of its own: raw differs from that of the other kernels by rounding.

/// A coefficient of phi that is read in pairs: by this type project_part_of finds the project_part
/// below.
struct PairedPhi : bf16 {};

/// c + the products of 16 pairs. The builtin instead of <immintrin.h>, which takes a second to
/// parse; compilers differ in what it calls the bits of a pair.
MHC_INLINE Pack<float> dot(const Bits32& a, const Bits32& b, const Pack<float>& c) {
#if defined(__clang__) && __clang_major__ < 16
  typedef int Pairs __attribute__((vector_size(64)));
#elif !defined(__clang__) && __GNUC__ < 13
  typedef short Pairs __attribute__((vector_size(64)));
#else
  typedef __bf16 Pairs __attribute__((vector_size(64)));
#endif
#if defined(__clang__)
  return Pack<float>(
      __builtin_ia32_dpbf16ps_512(c.v, reinterpret_cast<Pairs>(a), reinterpret_cast<Pairs>(b)));
#else
  return Pack<float>(
      __builtin_ia32_dpbf16ps_v16sf(c.v, reinterpret_cast<Pairs>(a), reinterpret_cast<Pairs>(b)));
#endif
}

/// The first `count` <= 16 coefficients of a row, each in 32 bits.
template <int Count>
MHC_INLINE Bits32 load_row(const bf16* row) {
  Bits16 bits = {};
  __builtin_memcpy(&bits, static_cast<const void*>(row), Count * sizeof(bf16));
  return widen(bits);
}

/// One row of pairs, in whole packs that are padded with zeros; of one channel alone, if it is the
/// last.
template <int R, bool Two, int First = 0>
MHC_INLINE void pair_row(const bf16* phi, std::uint32_t* pairs) {
  constexpr int count = R - First < 16 ? R - First : 16;
  Bits32 row = load_row<count>(phi + First);
  if constexpr (Two) row |= load_row<count>(phi + R + First) << 16;
  __builtin_memcpy(pairs + First, &row, sizeof row);
  if constexpr (First + 16 < R) pair_row<R, Two, First + 16>(phi, pairs);
}

/// The rows of `length` channels.
template <int R>
inline void pair_rows(const bf16* phi, int length, std::uint32_t* pairs) {
  constexpr int packed = whole_packs<float>(R);
  int c = 0;
  for (; c + 2 <= length; c += 2) pair_row<R, true>(phi + c * R, pairs + c / 2 * packed);
  if (c < length) pair_row<R, false>(phi + c * R, pairs + c / 2 * packed);
}

/// project_packs, two channels at a time; x has a zero after an odd number of channels.
template <int Tokens, int Packs>
MHC_INLINE void dot_packs(const bf16* const (&x)[Tokens], int length, const std::uint32_t* pairs,
                          int stride, float* sums, int sums_stride,
                          const bf16* const (&next)[Tokens]) {
  constexpr int W = Pack<float>::size;
  constexpr int line = 32;
  Pack<float> partial[Tokens][Packs];
  MHC_UNROLL
  for (int t = 0; t < Tokens; ++t) {
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) partial[t][p] = Pack<float>(0.0f);
  }
  for (int first = 0; first < length; first += line) {
    if (next[0] != nullptr) {
      MHC_UNROLL
      for (int t = 0; t < Tokens; ++t) __builtin_prefetch(next[t] + first);
    }
    const int last = (std::min)(first + line, length);
    for (int c = first; c < last; c += 2) {
      Bits32 row[Packs];
      MHC_UNROLL
      for (int p = 0; p < Packs; ++p) {
        __builtin_memcpy(&row[p], pairs + c / 2 * stride + p * W, sizeof row[p]);
      }
      MHC_UNROLL
      for (int t = 0; t < Tokens; ++t) {
        std::uint32_t pair;
        __builtin_memcpy(&pair, x[t] + c, sizeof pair);
        const Bits32 value = pair - Bits32{};
        MHC_UNROLL
        for (int p = 0; p < Packs; ++p) partial[t][p] = dot(row[p], value, partial[t][p]);
      }
    }
  }
  MHC_UNROLL
  for (int t = 0; t < Tokens; ++t) {
    MHC_UNROLL
    for (int p = 0; p < Packs; ++p) {
      float* sum = sums + t * sums_stride + p * W;
      store(load(sum) + partial[t][p], sum);
    }
  }
}

/// All packs of a row, block by block.
template <int Packs, int Tokens>
MHC_INLINE void dot_blocks(const bf16* const (&x)[Tokens], int length, const std::uint32_t* pairs,
                           int stride, float* sums, int sums_stride,
                           const bf16* const (&next)[Tokens]) {
  constexpr int W = Pack<float>::size;
  constexpr int in_threes = 3 * threes(Packs);
  constexpr int rest = rest_block(Packs);
  const bf16* const none[Tokens] = {};
  for (int p = 0; p < in_threes; p += 3) {
    dot_packs<Tokens, 3>(x, length, pairs + p * W, stride, sums + p * W, sums_stride,
                         p == 0 ? next : none);
  }
  for (int p = in_threes; p < Packs; p += rest) {
    dot_packs<Tokens, rest>(x, length, pairs + p * W, stride, sums + p * W, sums_stride,
                            p == 0 ? next : none);
  }
}

/// project_chunk: one chunk of `Tokens` tokens, whose rows begin at x, into the sums of their part.
template <int R, int Tokens>
MHC_INLINE void dot_chunk(const bf16* x, Index token_stride, int length, const std::uint32_t* pairs,
                          float* sums, const bf16* next) {
  constexpr int packed = whole_packs<float>(R);
  constexpr int size = part_size<R, float>;
  bf16 room[Tokens][chunk_channels];
  const bf16* values[Tokens];
  const bf16* next_rows[Tokens];
  MHC_UNROLL
  for (int t = 0; t < Tokens; ++t) {
    values[t] = x + t * token_stride;
    next_rows[t] = next == nullptr ? nullptr : next + t * token_stride;
  }
  add_squares(values, length, sums + packed, size);
  if (length % 2 != 0) {
    for (int t = 0; t < Tokens; ++t) {
      std::copy_n(values[t], length, room[t]);
      room[t][length] = bf16(0.0f);
      values[t] = room[t];
    }
  }
  dot_blocks<packed / Pack<float>::size>(values, length, pairs, packed, sums, size, next_rows);
}

/// project_tokens: blocks of `Tokens` of the tokens [t, count), then of half as many.
template <int R, int Tokens>
MHC_INLINE void dot_tokens(const bf16* x, Index token_stride, int t, int count, int length,
                           const std::uint32_t* pairs, float* sums, const bf16* next_chunk) {
  for (; t + Tokens <= count; t += Tokens) {
    const bool more = t + 2 * Tokens <= count;
    dot_chunk<R, Tokens>(x + t * token_stride, token_stride, length, pairs,
                         sums + t * part_size<R, float>,
                         more ? x + (t + Tokens) * token_stride : next_chunk);
  }
  if constexpr (Tokens > 1) {
    if (t < count) {
      dot_tokens<R, Tokens / 2>(x, token_stride, t, count, length, pairs, sums, nullptr);
    }
  }
}

/// The project_part of bf16 streams and bf16 phi.
template <int R>
inline void project_part(const StreamView<const bf16>& x, Index t0, int count, Index stream,
                         Index begin, Index end, const PairedPhi* phi, float* sums) {
  constexpr int packed = whole_packs<float>(R);
  constexpr int block = block_tokens<float>(packed / Pack<float>::size);
  std::fill_n(sums, count * part_size<R, float>, 0.0f);
  std::uint32_t pairs[chunk_channels / 2 * packed];
  for (Index c = begin; c < end; c += chunk_channels) {
    const int length = static_cast<int>(std::min<Index>(chunk_channels, end - c));
    pair_rows<R>(phi + c * R, length, pairs);
    const bf16* next = nullptr;
    if (count >= block) {
      if (c + length < end) {
        next = x.row(t0, stream) + c + length;
      } else if (stream + 1 < x.streams) {
        next = x.row(t0, stream + 1);
      }
    }
    dot_tokens<R, block>(x.row(t0, stream) + c, x.token_stride, 0, count, length, pairs, sums,
                         next);
  }
}

// What MHC_DISPATCH calls: more special than the templates of avx512, which stay for all other
// types.

template <int N, class Connection>
inline void prepare(const Site<N, float, Connection>& site, const bf16* phi,
                    const StreamView<const bf16>& x, const TokenView<const float>& pre,
                    const TokenView<bf16>& u, const SavedView<N, float, Connection>& saved,
                    Index begin, Index end) {
  avx512::prepare(site, static_cast<const PairedPhi*>(phi), x, pre, u, saved, begin, end);
}

template <int N, class Connection>
inline void prepare_parts(const Site<N, float, Connection>& site, const bf16* phi,
                          const StreamView<const bf16>& x, float* sums, Index begin, Index end) {
  avx512::prepare_parts(site, static_cast<const PairedPhi*>(phi), x, sums, begin, end);
}
