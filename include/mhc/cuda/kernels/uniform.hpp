// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/cuda/kernels/streams.hpp>

// Expand and collapse, any number of streams, which is known at run time: a thread has V
// neighbouring channels of a token, a block 128 such threads. Traffic in elements a token:
// (n + 1) C each.

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace kernels {

/// V channels of an element a thread: 16 bytes.
template <class D>
inline constexpr int uniform_vector = 16 / static_cast<int>(sizeof(D));

/// out = scale sum_i x_i, in the order of the streams, rounded once. From the last token to the
/// first: of what was read or written before, the last is still in L2.
template <int V, class D, class Scalar>
__global__ void __launch_bounds__(stream_threads)
    sum_streams(StreamRows<const D> x, Index streams, Scalar scale, Rows<D> out, Index channels) {
  const Place<V> at(gridDim.x - 1 - blockIdx.x, channels);
  if (at.channel >= channels) return;
  const D* from = x.row(at.token, 0) + at.channel;
  Scalar total[V];
  const auto first = load<V>(from);
#pragma unroll
  for (int c = 0; c < V; ++c) total[c] = to_scalar(first.at[c]);
#pragma unroll 4  // loads on their way
  for (Index i = 1; i < streams; ++i) {
    const auto more = load<V>(from + i * x.stream_stride);
#pragma unroll
    for (int c = 0; c < V; ++c) total[c] += to_scalar(more.at[c]);
  }
  Vector<D, V> result;
#pragma unroll
  for (int c = 0; c < V; ++c) from_scalar(total[c] * scale, result.at[c]);
  store<V>(result, out.row(at.token) + at.channel);
}

/// x_i = scale in, for every stream.
template <int V, class D, class Scalar>
__global__ void __launch_bounds__(stream_threads)
    repeat_token(Rows<const D> in, Scalar scale, StreamRows<D> x, Index streams, Index channels) {
  const Place<V> at(blockIdx.x, channels);
  if (at.channel >= channels) return;
  auto value = load<V>(in.row(at.token) + at.channel);
#pragma unroll
  for (int c = 0; c < V; ++c) from_scalar(to_scalar(value.at[c]) * scale, value.at[c]);
  D* to = x.row(at.token, 0) + at.channel;
  for (Index i = 0; i < streams; ++i) store<V>(value, to + i * x.stream_stride);
}

/// x_stream = in, bit for bit, and zero in the other streams.
template <int V, class D>
__global__ void __launch_bounds__(stream_threads)
    place_token(Rows<const D> in, Index stream, StreamRows<D> x, Index streams, Index channels) {
  const Place<V> at(blockIdx.x, channels);
  if (at.channel >= channels) return;
  const auto value = load<V>(in.row(at.token) + at.channel);
  Vector<D, V> zero;
#pragma unroll
  for (int c = 0; c < V; ++c) zero.at[c] = D(0.0f);
  D* to = x.row(at.token, 0) + at.channel;
  for (Index i = 0; i < streams; ++i)
    store<V>(i == stream ? value : zero, to + i * x.stream_stride);
}

}  // namespace kernels
}  // namespace cuda
MHC_NAMESPACE_END
