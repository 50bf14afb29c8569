// SPDX-License-Identifier: MIT
// Part of kernels.hpp: elements from and to memory, any alignment; 16-bit types by their bits.

template <class Scalar>
MHC_INLINE Pack<Scalar> load(const Scalar* from) {
  Pack<Scalar> result;
  __builtin_memcpy(&result.v, from, sizeof result.v);
  return result;
}

template <class Scalar>
MHC_INLINE void store(const Pack<Scalar>& value, Scalar* to) {
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

// Pairs, as two packs.

template <class Scalar, class Element>
MHC_INLINE void store(const Pair<Scalar>& value, Element* to) {
  store(value.low, to);
  store(value.high, to + Pack<Scalar>::size);
}

#if MHC_LANE_BYTES == 32
/// Both by one instruction and a permutation of its quarters.
MHC_INLINE void store(const Pair<float>& value, bf16* to) {
  typedef long long Quarters __attribute__((vector_size(32)));
  const Signed32 low = reinterpret_cast<Signed32>(round_to_bf16(value.low) >> 16);
  const Signed32 high = reinterpret_cast<Signed32>(round_to_bf16(value.high) >> 16);
  const auto packed = reinterpret_cast<Quarters>(__builtin_ia32_packusdw256(low, high));
  const Quarters ordered = __builtin_shufflevector(packed, packed, 0, 2, 1, 3);
  __builtin_memcpy(static_cast<void*>(to), &ordered, sizeof ordered);
}
#endif

/// The first `count` < W elements; the other lanes are zero.
template <class Element>
MHC_INLINE Pack<compute_t<Element>> load_first(const Element* from, Index count) {
  Element buffer[Pack<compute_t<Element>>::size] = {};
  __builtin_memcpy(static_cast<void*>(buffer), from,
                   static_cast<std::size_t>(count) * sizeof(Element));
  return load(buffer);
}

template <class Element>
MHC_INLINE void store_first(const Pack<compute_t<Element>>& value, Element* to, Index count) {
  Element buffer[Pack<compute_t<Element>>::size];
  store(value, buffer);
  __builtin_memcpy(static_cast<void*>(to), buffer,
                   static_cast<std::size_t>(count) * sizeof(Element));
}

/// Asks for `length` elements before they are needed. Rows of tokens are so far apart that the
/// hardware foresees only what is within one.
template <class Element>
MHC_INLINE void prefetch(const Element* from, Index length) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(Element));
  for (Index c = 0; c < length; c += line) __builtin_prefetch(from + c, 0, 2);
}

/// V::size channels, or the first `some` of a pack: `Whole` says at compile time whether all of
/// them are there, so that a loop over channels and its remainder are one text.
template <class V, bool Whole, class Element>
MHC_INLINE V load_part(const Element* from, Index some) {
  if constexpr (!Whole) {
    return load_first(from, some);
  } else if constexpr (V::size == Pack<NumberOf<V>>::size) {
    return load(from);
  } else {
    return {load(from), load(from + V::size / 2)};
  }
}

template <bool Whole, class Scalar, class Element>
MHC_INLINE void store_part(const Pack<Scalar>& value, Element* to, Index some) {
  if constexpr (Whole) {
    store(value, to);
  } else {
    store_first(value, to, some);
  }
}

template <bool Whole, class Scalar, class Element>
MHC_INLINE void store_part(const Pair<Scalar>& value, Element* to, Index /*some*/) {
  store(value, to);
}
