// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/cuda/element.hpp>
#include <mhc/cuda/kernels/lane.hpp>
#include <mhc/host_device.hpp>

// Sinkhorn-Knopp alone: a matrix in each thread, its formulas those of the mapping kernel.
//
// Traffic: 2 n^2 numbers a matrix. For n = 4 an iteration is 64 multiply-adds and 8 reciprocals a
// thread, all in registers; large n keep the matrix in local memory.

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace kernels {

/// Threads a block: small ones, so that a batch of some thousands is spread evenly.
constexpr int matrix_threads = 64;

/// How many numbers of a matrix are moved as one where everything is aligned: up to 16 bytes.
template <int N, class Scalar>
MHC_HOST_DEVICE constexpr int matrix_vector() {
  int v = 16 / static_cast<int>(sizeof(Scalar));
  while (N % v != 0) v /= 2;
  return v;
}

/// A matrix from memory, transposed or not, and back. An index that is not known at compile time
/// would put it into local memory.
template <int N, int V, bool transposed, class Scalar>
__device__ inline void load_matrix(const StreamRows<const Scalar>& from, Index t,
                                   Lane<Scalar> (&m)[N * N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) {
#pragma unroll
    for (int j = 0; j < N; j += V) {
      const auto values = load<V>(from.row(t, i) + j);
#pragma unroll
      for (int k = 0; k < V; ++k) {
        m[transposed ? (j + k) * N + i : i * N + j + k].value = values.at[k];
      }
    }
  }
}
template <int N, int V, bool transposed, class Scalar>
__device__ inline void store_matrix(const Lane<Scalar> (&m)[N * N], const StreamRows<Scalar>& to,
                                    Index t) {
#pragma unroll
  for (int i = 0; i < N; ++i) {
#pragma unroll
    for (int j = 0; j < N; j += V) {
      Vector<Scalar, V> values;
#pragma unroll
      for (int k = 0; k < V; ++k) {
        values.at[k] = m[transposed ? (j + k) * N + i : i * N + j + k].value;
      }
      store<V>(values, to.row(t, i) + j);
    }
  }
}

/// In how many pieces of 16 bytes a matrix that stands right behind another goes through shared
/// memory, where lanes read and write neighbouring pieces; 0 if it does not, as up to 64 bytes,
/// where it is slower.
template <int N, class Scalar>
MHC_HOST_DEVICE constexpr int matrix_pieces() {
  constexpr int bytes = N * N * static_cast<int>(sizeof(Scalar));
  return N <= 8 && bytes > 64 && bytes % 16 == 0 ? bytes / 16 : 0;
}

/// res(t) = SinkhornKnopp(logits(t)); every number of a matrix is read before one is written, so
/// that res may be logits. Axis::rows is the same on the transpose.
template <int N, int V, bool rows_first, class Scalar>
__global__ void __launch_bounds__(matrix_threads)
    sinkhorn_knopp_matrices(StreamRows<const Scalar> logits, SinkhornKnoppOptions options,
                            StreamRows<Scalar> res, Index count) {
  const Index t = Index{blockIdx.x} * matrix_threads + threadIdx.x;
  if (t >= count) return;
  Lane<Scalar> m[N * N];
  load_matrix<N, V, rows_first>(logits, t, m);
  options.first = Axis::columns;
  sinkhorn_knopp<N>(m, options, m);
  store_matrix<N, V, rows_first>(m, res, t);
}

/// The same for matrices that stand one behind another.
template <int N, bool rows_first, class Scalar>
__global__ void __launch_bounds__(matrix_threads)
    sinkhorn_knopp_pieces(const Scalar* logits, SinkhornKnoppOptions options, Scalar* res,
                          Index count) {
  constexpr int pieces = matrix_pieces<N, Scalar>();
  constexpr int pitch = pieces + 1;  // no two lanes of a quarter of a warp meet in a bank
  constexpr int V = matrix_vector<N, Scalar>();
  __shared__ uint4 shared[matrix_threads * pitch];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const Index first = Index{blockIdx.x} * matrix_threads + (threadIdx.x - lane);
  const int there = static_cast<int>(count - first < 32 ? count - first : 32);  // of the warp
  uint4* mine = shared + (threadIdx.x - lane) * pitch;
  const uint4* from = reinterpret_cast<const uint4*>(logits + first * N * N);
#pragma unroll
  for (int p = 0; p < pieces; ++p) {
    const int k = p * 32 + lane;
    if (k < there * pieces) mine[k / pieces * pitch + k % pieces] = from[k];
  }
  __syncwarp();
  if (lane < there) {
    const StreamRows<Scalar> matrices = {reinterpret_cast<Scalar*>(mine),
                                         pitch * 16 / Index{sizeof(Scalar)}, N};
    Lane<Scalar> m[N * N];
    load_matrix<N, V, rows_first>(StreamRows<const Scalar>{matrices.data, matrices.token_stride, N},
                                  lane, m);
    options.first = Axis::columns;
    sinkhorn_knopp<N>(m, options, m);
    store_matrix<N, V, rows_first>(m, matrices, lane);
  }
  __syncwarp();
  uint4* to = reinterpret_cast<uint4*>(res + first * N * N);
#pragma unroll
  for (int p = 0; p < pieces; ++p) {
    const int k = p * 32 + lane;
    if (k < there * pieces) to[k] = mine[k / pieces * pitch + k % pieces];
  }
}

}  // namespace kernels
}  // namespace cuda
MHC_NAMESPACE_END
