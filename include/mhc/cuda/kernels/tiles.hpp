// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <mhc/cuda/element.hpp>
#include <mhc/cuda/kernels/project.hpp>

// The projection on tensor cores, for bf16 streams: a warp has 16 tokens, a block 256 channels of
// all streams, whose rows of phi stay in shared memory as the matrix unit's fragments.
//
// Traffic in elements a token: n C; and 4 (R + 1) bytes for each 256 channels.
//
// phi is the sum of two bf16, phi = high + low, each rounded to nearest: |error| <= 2^-16 |phi|.
// Products of bf16 are exact, sums are floats. Their order depends on nothing: in a box of 64
// channels, for each 32 channels, stream after stream, high and low apart; high + low; box after
// box; then the parts of 256 channels, by the kernel that reads the sums.

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace kernels {

constexpr int tile_tokens = 16;     ///< the rows of m16n8k16
constexpr int tile_warps = 8;       ///< and 4 stages of the ring; 16 and 2 are no faster
constexpr int chunk_channels = 32;  ///< 16 bytes for each of the 4 lanes of a row, two steps of k
constexpr int chunks_of_part = part_channels / chunk_channels;
constexpr int most_stages = 4;   ///< of the ring: 128 KiB on their way for n = 4
constexpr int least_stages = 2;  ///< where shared memory is smaller, and for unaligned rows

/// True if the site's projection runs on tensor cores: whatever the shape, so that a token has the
/// same bits in every layout.
template <int N, class D, class Connection>
constexpr bool in_tiles() {
  using Shape = typename Connection::template Shape<N>;
  return std::is_same_v<D, __nv_bfloat16> && N >= 2 && N <= 4 && Shape::groups == 1 &&
         Shape::projections <= most_columns;
}

/// Bytes of shared memory: phi of a part, 4 bytes a value as in float, and the ring.
template <int N, class Connection>
struct TileMemory {
  static constexpr int columns = (Projection<N, Connection>::columns + 7) / 8;  ///< blocks of 8
  static constexpr int phi_bytes = N * chunks_of_part * 2 * columns * 32 * 16;
  static constexpr int stage_bytes = tile_warps * N * 2 * 32 * 16;  ///< a chunk of each warp
  static constexpr int bytes(int stages) { return phi_bytes + stages * stage_bytes; }
};

template <class D>
struct Tiles {
  StreamRows<const D> x;
  const float* phi;
  float* sums;
  Index tokens;
  Index channels;
};

// ---------------------------------------------------------------- instructions

/// d += a b, (16, 16) times (16, 8).
__device__ inline void multiply_add(float (&d)[4], const uint32_t (&a)[4], uint32_t b0,
                                    uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
      "{%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// 16 bytes from global to shared memory, past L1 and registers; zeros if not `inside`.
__device__ inline void copy_async(uint4* to, const void* from, bool inside) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from),
               "r"(inside ? 16 : 0)
               : "memory");
}
__device__ inline void end_group() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

/// Waits for all groups but the last `later`.
template <int later>
__device__ inline void wait_for_groups() {
  asm volatile("cp.async.wait_group %0;" ::"n"(later) : "memory");
}

/// Four matrices of 8 rows of 16 bytes: lane l gives the address of row l % 8 of matrix l / 8 and
/// gets 4 bytes of each, those of row l / 4.
__device__ inline void load_matrices(uint32_t (&to)[4], const uint4* row) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
}

