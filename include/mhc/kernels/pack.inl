// SPDX-License-Identifier: MIT
// Part of kernels.hpp: W values of one type in a SIMD register, W = MHC_LANE_BYTES /
// sizeof(Scalar).

template <class Scalar>
struct Pack {
  static constexpr int size = MHC_LANE_BYTES / static_cast<int>(sizeof(Scalar));
  typedef Scalar Vector __attribute__((vector_size(MHC_LANE_BYTES)));
  Vector v;

  Pack() = default;
  MHC_INLINE explicit Pack(const Vector& vector) : v(vector) {}
  MHC_INLINE explicit Pack(Scalar value) : v(value - Vector{}) {}

  MHC_INLINE Scalar operator[](int lane) const { return v[lane]; }
  MHC_INLINE void set(int lane, Scalar value) { v[lane] = value; }
};

template <class Scalar>
MHC_INLINE Pack<Scalar> operator+(const Pack<Scalar>& a, const Pack<Scalar>& b) {
  return Pack<Scalar>(a.v + b.v);
}
template <class Scalar>
MHC_INLINE Pack<Scalar> operator-(const Pack<Scalar>& a, const Pack<Scalar>& b) {
  return Pack<Scalar>(a.v - b.v);
}
template <class Scalar>
MHC_INLINE Pack<Scalar> operator*(const Pack<Scalar>& a, const Pack<Scalar>& b) {
  return Pack<Scalar>(a.v * b.v);
}
template <class Scalar>
MHC_INLINE Pack<Scalar> operator/(const Pack<Scalar>& a, const Pack<Scalar>& b) {
  return Pack<Scalar>(a.v / b.v);
}

/// a * b + c in one expression: a fused multiply-add wherever the target has one. Sums over streams
/// and channels go only through it, so that they round alike in every copy of a loop.
template <class Scalar>
MHC_INLINE Pack<Scalar> mul_add(const Pack<Scalar>& a, const Pack<Scalar>& b,
                                const Pack<Scalar>& c) {
  return Pack<Scalar>(a.v * b.v + c.v);
}

template <class Scalar>
MHC_INLINE Pack<Scalar> larger(const Pack<Scalar>& a, const Pack<Scalar>& b) {
  return Pack<Scalar>(a.v > b.v ? a.v : b.v);
}

template <class Scalar>
MHC_INLINE Pack<Scalar> smaller(const Pack<Scalar>& a, const Pack<Scalar>& b) {
  return Pack<Scalar>(a.v < b.v ? a.v : b.v);
}

/// Two packs as one value of 2 W lanes: where a computation waits for its own results (Sinkhorn's
/// sums and divisions), each pack works while the other waits.
template <class Scalar>
struct Pair {
  static constexpr int size = 2 * Pack<Scalar>::size;
  Pack<Scalar> low;
  Pack<Scalar> high;

  Pair() = default;
  MHC_INLINE Pair(const Pack<Scalar>& low_, const Pack<Scalar>& high_) : low(low_), high(high_) {}
  MHC_INLINE explicit Pair(Scalar value) : low(value), high(value) {}

  MHC_INLINE Scalar operator[](int lane) const {
    return lane < Pack<Scalar>::size ? low[lane] : high[lane - Pack<Scalar>::size];
  }
  MHC_INLINE void set(int lane, Scalar value) {
    if (lane < Pack<Scalar>::size) {
      low.set(lane, value);
    } else {
      high.set(lane - Pack<Scalar>::size, value);
    }
  }
};

template <class Scalar>
MHC_INLINE Pair<Scalar> operator+(const Pair<Scalar>& a, const Pair<Scalar>& b) {
  return {a.low + b.low, a.high + b.high};
}
template <class Scalar>
MHC_INLINE Pair<Scalar> operator-(const Pair<Scalar>& a, const Pair<Scalar>& b) {
  return {a.low - b.low, a.high - b.high};
}
template <class Scalar>
MHC_INLINE Pair<Scalar> operator*(const Pair<Scalar>& a, const Pair<Scalar>& b) {
  return {a.low * b.low, a.high * b.high};
}
template <class Scalar>
MHC_INLINE Pair<Scalar> operator/(const Pair<Scalar>& a, const Pair<Scalar>& b) {
  return {a.low / b.low, a.high / b.high};
}
template <class Scalar>
MHC_INLINE Pair<Scalar> mul_add(const Pair<Scalar>& a, const Pair<Scalar>& b,
                                const Pair<Scalar>& c) {
  return {mul_add(a.low, b.low, c.low), mul_add(a.high, b.high, c.high)};
}
template <class Scalar>
MHC_INLINE Pair<Scalar> larger(const Pair<Scalar>& a, const Pair<Scalar>& b) {
  return {larger(a.low, b.low), larger(a.high, b.high)};
}

template <class Scalar>
MHC_INLINE Pair<Scalar> smaller(const Pair<Scalar>& a, const Pair<Scalar>& b) {
  return {smaller(a.low, b.low), smaller(a.high, b.high)};
}

/// The number type of a pack or a pair.
template <class V>
struct LanesOf;
template <class Scalar>
struct LanesOf<Pack<Scalar>> {
  using Number = Scalar;
};
template <class Scalar>
struct LanesOf<Pair<Scalar>> {
  using Number = Scalar;
};
template <class V>
using NumberOf = typename LanesOf<V>::Number;

/// The lanes' sum, halves first: one fixed order.
template <class Scalar>
MHC_INLINE Scalar sum(const Pack<Scalar>& a) {
  Scalar lanes[Pack<Scalar>::size];
  __builtin_memcpy(lanes, &a.v, sizeof lanes);
  for (int half = Pack<Scalar>::size / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

// Elementary functions, lane by lane with the C library's accuracy (below 1 ULP). exp.inl has a
// faster exp for float.
#define MHC_LANE_BY_LANE(name)                                                                  \
  template <class Scalar>                                                                       \
  MHC_INLINE Pack<Scalar> name(const Pack<Scalar>& a) {                                         \
    Pack<Scalar> result;                                                                        \
    for (int lane = 0; lane < Pack<Scalar>::size; ++lane) result.set(lane, std::name(a[lane])); \
    return result;                                                                              \
  }
MHC_LANE_BY_LANE(exp)
MHC_LANE_BY_LANE(tanh)
MHC_LANE_BY_LANE(sqrt)
#undef MHC_LANE_BY_LANE

template <class Scalar>
MHC_INLINE Pair<Scalar> exp(const Pair<Scalar>& a) {
  return {exp(a.low), exp(a.high)};
}
template <class Scalar>
MHC_INLINE Pair<Scalar> tanh(const Pair<Scalar>& a) {
  return {tanh(a.low), tanh(a.high)};
}
