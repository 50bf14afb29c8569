// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/cuda/kernels/map.hpp>
#include <mhc/cuda/kernels/project.hpp>
#include <mhc/cuda/kernels/streams.hpp>

// From the sums of the parts to the record, and to u, for sites whose projection is in tiles. For
// few tokens in one kernel, where one warp has the mappings while the others have u; for many the
// record comes first, and u by aggregate. Both have the same order of every sum.
//
// Traffic: 4 (R + 1) bytes a token for each 256 channels, the record; combine, (n + 1) C elements.

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace kernels {

constexpr int combine_warps = 8;  ///< that make u; one more has the mappings
constexpr int combine_threads = (combine_warps + 1) * 32;

/// A value of a token, part after part.
template <int size, class Scalar>
__device__ inline Scalar total_of_parts(const Scalar* sums, Index parts, int value, Index t,
                                        Index tokens) {
  const Scalar* part = sums + value * tokens + t;
  Scalar total = part[0];
#pragma unroll 15  // loads on their way: C = 4096 has 16 parts
  for (Index p = 1; p < parts; ++p) total += part[p * size * tokens];
  return total;
}

/// raw and r of a token, from its totals.
template <int N, class Scalar, class Connection>
__device__ inline void load_token(const MapSite<N, Scalar, Connection>& site, const Scalar* totals,
                                  int stride, Record<N, Lane<Scalar>, Connection>& token) {
  constexpr int columns = Projection<N, Connection>::columns;
#pragma unroll
  for (int r = 0; r < columns; ++r) token.raw[r].value = totals[r * stride];
  token.inverse_rms[0] =
      Lane<Scalar>(inverse_rms(totals[columns * stride] / site.depth, site.norm, site.norm_eps));
}

/// pre alone, before the rest of the mappings: u waits for no Sinkhorn-Knopp.
template <int N, class Scalar, class Connection>
__device__ inline void map_pre(const MapSite<N, Scalar, Connection>& site,
                               Record<N, Lane<Scalar>, Connection>& token) {
  Logits<Connection>::template forward<N>(site.alpha, site.b, token);
  if constexpr (squashes<Connection>) {  // HC: pre is the logits
#pragma unroll
    for (int i = 0; i < N; ++i) token.pre[i] = token.logits[i];
  } else {
    pre_gates<N>(site.options, token.logits, token.pre);
  }
}

/// u = sum_i pre_i x_i of one token. The next channels are on their way while these are summed, the
/// first while pre is made.
template <int N, int V, class D, class Scalar>
struct Aggregation {
  const D* rows[N];
  D* u;
  Index channel;
  Index step;
  Index channels;
  Vector<D, V> next[N];

  __device__ void fetch() {
    if (channel >= channels) return;
#pragma unroll
    for (int i = 0; i < N; ++i) next[i] = load<V>(rows[i] + channel);
  }
  __device__ void finish(const Scalar* weights) {
    Scalar pre[N];
#pragma unroll
    for (int i = 0; i < N; ++i) pre[i] = weights[i];
    while (channel < channels) {
      Vector<D, V> streams[N];
#pragma unroll
      for (int i = 0; i < N; ++i) streams[i] = next[i];
      const Index here = channel;
      channel += step;
      fetch();
      store<V>(weighted_sum<N>(streams, pre), u + here);
    }
  }
};

/// A block has a token. `pre` is that of the site before, or absent; u may be absent.
template <int N, int V, class Connection, class D, class Scalar>
__global__ void __launch_bounds__(combine_threads)
    combine(MapSite<N, Scalar, Connection> site, const Scalar* sums, Index parts, Scalar* records,
            StreamRows<const D> x, Rows<const Scalar> pre, Rows<D> u, Index tokens,
            Index channels) {
  using P = Projection<N, Connection>;
  __shared__ Scalar totals[P::size];
  __shared__ Scalar weights[N];
  const int thread = static_cast<int>(threadIdx.x);
  const Index t = blockIdx.x;
  const bool aggregates = thread < combine_warps * 32 && u.data != nullptr;
  Aggregation<N, V, D, Scalar> aggregation;
  if (aggregates) {
#pragma unroll
    for (int i = 0; i < N; ++i) aggregation.rows[i] = x.row(t, i);
    aggregation.u = u.row(t);
    aggregation.channel = Index{thread} * V;
    aggregation.step = combine_warps * 32 * V;
    aggregation.channels = channels;
    aggregation.fetch();
  }
  for (int value = thread; value < P::size; value += combine_threads) {
    totals[value] = total_of_parts<P::size>(sums, parts, value, t, tokens);
  }
  __syncthreads();
  Record<N, Lane<Scalar>, Connection> token;
  const bool maps = thread == combine_warps * 32;
  if (maps) {
    load_token(site, totals, 1, token);
    map_pre(site, token);
#pragma unroll
    for (int i = 0; i < N; ++i) weights[i] = token.pre[i].value;
  }
  __syncthreads();
  if (maps) {
    map_token(site, token, records, t);
  } else if (aggregates) {
    aggregation.finish(pre.data != nullptr ? pre.row(t) : weights);
  }
}

constexpr int map_sums_tokens = 32;
constexpr int map_sums_threads = 512;  ///< 16 values at once, 128 registers for Sinkhorn-Knopp

/// The record alone: all warps add the parts of 32 tokens, one has the mappings, a token per lane.
template <int N, class Scalar, class Connection>
__global__ void __launch_bounds__(map_sums_threads)
    map_sums(MapSite<N, Scalar, Connection> site, const Scalar* sums, Index parts, Scalar* records,
             Index tokens) {
  using P = Projection<N, Connection>;
  __shared__ Scalar totals[P::size * map_sums_tokens];
  const int lane = static_cast<int>(threadIdx.x) % map_sums_tokens;
  const int warp = static_cast<int>(threadIdx.x) / map_sums_tokens;
  const Index t = Index{blockIdx.x} * map_sums_tokens + lane;
  if (t < tokens) {
    for (int value = warp; value < P::size; value += map_sums_threads / map_sums_tokens) {
      totals[value * map_sums_tokens + lane] =
          total_of_parts<P::size>(sums, parts, value, t, tokens);
    }
  }
  __syncthreads();
  if (warp > 0 || t >= tokens) return;
  Record<N, Lane<Scalar>, Connection> token;
  load_token(site, totals + lane, map_sums_tokens, token);
  map_token(site, token, records, t);
}

}  // namespace kernels
}  // namespace cuda
MHC_NAMESPACE_END
