// SPDX-License-Identifier: MIT
// Part of kernels.hpp: W values of one type in a SIMD register, W = MHC_LANE_BYTES / sizeof(S).

template <class S>
struct Pack {
  static constexpr int size = MHC_LANE_BYTES / static_cast<int>(sizeof(S));
  typedef S Vector __attribute__((vector_size(MHC_LANE_BYTES)));
  Vector v;

  Pack() = default;
  MHC_INLINE explicit Pack(const Vector& vector) : v(vector) {}
  MHC_INLINE explicit Pack(S value) : v(value - Vector{}) {}

  MHC_INLINE S operator[](int lane) const { return v[lane]; }
  MHC_INLINE void set(int lane, S value) { v[lane] = value; }
};

template <class S>
MHC_INLINE Pack<S> operator+(const Pack<S>& a, const Pack<S>& b) {
  return Pack<S>(a.v + b.v);
}
template <class S>
MHC_INLINE Pack<S> operator-(const Pack<S>& a, const Pack<S>& b) {
  return Pack<S>(a.v - b.v);
}
template <class S>
MHC_INLINE Pack<S> operator*(const Pack<S>& a, const Pack<S>& b) {
  return Pack<S>(a.v * b.v);
}
template <class S>
MHC_INLINE Pack<S> operator/(const Pack<S>& a, const Pack<S>& b) {
  return Pack<S>(a.v / b.v);
}

/// a * b + c in one expression: a fused multiply-add wherever the target has one. Sums over streams
/// and channels go only through it, so that they round alike in every copy of a loop.
template <class S>
MHC_INLINE Pack<S> mul_add(const Pack<S>& a, const Pack<S>& b, const Pack<S>& c) {
  return Pack<S>(a.v * b.v + c.v);
}

template <class S>
MHC_INLINE Pack<S> max(const Pack<S>& a, const Pack<S>& b) {
  return Pack<S>(a.v > b.v ? a.v : b.v);
}

template <class S>
MHC_INLINE Pack<S> min(const Pack<S>& a, const Pack<S>& b) {
  return Pack<S>(a.v < b.v ? a.v : b.v);
}

/// Two packs as one value of 2 W lanes: where a computation waits for its own results (Sinkhorn's
/// sums and divisions), each pack works while the other waits.
template <class S>
struct Pair {
  static constexpr int size = 2 * Pack<S>::size;
  Pack<S> low;
  Pack<S> high;

  Pair() = default;
  MHC_INLINE Pair(const Pack<S>& low_, const Pack<S>& high_) : low(low_), high(high_) {}
  MHC_INLINE explicit Pair(S value) : low(value), high(value) {}

  MHC_INLINE S operator[](int lane) const {
    return lane < Pack<S>::size ? low[lane] : high[lane - Pack<S>::size];
  }
  MHC_INLINE void set(int lane, S value) {
    if (lane < Pack<S>::size) {
      low.set(lane, value);
    } else {
      high.set(lane - Pack<S>::size, value);
    }
  }
};

template <class S>
MHC_INLINE Pair<S> operator+(const Pair<S>& a, const Pair<S>& b) {
  return {a.low + b.low, a.high + b.high};
}
template <class S>
MHC_INLINE Pair<S> operator-(const Pair<S>& a, const Pair<S>& b) {
  return {a.low - b.low, a.high - b.high};
}
template <class S>
MHC_INLINE Pair<S> operator*(const Pair<S>& a, const Pair<S>& b) {
  return {a.low * b.low, a.high * b.high};
}
template <class S>
MHC_INLINE Pair<S> operator/(const Pair<S>& a, const Pair<S>& b) {
  return {a.low / b.low, a.high / b.high};
}
template <class S>
MHC_INLINE Pair<S> mul_add(const Pair<S>& a, const Pair<S>& b, const Pair<S>& c) {
  return {mul_add(a.low, b.low, c.low), mul_add(a.high, b.high, c.high)};
}
template <class S>
MHC_INLINE Pair<S> max(const Pair<S>& a, const Pair<S>& b) {
  return {max(a.low, b.low), max(a.high, b.high)};
}

template <class S>
MHC_INLINE Pair<S> min(const Pair<S>& a, const Pair<S>& b) {
  return {min(a.low, b.low), min(a.high, b.high)};
}

/// The number type of a pack or a pair.
template <class V>
struct LanesOf;
template <class S>
struct LanesOf<Pack<S>> {
  using Number = S;
};
template <class S>
struct LanesOf<Pair<S>> {
  using Number = S;
};
template <class V>
using NumberOf = typename LanesOf<V>::Number;

