// SPDX-License-Identifier: MIT
// Part of kernels.hpp: records of numbers to packs, a record per lane, and back.

/// Lanes a and b of a W x W transpose swap their off-diagonal blocks of `Half` lanes.
template <int Half, class Scalar, std::size_t... Lane>
MHC_INLINE void swap_blocks(Pack<Scalar>& a, Pack<Scalar>& b, std::index_sequence<Lane...>) {
  constexpr int W = Pack<Scalar>::size;
  const auto upper = __builtin_shufflevector(
      a.v, b.v,
      static_cast<int>(Lane / Half % 2 == 0 ? Lane : Lane + static_cast<std::size_t>(W - Half))...);
  const auto lower = __builtin_shufflevector(
      a.v, b.v,
      static_cast<int>(Lane / Half % 2 == 0 ? Lane + Half : Lane + static_cast<std::size_t>(W))...);
  a.v = upper;
  b.v = lower;
}

template <int Half, class Scalar>
MHC_INLINE void transpose_blocks(Pack<Scalar>* rows) {
  constexpr int W = Pack<Scalar>::size;
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
template <class Scalar>
MHC_INLINE void transpose(Pack<Scalar>* rows) {
  transpose_blocks<Pack<Scalar>::size / 2>(rows);
}

/// W lanes of W records to W packs, and back.
template <class Scalar>
MHC_INLINE void gather_block(const Scalar* records, Index stride, int count, Pack<Scalar>* to) {
  MHC_UNROLL
  for (int lane = 0; lane < Pack<Scalar>::size; ++lane) {
    to[lane] = load(records + (std::min)(lane, count - 1) * stride);
  }
  transpose(to);
}

template <class Scalar>
MHC_INLINE void gather_block(const Scalar* records, Index stride, int count, Pair<Scalar>* to) {
  constexpr int W = Pack<Scalar>::size;
  Pack<Scalar> low[W];
  Pack<Scalar> high[W];
  gather_block(records, stride, (std::min)(W, count), low);
  gather_block(records + (std::min)(W, count - 1) * stride, stride, (std::max)(1, count - W), high);
  MHC_UNROLL
  for (int e = 0; e < W; ++e) to[e] = {low[e], high[e]};
}

template <class Scalar>
MHC_INLINE void scatter_block(const Pack<Scalar>* from, int count, Scalar* records, Index stride) {
  constexpr int W = Pack<Scalar>::size;
  Pack<Scalar> rows[W];
  MHC_UNROLL
  for (int e = 0; e < W; ++e) rows[e] = from[e];
  transpose(rows);
  MHC_UNROLL
  for (int lane = 0; lane < W; ++lane) {
    if (lane < count) store(rows[lane], records + lane * stride);
  }
}

template <class Scalar>
MHC_INLINE void scatter_block(const Pair<Scalar>* from, int count, Scalar* records, Index stride) {
  constexpr int W = Pack<Scalar>::size;
  Pack<Scalar> low[W];
  Pack<Scalar> high[W];
  MHC_UNROLL
  for (int e = 0; e < W; ++e) {
    low[e] = from[e].low;
    high[e] = from[e].high;
  }
  scatter_block(low, (std::min)(W, count), records, stride);
  if (count > W) scatter_block(high, count - W, records + W * stride, stride);
}

/// A run of `size` numbers in each of `count` records, `stride` apart, to packs or pairs (a record
/// per lane; missing lanes repeat the last record) and back.
template <class V>
MHC_INLINE void gather(const NumberOf<V>* records, Index stride, int count, int size, V* to) {
  constexpr int W = Pack<NumberOf<V>>::size;
  int e = 0;
  for (; e + W <= size; e += W) gather_block(records + e, stride, count, to + e);
  for (; e < size; ++e) {
    for (int lane = 0; lane < V::size; ++lane) {
      to[e].set(lane, records[(std::min)(lane, count - 1) * stride + e]);
    }
  }
}

template <class V>
MHC_INLINE void scatter(const V* from, int count, int size, NumberOf<V>* records, Index stride) {
  constexpr int W = Pack<NumberOf<V>>::size;
  int e = 0;
  for (; e + W <= size; e += W) scatter_block(from + e, count, records + e, stride);
  for (; e < size; ++e) {
    for (int lane = 0; lane < V::size && lane < count; ++lane) {
      records[lane * stride + e] = from[e][lane];
    }
  }
}
