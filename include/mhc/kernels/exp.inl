// SPDX-License-Identifier: MIT
// Part of kernels.hpp: exp and sigmoid of a pack of floats; exp of doubles is the C library's, lane
// by lane.
//
//   x = k ln 2 + r,  |r| <= ln 2 / 2      exp(x) = 2^k (1 + r + r^2 p(r)),  p of degree 5
//
//   float   at most 2 ULP for x in [-87, 88.7], subnormal results rounded once, 0 below -104,
//           infinity above 88.73, NaN for NaN
//   double  the C library's, below 1 ULP
//
//   sigmoid x = 1 / (1 + exp(-x))
//
//   float   at most 3 ULP for x in [-87, infinity]; below -87 that of -87, 1.6e-38; NaN for NaN
//   double  the same for x in [-708, infinity]
//
// -ffast-math makes it 5 ULP: it divides by an approximate reciprocal.
//
// Coefficients: Cephes (S. Moshier), expf.

// Hides a value from -ffast-math, which would fold the two parts of ln 2, or of 2^k, into one.
#if defined(__x86_64__)
#define MHC_KEEP(value) __asm__("" : "+x"(value))
#elif defined(__aarch64__)
#define MHC_KEEP(value) __asm__("" : "+w"(value))
#else
#define MHC_KEEP(value) __asm__("" : "+m"(value))
#endif

/// 2^k for k in [-126, 127].
MHC_INLINE Pack<float> power_of_two(const Signed32& k) {
  const Signed32 bits = (k + 127) << 23;
  Pack<float> result;
  __builtin_memcpy(&result.v, &bits, sizeof bits);
  return result;
}

MHC_INLINE Pack<float> exp(const Pack<float>& a) {
  using V = Pack<float>;
  // Ternaries that keep a NaN. Conversion truncates, so that half a unit rounds to nearest; adding
  // and subtracting a large number instead is what -ffast-math would take away.
  V x(a.v > 89.0f ? V(89.0f).v : a.v);
  x.v = x.v < -105.0f ? V(-105.0f).v : x.v;
  const V scaled = x * V(1.44269504f);
  const V half(scaled.v < 0.0f ? V(-0.5f).v : V(0.5f).v);
  const Signed32 k = __builtin_convertvector((scaled + half).v, Signed32);
  const V kf(__builtin_convertvector(k, typename V::Vector));
  V r = mul_add(kf, V(-0.693359375f), x);  // exact: 10 bits times k
  MHC_KEEP(r.v);
  r = mul_add(kf, V(2.12194440e-4f), r);
  V p(1.9875691500e-4f);
  p = mul_add(p, r, V(1.3981999507e-3f));
  p = mul_add(p, r, V(8.3334519073e-3f));
  p = mul_add(p, r, V(4.1665795894e-2f));
  p = mul_add(p, r, V(1.6666665459e-1f));
  p = mul_add(p, r, V(5.0000001201e-1f));
  p = mul_add(p, r * r, r) + V(1.0f);
  const Signed32 low = k >> 1;  // in two steps: 2^k itself may be out of range
  p = p * power_of_two(low);
  MHC_KEEP(p.v);
  return p * power_of_two(k - low);
}

#undef MHC_KEEP

/// The argument is bounded below so that exp does not overflow: the reciprocal of an infinity is
/// not a number under -ffast-math.
template <class V>
MHC_INLINE V sigmoid(const V& a) {
  using Scalar = NumberOf<V>;
  const V bounded =
      larger(V(sizeof(Scalar) == 4 ? Scalar(-87) : Scalar(-708)), a);  // in this order a NaN stays
  return V(Scalar(1)) / (V(Scalar(1)) + exp(V(Scalar(0)) - bounded));
}

/// to[i] = exp(from[i]), to[i] = sigmoid(from[i]): for the tests of their accuracy.
template <class Scalar>
inline void exp_values(const Scalar* from, Scalar* to, Index count) {
  constexpr Index W = Pack<Scalar>::size;
  for (Index i = 0; i < count; i += W) {
    const Index some = (std::min)(W, count - i);
    store_first(exp(load_first(from + i, some)), to + i, some);
  }
}

template <class Scalar>
inline void sigmoid_values(const Scalar* from, Scalar* to, Index count) {
  constexpr Index W = Pack<Scalar>::size;
  for (Index i = 0; i < count; i += W) {
    const Index some = (std::min)(W, count - i);
    store_first(sigmoid(load_first(from + i, some)), to + i, some);
  }
}