/// The lanes' sum, halves first: one fixed order.
template <class S>
MHC_INLINE S sum(const Pack<S>& a) {
  S lanes[Pack<S>::size];
  __builtin_memcpy(lanes, &a.v, sizeof lanes);
  for (int half = Pack<S>::size / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

// Elementary functions, lane by lane with the C library's accuracy (below 1 ULP). exp.inl has a
// faster exp for float.
#define MHC_LANE_BY_LANE(name)                                                             \
  template <class S>                                                                       \
  MHC_INLINE Pack<S> name(const Pack<S>& a) {                                              \
    Pack<S> result;                                                                        \
    for (int lane = 0; lane < Pack<S>::size; ++lane) result.set(lane, std::name(a[lane])); \
    return result;                                                                         \
  }
MHC_LANE_BY_LANE(exp)
MHC_LANE_BY_LANE(tanh)
MHC_LANE_BY_LANE(sqrt)
#undef MHC_LANE_BY_LANE

template <class S>
MHC_INLINE Pair<S> exp(const Pair<S>& a) {
  return {exp(a.low), exp(a.high)};
}
template <class S>
MHC_INLINE Pair<S> tanh(const Pair<S>& a) {
  return {tanh(a.low), tanh(a.high)};
}

// Elements from and to memory, any alignment; 16-bit types by their bits.

template <class S>
MHC_INLINE Pack<S> load(const S* from) {
  Pack<S> result;
  __builtin_memcpy(&result.v, from, sizeof result.v);
  return result;
}

template <class S>
MHC_INLINE void store(const Pack<S>& value, S* to) {
  __builtin_memcpy(to, &value.v, sizeof value.v);
}

typedef std::uint32_t Bits32 __attribute__((vector_size(MHC_LANE_BYTES)));
typedef std::int32_t Signed32 __attribute__((vector_size(MHC_LANE_BYTES)));
typedef std::uint16_t Bits16 __attribute__((vector_size(MHC_LANE_BYTES / 2)));

/// 16 to 32 bits with zeros; g++ 12 would widen each half of the lanes on its own.
MHC_INLINE Bits32 widen(const Bits16& half) {
#if MHC_LANE_BYTES == 32 && !defined(__clang__)
  typedef short Half8 __attribute__((vector_size(16)));
  return reinterpret_cast<Bits32>(__builtin_ia32_pmovzxwd256(reinterpret_cast<Half8>(half)));
#elif MHC_LANE_BYTES == 64 && !defined(__clang__)
  typedef short Half16 __attribute__((vector_size(32)));
  return reinterpret_cast<Bits32>(
      __builtin_ia32_pmovzxwd512_mask(reinterpret_cast<Half16>(half), Signed32{}, -1));
#else
  return __builtin_convertvector(half, Bits32);
#endif
}

MHC_INLINE Pack<float> load(const bf16* from) {
  Bits16 half;
  __builtin_memcpy(&half, from, sizeof half);
  const Bits32 bits = widen(half) << 16;
  Pack<float> result;
  __builtin_memcpy(&result.v, &bits, sizeof bits);
  return result;
}

/// The bits of bf16 in the upper halves: to nearest, ties to even; a NaN stays a (quiet) NaN.
/// Integer comparisons, so that -ffast-math cannot take the test for NaN away.
MHC_INLINE Bits32 round_to_bf16(const Pack<float>& value) {
  Bits32 bits;
  __builtin_memcpy(&bits, &value.v, sizeof bits);
  const Bits32 rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  const Signed32 nan = reinterpret_cast<Signed32>(bits & 0x7fffffffu) > 0x7f800000;
  return nan ? bits | 0x400000u : rounded;
}

MHC_INLINE void store(const Pack<float>& value, bf16* to) {
  const Bits16 half = __builtin_convertvector(round_to_bf16(value) >> 16, Bits16);
  __builtin_memcpy(static_cast<void*>(to), &half, sizeof half);
}

#if MHC_LANE_BYTES == 64 && !defined(__clang__)
// As below, but g++ 12 would join two halves in memory.
typedef short Half16 __attribute__((vector_size(32)));

MHC_INLINE Pack<float> load(const f16* from) {
  constexpr int current_rounding = 4;  // of no effect
  Half16 half;
  __builtin_memcpy(&half, static_cast<const void*>(from), sizeof half);
  return Pack<float>(
      __builtin_ia32_vcvtph2ps512_mask(half, Pack<float>::Vector{}, -1, current_rounding));
}

MHC_INLINE void store(const Pack<float>& value, f16* to) {
  constexpr int to_nearest_even = 0;
  const auto half = __builtin_ia32_vcvtps2ph512_mask(value.v, to_nearest_even, Half16{}, -1);
  __builtin_memcpy(static_cast<void*>(to), &half, sizeof half);
}
#elif defined(MHC_HAS_F16C)
typedef short Half8 __attribute__((vector_size(16)));
typedef float Float8 __attribute__((vector_size(32)));

MHC_INLINE Pack<float> load(const f16* from) {
  Pack<float> result;
  for (int lane = 0; lane < Pack<float>::size; lane += 8) {
    Half8 half;
    __builtin_memcpy(&half, static_cast<const void*>(from + lane), sizeof half);
    const Float8 values = __builtin_ia32_vcvtph2ps256(half);
    __builtin_memcpy(reinterpret_cast<float*>(&result.v) + lane, &values, sizeof values);
  }
  return result;
}

MHC_INLINE void store(const Pack<float>& value, f16* to) {
  constexpr int to_nearest_even = 0;
  for (int lane = 0; lane < Pack<float>::size; lane += 8) {
    Float8 values;
    __builtin_memcpy(&values, reinterpret_cast<const float*>(&value.v) + lane, sizeof values);
    const auto half = __builtin_ia32_vcvtps2ph256(values, to_nearest_even);
    __builtin_memcpy(static_cast<void*>(to + lane), &half, sizeof half);
  }
}
#else
MHC_INLINE Pack<float> load(const f16* from) {
  Pack<float> result;
  for (int lane = 0; lane < Pack<float>::size; ++lane) {
    result.set(lane, Eigen::half_impl::half_to_float(from[lane]));
  }
  return result;
}

MHC_INLINE void store(const Pack<float>& value, f16* to) {
  for (int lane = 0; lane < Pack<float>::size; ++lane) {
    to[lane] = f16(Eigen::half_impl::float_to_half_rtne(value[lane]));
  }
}
#endif

/// The first `count` < W elements; the other lanes are zero.
template <class Element>
MHC_INLINE Pack<compute_t<Element>> load_first(const Element* from, index count) {
  Element buffer[Pack<compute_t<Element>>::size] = {};
  __builtin_memcpy(static_cast<void*>(buffer), from,
                   static_cast<std::size_t>(count) * sizeof(Element));
  return load(buffer);
}

template <class Element>
MHC_INLINE void store_first(const Pack<compute_t<Element>>& value, Element* to, index count) {
  Element buffer[Pack<compute_t<Element>>::size];
  store(value, buffer);
  __builtin_memcpy(static_cast<void*>(to), buffer,
                   static_cast<std::size_t>(count) * sizeof(Element));
}

/// Asks for `length` elements before they are needed. Rows of tokens are so far apart that the
/// hardware foresees only what is within one.
template <class Element>
MHC_INLINE void prefetch(const Element* from, index length) {
  constexpr index line = 64 / static_cast<index>(sizeof(Element));
  for (index c = 0; c < length; c += line) __builtin_prefetch(from + c, 0, 2);
}

/// V::size channels, or the first `some` of a pack: `Whole` says at compile time whether all of
/// them are there, so that a loop over channels and its remainder are one text.
template <class V, bool Whole, class Element>
MHC_INLINE V load_part(const Element* from, index some) {
  if constexpr (!Whole) {
    return load_first(from, some);
  } else if constexpr (V::size == Pack<NumberOf<V>>::size) {
    return load(from);
  } else {
    return {load(from), load(from + V::size / 2)};
  }
}

template <bool Whole, class S, class Element>
MHC_INLINE void store_part(const Pack<S>& value, Element* to, index some) {
  if constexpr (Whole) {
    store(value, to);
  } else {
    store_first(value, to, some);
  }
}

template <class S, class Element>
MHC_INLINE void store(const Pair<S>& value, Element* to) {
  store(value.low, to);
  store(value.high, to + Pack<S>::size);
}

#if MHC_LANE_BYTES == 32
/// Both packs by one instruction and a permutation of its quarters.
MHC_INLINE void store(const Pair<float>& value, bf16* to) {
  typedef long long Quarters __attribute__((vector_size(32)));
  const Signed32 low = reinterpret_cast<Signed32>(round_to_bf16(value.low) >> 16);
  const Signed32 high = reinterpret_cast<Signed32>(round_to_bf16(value.high) >> 16);
  const auto packed = reinterpret_cast<Quarters>(__builtin_ia32_packusdw256(low, high));
  const Quarters ordered = __builtin_shufflevector(packed, packed, 0, 2, 1, 3);
  __builtin_memcpy(static_cast<void*>(to), &ordered, sizeof ordered);
}
#endif

template <bool Whole, class S, class Element>
MHC_INLINE void store_part(const Pair<S>& value, Element* to, index /*some*/) {
  store(value, to);
}

/// Lanes a and b of a W x W transpose swap their off-diagonal blocks of `Half` lanes.
template <int Half, class S, std::size_t... Lane>
MHC_INLINE void swap_blocks(Pack<S>& a, Pack<S>& b, std::index_sequence<Lane...>) {
  constexpr int W = Pack<S>::size;
  const auto upper = __builtin_shufflevector(
      a.v, b.v,
      static_cast<int>(Lane / Half % 2 == 0 ? Lane : Lane + static_cast<std::size_t>(W - Half))...);
  const auto lower = __builtin_shufflevector(
      a.v, b.v,
      static_cast<int>(Lane / Half % 2 == 0 ? Lane + Half : Lane + static_cast<std::size_t>(W))...);
  a.v = upper;
  b.v = lower;
}

template <int Half, class S>
MHC_INLINE void transpose_blocks(Pack<S>* rows) {
  constexpr int W = Pack<S>::size;
  MHC_UNROLL
  for (int i = 0; i < W; ++i) {
    if (i / Half % 2 == 0) {
      swap_blocks<Half>(rows[i], rows[i + Half],
                        std::make_index_sequence<static_cast<std::size_t>(W)>());
    }
  }
  if constexpr (Half > 1) transpose_blocks<Half / 2>(rows);
}

/// rows[i][j] <- rows[j][i], W x W, in log2(W) stages.
template <class S>
MHC_INLINE void transpose(Pack<S>* rows) {
  transpose_blocks<Pack<S>::size / 2>(rows);
}

/// A run of `size` numbers in each of `count` records, `stride` apart, to packs (a record per lane;
/// missing lanes repeat the last record) and back.
template <class S>
MHC_INLINE void gather(const S* records, index stride, int count, int size, Pack<S>* to) {
  constexpr int W = Pack<S>::size;
  int e = 0;
  for (; e + W <= size; e += W) {
    MHC_UNROLL
    for (int lane = 0; lane < W; ++lane) {
      to[e + lane] = load(records + std::min(lane, count - 1) * stride + e);
    }
    transpose(to + e);
  }
  for (; e < size; ++e) {
    for (int lane = 0; lane < W; ++lane) {
      to[e].set(lane, records[std::min(lane, count - 1) * stride + e]);
    }
  }
}

template <class S>
MHC_INLINE void gather(const S* records, index stride, int count, int size, Pair<S>* to) {
  constexpr int W = Pack<S>::size;
  const S* upper = records + std::min(W, count - 1) * stride;
  int e = 0;
  for (; e + W <= size; e += W) {
    Pack<S> halves[2][W];
    gather(records + e, stride, std::min(W, count), W, halves[0]);
    gather(upper + e, stride, std::max(1, count - W), W, halves[1]);
    MHC_UNROLL
    for (int i = 0; i < W; ++i) to[e + i] = {halves[0][i], halves[1][i]};
  }
  for (; e < size; ++e) {
    for (int lane = 0; lane < 2 * W; ++lane) {
      to[e].set(lane, records[std::min(lane, count - 1) * stride + e]);
    }
  }
}

template <class S>
MHC_INLINE void scatter(const Pack<S>* from, int count, int size, S* records, index stride) {
  constexpr int W = Pack<S>::size;
  int e = 0;
  for (; e + W <= size; e += W) {
    Pack<S> rows[W];
    MHC_UNROLL
    for (int lane = 0; lane < W; ++lane) rows[lane] = from[e + lane];
    transpose(rows);
    MHC_UNROLL
    for (int lane = 0; lane < W; ++lane) {
      if (lane < count) store(rows[lane], records + lane * stride + e);
    }
  }
  for (; e < size; ++e) {
    for (int lane = 0; lane < W && lane < count; ++lane) {
      records[lane * stride + e] = from[e][lane];
    }
  }
}

template <class S>
MHC_INLINE void scatter(const Pair<S>* from, int count, int size, S* records, index stride) {
  constexpr int W = Pack<S>::size;
  int e = 0;
  for (; e + W <= size; e += W) {
    Pack<S> halves[2][W];
    MHC_UNROLL
    for (int i = 0; i < W; ++i) {
      halves[0][i] = from[e + i].low;
      halves[1][i] = from[e + i].high;
    }
    scatter(halves[0], std::min(W, count), W, records + e, stride);
    if (count > W) scatter(halves[1], count - W, W, records + W * stride + e, stride);
  }
  for (; e < size; ++e) {
    for (int lane = 0; lane < 2 * W && lane < count; ++lane) {
      records[lane * stride + e] = from[e][lane];
    }
  }
}
