// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/cuda/kernels/lane.hpp>
#include <mhc/cuda/kernels/project.hpp>
#include <mhc/kernels/site.hpp>
#include <mhc/saved.hpp>

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace kernels {

constexpr int map_threads = 32;  ///< small blocks: a token is long work, and few tokens are common

/// What the kernel needs of a site; its pointers are the device's.
template <int N, class Scalar, class Connection>
struct MapSite {
  typename Connection::Options options;
  const Scalar* alpha;
  const Scalar* b;
  Scalar norm_eps;
  NormEps norm;
  Scalar depth;  ///< the values under one norm
};

/// The rest of a token's record from raw and r, and all of it into memory.
template <int N, class Scalar, class Connection>
__device__ inline void map_token(const MapSite<N, Scalar, Connection>& site,
                                 Record<N, Lane<Scalar>, Connection>& token, Scalar* records,
                                 Index t) {
  using Layout = SavedView<N, Scalar, Connection>;
  using Shape = typename Connection::template Shape<N>;
  Scalar* record = records + t * Layout::record;
  if constexpr (Shape::projections > 0) {
#pragma unroll
    for (int g = 0; g < Shape::groups; ++g) record[g] = token.inverse_rms[g].value;
#pragma unroll
    for (int r = 0; r < Shape::groups * Shape::projections; ++r) {
      record[Layout::raw_offset + r] = token.raw[r].value;
    }
  }
  Mapping<Connection>::template forward<N>(site.options, site.alpha, site.b, token);
#pragma unroll
  for (int r = 0; r < Shape::logits; ++r) {
    record[Layout::logits_offset + r] = token.logits[r].value;
  }
#pragma unroll
  for (int i = 0; i < N; ++i) record[Layout::pre_offset + i] = token.pre[i].value;
  if constexpr (Shape::merges) {
#pragma unroll
    for (int i = 0; i < N; ++i) record[Layout::post_offset + i] = token.post[i].value;
#pragma unroll
    for (int e = 0; e < N * N; ++e) record[Layout::res_offset + e] = token.res[e].value;
  }
}

/// The sums of the parts, in order, into r, raw, logits, pre, post and res of a token: a token per
/// thread, Sinkhorn-Knopp in its registers.
template <int N, class Scalar, class Connection>
__global__ void __launch_bounds__(map_threads)
    map(MapSite<N, Scalar, Connection> site, const Scalar* sums, Index parts, Scalar* records,
        Index tokens) {
  using Shape = typename Connection::template Shape<N>;
  using V = Lane<Scalar>;
  const Index t = Index{blockIdx.x} * map_threads + threadIdx.x;
  if (t >= tokens) return;
  Record<N, V, Connection> token;
  if constexpr (Shape::projections > 0) {
    constexpr int size = Projection<N, Connection>::size;
    constexpr int columns = Shape::projections;
    Scalar squares[Shape::groups];
    for (Index p = 0; p < parts; ++p) {  // all values of a part at once: loads that do not wait
      const Scalar* part = sums + p * size * tokens + t;
#pragma unroll
      for (int g = 0; g < Shape::groups; ++g) {
#pragma unroll
        for (int r = 0; r < columns; ++r) {
          const Scalar more = part[(g * (columns + 1) + r) * tokens];
          Scalar& raw = token.raw[g * columns + r].value;
          raw = p == 0 ? more : raw + more;
        }
        const Scalar more = part[(g * (columns + 1) + columns) * tokens];
        squares[g] = p == 0 ? more : squares[g] + more;
      }
    }
#pragma unroll
    for (int g = 0; g < Shape::groups; ++g) {
      token.inverse_rms[g] = V(inverse_rms(squares[g] / site.depth, site.norm, site.norm_eps));
    }
  }
  map_token(site, token, records, t);
}

}  // namespace kernels
}  // namespace cuda
MHC_NAMESPACE_END
