// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/cuda/element.hpp>

// The projection x phi and the sum of squares, for any n, C and element. The channels of all
// streams are cut into parts of 256; a block has one part of a few tokens and writes
//
//   sums[(part * size + value) * tokens + t],   size = groups (R + 1): R projections, then squares
//
// which the mapping kernel adds in the order of the parts. The order of every sum depends on C
// alone: a lane has every 32nd channel, a stream after the other, then the lanes by halves.

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace kernels {

constexpr int part_channels = 256;    ///< 4 streams of them are 1024 values, 32 a lane
constexpr int staged_channels = 128;  ///< whose rows of phi wait in shared memory, 12 KiB in float
constexpr int project_warps = 8;
constexpr int most_columns = 24;  ///< of phi that a thread sums at once: n (n + 2) for n = 4

inline Index parts_of(Index channels) {
  return (channels + part_channels - 1) / part_channels;
}

/// A site's numbers for the projection.
template <int N, class Connection>
struct Projection {
  using Shape = typename Connection::template Shape<N>;
  static constexpr int columns = Shape::projections;
  static constexpr int groups = Shape::groups;
  static constexpr int size = groups * (columns + 1);
  static constexpr int together = columns < most_columns ? columns : most_columns;
  static constexpr int column_blocks =
      groups == 0 ? 0 : (columns + most_columns - 1) / most_columns;
};

/// The tokens of a warp: their sums stay in registers, 4 x 25 floats or 2 x 25 doubles.
template <class Scalar>
constexpr int warp_tokens = sizeof(Scalar) == 4 ? 4 : 2;

/// Grid: (tokens / tile, parts, groups * column blocks). A warp has warp_tokens tokens, a lane some
/// of the channels, and all of them share phi through shared memory.
template <int N, class Connection, class D, class Scalar>
__global__ void __launch_bounds__(project_warps * 32)
    project(StreamRows<const D> x, const Scalar* phi, Scalar* sums, Index tokens, Index channels) {
  using P = Projection<N, Connection>;
  constexpr int count = warp_tokens<Scalar>;
  constexpr int streams = N / P::groups;
  constexpr int pitch = staged_channels + 1;  // so that stores along a row of phi meet other banks
  __shared__ Scalar rows[P::together * pitch];
  const int group = blockIdx.z / P::column_blocks;
  const int column = blockIdx.z % P::column_blocks * P::together;
  const int lane = threadIdx.x % 32;
  const Index first = (Index{blockIdx.x} * project_warps + threadIdx.x / 32) * count;
  const Index begin = Index{blockIdx.y} * part_channels;
  const Index end = begin + part_channels < channels ? begin + part_channels : channels;
  Scalar total[count][P::together + 1];
#pragma unroll
  for (int t = 0; t < count; ++t) {
#pragma unroll
    for (int r = 0; r <= P::together; ++r) total[t][r] = Scalar(0);
  }
  for (int s = 0; s < streams; ++s) {
    for (Index c0 = begin; c0 < end; c0 += staged_channels) {
      // All values of x first: their latency passes while phi comes.
      D held[staged_channels / 32][count];
#pragma unroll
      for (int step = 0; step < staged_channels / 32; ++step) {
        const Index c = c0 + step * 32 + lane;
#pragma unroll
        for (int t = 0; t < count; ++t) {
          held[step][t] = D(0);
          if (first + t < tokens && c < end)
            held[step][t] = x.row(first + t, group * streams + s)[c];
        }
      }
      __syncthreads();
      for (int e = threadIdx.x; e < staged_channels * P::together; e += project_warps * 32) {
        const int c = e / P::together;
        const int r = e % P::together;
        const bool there = c0 + c < end && column + r < P::columns;
        rows[r * pitch + c] =
            there ? phi[(s * channels + c0 + c) * P::columns + column + r] : Scalar(0);
      }
      __syncthreads();
#pragma unroll
      for (int step = 0; step < staged_channels / 32; ++step) {
        const int c = step * 32 + lane;
        Scalar value[count];
#pragma unroll
        for (int t = 0; t < count; ++t) {
          value[t] = to_scalar(held[step][t]);
          total[t][P::together] = fma(value[t], value[t], total[t][P::together]);
        }
#pragma unroll
        for (int r = 0; r < P::together; ++r) {
          const Scalar weight = rows[r * pitch + c];
#pragma unroll
          for (int t = 0; t < count; ++t) total[t][r] = fma(value[t], weight, total[t][r]);
        }
      }
    }
  }
#pragma unroll
  for (int r = 0; r <= P::together; ++r) {
    const int value = r < P::together ? column + r : P::columns;
    // Squares are the same in every block of columns: the first one writes them.
    const bool mine = r < P::together ? value < P::columns : column == 0;
#pragma unroll
    for (int t = 0; t < count; ++t) {
#pragma unroll
      for (int half = 16; half > 0; half /= 2) {
        total[t][r] += __shfl_xor_sync(0xffffffffu, total[t][r], half);
      }
      if (lane == t && mine && first + t < tokens) {
        const Index slot = Index{blockIdx.y} * P::size + group * (P::columns + 1) + value;
        sums[slot * tokens + first + t] = total[t][r];
      }
    }
  }
}

}  // namespace kernels
}  // namespace cuda
MHC_NAMESPACE_END