__device__ inline float low_half(uint32_t pair) {
  return __uint_as_float(pair << 16);
}
__device__ inline float high_half(uint32_t pair) {
  return __uint_as_float(pair & 0xffff0000u);
}
__device__ inline uint32_t pair_of(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// ---------------------------------------------------------------- roles

/// phi of the block's channels as fragments: lane l has column l / 4 of a block of 8 and k =
/// 2 (l % 4) + {0, 1, 8, 9} of a step of 16 channels.
template <int N, class Connection>
__device__ inline void split_phi(const float* phi, Index begin, Index channels, uint4* fragments) {
  constexpr int blocks = TileMemory<N, Connection>::columns;
  constexpr int columns = Projection<N, Connection>::columns;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll 2  // 24 loads on their way
  for (int k = warp; k < N * chunks_of_part * 2; k += tile_warps) {
    const int stream = k / 2 / chunks_of_part;
    const Index c = begin + k / 2 % chunks_of_part * chunk_channels + k % 2 * 16 + lane % 4 * 2;
    const float* rows = phi + (stream * channels + c) * columns + lane / 4;
#pragma unroll
    for (int r = 0; r < blocks; ++r) {
      float values[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int k_of = i % 2 + i / 2 * 8;
        const bool there = c + k_of < channels && r * 8 + lane / 4 < columns;
        values[i] = there ? rows[k_of * columns + r * 8] : 0.0f;
      }
      const uint32_t high[2] = {pair_of(values[0], values[1]), pair_of(values[2], values[3])};
#pragma unroll
      for (int i = 0; i < 2; ++i) {  // what is left over, exactly
        values[i * 2] -= low_half(high[i]);
        values[i * 2 + 1] -= high_half(high[i]);
      }
      fragments[(k * blocks + r) * 32 + lane] = make_uint4(
          high[0], high[1], pair_of(values[0], values[1]), pair_of(values[2], values[3]));
    }
  }
}

/// A lane's rows of a tile, lane / 4 and lane / 4 + 8, from its first channel of the part on.
template <class D>
struct TileRows {
  const D* x;
  bool there[2];
};

template <class D>
__device__ inline TileRows<D> tile_rows(const Tiles<D>& site, Index token, Index channel) {
  TileRows<D> rows = {site.x.data, {}};
  rows.there[0] = token < site.tokens;
  rows.there[1] = token + 8 < site.tokens;
  if (rows.there[0]) rows.x = site.x.row(token, 0) + channel;
  return rows;
}

/// Where 8 channels of a row, a piece of its chunk, stand in the 512 bytes of 8 rows: each row's 64
/// bytes stay together, and the same piece of all rows meets all banks.
__device__ inline int place_of(int piece, int row) {
  return row * 4 + (piece ^ (row / 2));
}

/// 8 channels of a row, `left` of which exist, zeros for the others, into the ring.
template <bool wide, class D>
__device__ inline void fetch(uint4* to, const D* from, Index left, bool there) {
  if constexpr (wide) {
    copy_async(to, from, there && left > 0);
  } else {
    Vector<D, 8> values;
#pragma unroll
    for (int i = 0; i < 8; ++i) values.at[i] = there && i < left ? from[i] : D(0.0f);
    *to = *reinterpret_cast<const uint4*>(&values);
  }
}

template <int N, bool wide, class D>
__device__ inline void fetch_chunk(const Tiles<D>& site, const TileRows<D>& rows, int offset,
                                   Index left, uint4* ring) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const D* x = rows.x + offset + half * 8 * site.x.token_stride;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      fetch<wide>(ring + (i * 2 + half) * 32,
                  rows.there[half] ? x + i * site.x.stream_stride : rows.x, left, rows.there[half]);
    }
  }
}

/// A tile's sums: of columns, lane l has rows l / 4, l / 4 + 8 and columns 2 (l % 4) + {0, 1} of
/// each block; of squares, those of the two rows, where l / 8 == l % 4.
template <int columns>
struct TileSums {
  float high[columns][4] = {};
  float low[columns][4] = {};
  float squares[2][4] = {};  ///< x x^T against tokens 0 to 7 and 8 to 15: the diagonal counts

  /// 16 channels of a stream. `a` has rows 0 to 7, 8 to 15 of the first 8 channels, then of the
  /// others; `b` has rows 0 to 7 of both, then rows 8 to 15.
  __device__ void add(const uint32_t (&a)[4], const uint32_t (&b)[4], const uint4* phi) {
#pragma unroll
    for (int r = 0; r < columns; ++r) {
      const uint4 f = phi[r * 32];
      multiply_add(high[r], a, f.x, f.y);
      multiply_add(low[r], a, f.z, f.w);
    }
    multiply_add(squares[0], a, b[0], b[1]);
    multiply_add(squares[1], a, b[2], b[3]);
  }
};

/// The sums of one tile and part into memory, [value][token].
template <int N, class Connection, int blocks, class D>
__device__ inline void store_sums(const Tiles<D>& site, Index token, int lane,
                                  const float (&columns)[blocks][4], const float (&squares)[2]) {
  using P = Projection<N, Connection>;
  float* sums = site.sums + Index{blockIdx.y} * P::size * site.tokens;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    if (token + half * 8 >= site.tokens) continue;
    float* to = sums + token + half * 8;
#pragma unroll
    for (int r = 0; r < blocks; ++r) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int column = r * 8 + lane % 4 * 2 + i;
        if (column < P::columns) to[column * site.tokens] = columns[r][half * 2 + i];
      }
    }
    if (lane / 8 == lane % 4) to[P::columns * site.tokens] = squares[half];
  }
}

