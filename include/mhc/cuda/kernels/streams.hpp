// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/cuda/element.hpp>

// Streams in and out of memory once: finish and the weighted sum of the streams. A thread has V
// neighbouring channels of all streams of a token, so that nothing is exchanged; a block has 128
// such threads, of one token. Traffic in elements a token: merge (2n + 1) C, aggregate (n + 1) C.

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace kernels {

constexpr int stream_threads = 128;

/// How many channels a thread has where everything is aligned: 16 bytes, the widest access, while
/// the registers of all streams allow it.
template <int N, class D>
constexpr int stream_vector() {
  int v = 16 / static_cast<int>(sizeof(D));
  while (v > 1 && N * v > 64) v /= 2;
  return v;
}

/// The token and the first channel of a thread.
template <int V>
struct Place {
  Index token;
  Index channel;

  __device__ Place(Index block, Index channels) {
    const Index blocks = (channels + stream_threads * V - 1) / (stream_threads * V);
    token = block / blocks;
    channel = (block % blocks * stream_threads + threadIdx.x) * V;
  }
};

template <int V>
Index stream_blocks(Index tokens, Index channels) {
  return tokens * ((channels + stream_threads * V - 1) / (stream_threads * V));
}

/// x'_o = post_o v + sum_i res[o][i] x_i for each channel, in this order; every value of a thread
/// is read before one is written, so that x' may be x. post (n) and res (n, n) stand behind one
/// another at `offset` of the records.
template <int N, int V, class D, class Scalar>
__global__ void __launch_bounds__(stream_threads)
    merge(StreamRows<const D> x, Rows<const D> v, Rows<const Scalar> records, int offset,
          StreamRows<D> x_next, Index channels) {
  const Place<V> at(blockIdx.x, channels);
  const bool inside = at.channel < channels;
  Vector<D, V> streams[N];
  Vector<D, V> update;
  if (inside) {
#pragma unroll
    for (int i = 0; i < N; ++i) streams[i] = load<V>(x.row(at.token, i) + at.channel);
    update = load<V>(v.row(at.token) + at.channel);
  }
  __shared__ Scalar coefficients[N + N * N];
  for (int e = threadIdx.x; e < N + N * N; e += stream_threads) {
    coefficients[e] = records.row(at.token)[offset + e];
  }
  __syncthreads();
  if (!inside) return;
#pragma unroll
  for (int o = 0; o < N; ++o) {
    Vector<D, V> result;
#pragma unroll
    for (int c = 0; c < V; ++c) {
      Scalar sum = coefficients[o] * to_scalar(update.at[c]);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        sum = fma(coefficients[N + o * N + i], to_scalar(streams[i].at[c]), sum);
      }
      from_scalar(sum, result.at[c]);
    }
    store<V>(result, x_next.row(at.token, o) + at.channel);
  }
}

/// sum_i weights_i streams_i for V channels, in this order, rounded once: the one formula of u.
template <int N, int V, class D, class Scalar>
__device__ inline Vector<D, V> weighted_sum(const Vector<D, V> (&streams)[N],
                                            const Scalar (&weights)[N]) {
  Vector<D, V> result;
#pragma unroll
  for (int c = 0; c < V; ++c) {
    Scalar sum = weights[0] * to_scalar(streams[0].at[c]);
#pragma unroll
    for (int i = 1; i < N; ++i) sum = fma(weights[i], to_scalar(streams[i].at[c]), sum);
    from_scalar(sum, result.at[c]);
  }
  return result;
}

/// u = sum_i pre_i x_i. From the last token to the first: of what was read or
/// written before, the last is still in L2.
template <int N, int V, class D, class Scalar>
__global__ void __launch_bounds__(stream_threads)
    aggregate(StreamRows<const D> x, Rows<const Scalar> pre, Rows<D> u, Index channels) {
  const Place<V> at(gridDim.x - 1 - blockIdx.x, channels);
  if (at.channel >= channels) return;
  Vector<D, V> streams[N];
#pragma unroll
  for (int i = 0; i < N; ++i) streams[i] = load<V>(x.row(at.token, i) + at.channel);
  Scalar weights[N];
#pragma unroll
  for (int i = 0; i < N; ++i) weights[i] = pre.row(at.token)[i];
  store<V>(weighted_sum<N>(streams, weights), u.row(at.token) + at.channel);
}

}  // namespace kernels
}  // namespace cuda
MHC_NAMESPACE_END