/// Grid: (blocks that share the tiles, parts). Tiles are dealt out to warps in turn, so that the
/// grid passes over the tokens from the first to the last.
template <int N, class Connection, bool wide, int stages, class D>
__global__ void __launch_bounds__(tile_warps * 32, 1) project_tiles(Tiles<D> site) {
  using M = TileMemory<N, Connection>;
  constexpr int blocks = M::columns;
  extern __shared__ uint4 shared[];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const Index begin = Index{blockIdx.y} * part_channels;
  const Index tiles = (site.tokens + tile_tokens - 1) / tile_tokens;
  const Index stride = Index{gridDim.x} * tile_warps;
  const Index first = Index{blockIdx.x} * tile_warps + warp;
  const Index left = site.channels - begin;
  constexpr int box_channels = 2 * chunk_channels;
  const int boxes = static_cast<int>(
      ((left < part_channels ? left : part_channels) + box_channels - 1) / box_channels);
  constexpr int stage = M::stage_bytes / 16;
  uint4* ring = shared + M::phi_bytes / 16 + warp * N * 64;
  uint4* mine = ring + place_of(lane % 4, lane / 4);
  const Index channel = begin + lane % 4 * 8;

  // The tile and chunk to be fetched next.
  Index coming = first;
  int coming_chunk = 0;
  int to = 0;
  TileRows<D> rows = tile_rows(site, coming * tile_tokens + lane / 4, channel);
  const auto fetch_next = [&] {
    if (coming < tiles) {
      const int offset = coming_chunk * chunk_channels;
      fetch_chunk<N, wide>(site, rows, offset, site.channels - channel - offset, mine + to * stage);
      to = to + 1 == stages ? 0 : to + 1;
      if (++coming_chunk == 2 * boxes) {
        coming_chunk = 0;
        coming += stride;
        rows = tile_rows(site, coming * tile_tokens + lane / 4, channel);
      }
    }
    end_group();
  };
  for (int s = 0; s < stages; ++s) fetch_next();
  split_phi<N, Connection>(site.phi, begin, site.channels, shared);
  __syncthreads();

  // Rows of the matrices that a lane gives the address of, for both steps of a chunk.
  const int matrix = lane / 8;
  const uint4* rows_a[2];
  const uint4* rows_b[2];
#pragma unroll
  for (int step = 0; step < 2; ++step) {
    rows_a[step] = ring + matrix % 2 * 32 + place_of(step * 2 + matrix / 2, lane % 8);
    rows_b[step] = ring + matrix / 2 * 32 + place_of(step * 2 + matrix % 2, lane % 8);
  }

  int from = 0;
  for (Index tile = first; tile < tiles; tile += stride) {
    const Index token = tile * tile_tokens + lane / 4;
    float columns[blocks][4] = {};
    float squares[2] = {};
    for (int box = 0; box < boxes; ++box) {
      TileSums<blocks> sums;
#pragma unroll
      for (int chunk = 0; chunk < 2; ++chunk) {
        wait_for_groups<stages - 1>();
        __syncwarp();  // what the other lanes have brought
        const uint4* phi = shared + (box * 2 + chunk) * 2 * blocks * 32 + lane;
#pragma unroll
        for (int i = 0; i < N; ++i) {
#pragma unroll
          for (int step = 0; step < 2; ++step) {
            uint32_t a[4];
            uint32_t b[4];
            load_matrices(a, rows_a[step] + from * stage + i * 64);
            load_matrices(b, rows_b[step] + from * stage + i * 64);
            sums.add(a, b, phi + (i * chunks_of_part * 2 + step) * blocks * 32);
          }
        }
        from = from + 1 == stages ? 0 : from + 1;
        __syncwarp();
        fetch_next();  // into the place that was just read
      }
#pragma unroll
      for (int r = 0; r < blocks; ++r) {
#pragma unroll
        for (int i = 0; i < 4; ++i) columns[r][i] += sums.high[r][i] + sums.low[r][i];
      }
      const bool odd = lane / 4 % 2 != 0;
      squares[0] += odd ? sums.squares[0][1] : sums.squares[0][0];
      squares[1] += odd ? sums.squares[1][3] : sums.squares[1][2];
    }
    store_sums<N, Connection>(site, token, lane, columns, squares);
  }
}

}  // namespace kernels
}  // namespace cuda
MHC_NAMESPACE_END
