// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cuda_runtime_api.h>

#include <mhc/arguments.hpp>
#include <mhc/check_options.hpp>
#include <mhc/cuda/element.hpp>
#include <mhc/cuda/kernels/combine.hpp>
#include <mhc/cuda/kernels/map.hpp>
#include <mhc/cuda/kernels/project.hpp>
#include <mhc/cuda/kernels/streams.hpp>
#include <mhc/cuda/kernels/tiles.hpp>
#include <mhc/cuda/launch.hpp>
#include <mhc/cuda/workspace.hpp>
#include <mhc/parameters.hpp>
#include <mhc/saved.hpp>

MHC_NAMESPACE_BEGIN
namespace cuda {

/// mhc::Block on a GPU: the same calls, argument names and order, options, parameters and records,
/// with views of device memory, and a stream in the executor's place.
///
///   mhc::cuda::Block<4, mhc::bf16> block(parameters);       // a view of device memory
///   block.prepare(x, u, saved, workspace, stream);          // x -> u
///   attention(u, v, stream);
///   block.finish(x, v, saved, x_next, stream);              // v -> x_next
///
/// The guarantees of all calls:
///
///   - they put kernels on `stream` and return: no allocation, no synchronisation, no state outside
///     the arguments; const, hence one block may serve many streams; capturable into a CUDA graph;
///   - a token's result does not depend, not by one bit, on its batch, on the number of SMs or on
///     whether calls were fused; no atomics;
///   - a NaN or an infinity in one token stays in that token;
///   - zero tokens is valid; outputs are assigned;
///   - wrong shapes, overlapping memory and null pointers throw std::invalid_argument, and then
///     nothing is written; CUDA's errors throw std::runtime_error with CUDA's words.
///
/// Results differ from the CPU's by rounding. The values are computed in float (double for double),
/// phi as it is: no TF32, no bf16. For bf16 streams, n = 2 to 4, the projection runs on tensor
/// cores, phi as the sum of two bf16, which differ from it by 2^-16 at most, relative to each
/// value.
template <int N, class Element = float, class Connection = ManifoldConstrained>
class Block {
  static_assert(N >= 1, "mhc: the number of streams N must be at least 1");
  static_assert(is_element<Element>,
                "mhc: streams are stored as float, double, mhc::bf16 or mhc::f16");

 public:
  using ElementType = Element;
  using ConnectionType = Connection;
  using Scalar = compute_t<Element>;
  using Options = typename Connection::Options;
  using Shape = typename Connection::template Shape<N>;
  using ConstParametersView = mhc::ParametersView<N, const Scalar, Connection>;
  using SavedView = mhc::SavedView<N, Scalar, Connection>;
  using ConstSavedView = mhc::SavedView<N, const Scalar, Connection>;
  static constexpr int streams = N;

  /// Keeps a view of `parameters`, device memory that must outlive the block; values that are
  /// updated in place are seen. Throws for options out of range.
  explicit Block(ConstParametersView parameters, const Options& options = Options())
      : Block("cuda::Block", parameters, options) {}

  const Options& options() const { return options_; }
  ConstParametersView parameters() const { return parameters_; }
  Index channels() const { return parameters_.channels; }

  /// What a call for so many tokens needs: the sums of each part of 256 channels, 1600 bytes a
  /// token for n = 4, C = 4096; none for a connection without phi. At any alignment of Scalar.
  std::size_t workspace_bytes(Index tokens) const {
    if (tokens < 0) mhc::detail::refuse("cuda::Block::workspace_bytes", tokens, " tokens");
    const Index values = Shape::projections > 0 ? kernels::Projection<N, Connection>::size *
                                                      kernels::parts_of(channels())
                                                : 0;
    return static_cast<std::size_t>(tokens * values) * sizeof(Scalar);
  }

  /// The mappings of x into `saved` (assigned) and u = pre x (assigned); u may be absent.
  void prepare(StreamView<const Element> x, TokenView<Element> u, SavedView saved,
               Workspace workspace, cudaStream_t stream) const {
    constexpr const char* here = "cuda::Block::prepare";
    check_read(here, "u", x, u, saved, workspace);
    read(here, x, saved.pre(), u, saved, workspace, stream);
  }

  /// Single-pass mHC: the mappings of x into `saved` (assigned), but u = pre_before x with the pre
  /// of the site before, (tokens, N).
  void prepare_delayed(StreamView<const Element> x, TokenView<const Scalar> pre_before,
                       TokenView<Element> u, SavedView saved, Workspace workspace,
                       cudaStream_t stream) const {
    constexpr const char* here = "cuda::Block::prepare_delayed";
    check_read(here, "u", x, u, saved, workspace);
    mhc::detail::check_shape(here, "pre", pre_before, x.tokens, N);
    mhc::detail::check_disjoint(here, "saved", saved.records(), "pre", pre_before);
    mhc::detail::check_disjoint(here, "u", u, "pre", pre_before);
    mhc::detail::check_disjoint(here, "workspace", scratch_of(x.tokens, workspace), "pre",
                                pre_before);
    read(here, x, pre_before, u, saved, workspace, stream);
  }

  /// x_next = res x + post^T v (assigned; may be x itself). Reads post and res of `saved`.
  void finish(StreamView<const Element> x, TokenView<const Element> v, ConstSavedView saved,
              StreamView<Element> x_next, cudaStream_t stream) const {
    constexpr const char* here = "cuda::Block::finish";
    check_finish(here, x, v, saved, x_next);
    merge(here, x, v, saved, x_next, stream);
  }

  /// finish(x, v, saved, x_next), then next.prepare(x_next, u, next_saved): the same bits. `next`
  /// is the block of the site that follows, of any connection; the workspace is next's. u may be v.
  template <class NextConnection>
  void finish_and_prepare(StreamView<const Element> x, TokenView<const Element> v,
                          ConstSavedView saved, StreamView<Element> x_next,
                          const Block<N, Element, NextConnection>& next, TokenView<Element> u,
                          typename Block<N, Element, NextConnection>::SavedView next_saved,
                          Workspace workspace, cudaStream_t stream) const {
    go_on("cuda::Block::finish_and_prepare", x, v, saved, x_next, next, next_saved.pre(), u,
          next_saved, workspace, stream);
  }

  /// The same for single-pass mHC: next.prepare_delayed(x_next, saved.pre(), u, next_saved).
  template <class NextConnection>
  void finish_and_prepare_delayed(StreamView<const Element> x, TokenView<const Element> v,
                                  ConstSavedView saved, StreamView<Element> x_next,
                                  const Block<N, Element, NextConnection>& next,
                                  TokenView<Element> u,
                                  typename Block<N, Element, NextConnection>::SavedView next_saved,
                                  Workspace workspace, cudaStream_t stream) const {
    go_on("cuda::Block::finish_and_prepare_delayed", x, v, saved, x_next, next, saved.pre(), u,
          next_saved, workspace, stream);
  }

 private:
  template <int, class, class>
  friend class Block;
  template <int, class>
  friend class Head;
  template <int M, class E>
  friend void aggregate(StreamView<const E>, TokenView<const compute_t<E>>, TokenView<E>,
                        cudaStream_t);

  Block(const char* here, ConstParametersView parameters, const Options& options)
      : parameters_(parameters), options_(options) {
    mhc::detail::CheckOptions<Connection>::check_all(here, options);
    if (parameters.channels < 1) {
      mhc::detail::refuse(here, "parameters have ", parameters.channels,
                          " channels, expected at least 1");
    }
    if (kernels::parts_of(parameters.channels) > 65535) {
      mhc::detail::refuse(here, "parameters have ", parameters.channels,
                          " channels, expected at most ", 65535 * kernels::part_channels);
    }
    if (Shape::logits > 0 && parameters.data == nullptr) {
      mhc::detail::refuse(here, "parameters have no data (null pointer)");
    }
  }

  using Stored = device_t<Element>;
  static constexpr int vector = kernels::stream_vector<N, Stored>();
  static constexpr bool in_tiles = kernels::in_tiles<N, Stored, Connection>();
  static constexpr Index few_tokens = 264;  ///< two blocks a multiprocessor of large devices

  void check_input(const char* function, StreamView<const Element> x) const {
    mhc::detail::check_streams(function, "x", x, N);
    if (x.channels != channels()) {
      mhc::detail::refuse(function, "x has ", x.channels, " channels, the parameters have ",
                          channels());
    }
  }

  void check_saved(const char* function, const char* argument, ConstSavedView saved,
                   Index tokens) const {
    if (saved.tokens != tokens) {
      mhc::detail::refuse(function, argument, " has room for ", saved.tokens, " tokens, expected ",
                          tokens);
    }
    if (saved.data == nullptr && tokens > 0) {
      mhc::detail::refuse(function, argument, " has no data (null pointer)");
    }
  }

  /// The caller calls u `name`.
  void check_read(const char* function, const char* name, StreamView<const Element> x,
                  TokenView<Element> u, SavedView saved, Workspace workspace) const {
    check_input(function, x);
    check_saved(function, "saved", saved, x.tokens);
    mhc::detail::check_disjoint(function, "saved", saved.records(), "x", x);
    if (u) {
      mhc::detail::check_shape(function, name, u, x.tokens, x.channels);
      mhc::detail::check_output(function, name, u);
      mhc::detail::check_disjoint(function, name, u, "x", x);
      mhc::detail::check_disjoint(function, name, u, "saved", saved.records());
    }
    const std::size_t bytes = workspace_bytes(x.tokens);
    if (workspace.bytes < bytes || (workspace.data == nullptr && bytes > 0)) {
      mhc::detail::refuse(function, "workspace has ",
                          workspace.data == nullptr ? std::size_t{0} : workspace.bytes,
                          " bytes, expected at least ", bytes);
    }
    if (reinterpret_cast<std::uintptr_t>(workspace.data) % sizeof(Scalar) != 0) {
      mhc::detail::refuse(function, "workspace is not aligned to ", sizeof(Scalar), " bytes");
    }
    const auto scratch = scratch_of(x.tokens, workspace);
    mhc::detail::check_disjoint(function, "workspace", scratch, "x", x);
    mhc::detail::check_disjoint(function, "workspace", scratch, name, u);
    mhc::detail::check_disjoint(function, "workspace", scratch, "saved", saved.records());
  }

  /// What a call for so many tokens writes of a workspace.
  TokenView<Scalar> scratch_of(Index tokens, Workspace workspace) const {
    const auto values = static_cast<Index>(workspace_bytes(tokens) / sizeof(Scalar));
    return {static_cast<Scalar*>(workspace.data), values > 0 ? 1 : 0, values};
  }

  void check_finish(const char* function, StreamView<const Element> x, TokenView<const Element> v,
                    ConstSavedView saved, StreamView<Element> x_next) const {
    check_input(function, x);
    check_saved(function, "saved", saved, x.tokens);
    mhc::detail::check_shape(function, "v", v, x.tokens, x.channels);
    mhc::detail::check_shape(function, "x_next", x_next, x.tokens, N, x.channels);
    mhc::detail::check_output(function, "x_next", x_next);
    mhc::detail::check_same_or_disjoint(function, "x_next", x_next, "x", x);
    mhc::detail::check_disjoint(function, "x_next", x_next, "v", v);
    mhc::detail::check_disjoint(function, "x_next", x_next, "saved", saved.records());
  }

  template <class NextConnection>
  void go_on(const char* here, StreamView<const Element> x, TokenView<const Element> v,
             ConstSavedView saved, StreamView<Element> x_next,
             const Block<N, Element, NextConnection>& next, TokenView<const Scalar> pre,
             TokenView<Element> u, typename Block<N, Element, NextConnection>::SavedView next_saved,
             Workspace workspace, cudaStream_t stream) const {
    check_finish(here, x, v, saved, x_next);
    next.check_read(here, "u", x_next, u, next_saved, workspace);
    mhc::detail::check_disjoint(here, "u", u, "x", x);
    mhc::detail::check_same_or_disjoint(here, "u", u, "v", v);
    mhc::detail::check_disjoint(here, "u", u, "saved", saved.records());
    mhc::detail::check_disjoint(here, "next_saved", next_saved.records(), "x", x);
    mhc::detail::check_disjoint(here, "next_saved", next_saved.records(), "v", v);
    mhc::detail::check_disjoint(here, "next_saved", next_saved.records(), "saved", saved.records());
    const auto scratch = next.scratch_of(x.tokens, workspace);
    mhc::detail::check_disjoint(here, "workspace", scratch, "x", x);
    mhc::detail::check_disjoint(here, "workspace", scratch, "v", v);
    mhc::detail::check_disjoint(here, "workspace", scratch, "saved", saved.records());
    merge(here, x, v, saved, x_next, stream);
    next.read(here, x_next, pre, u, next_saved, workspace, stream);
  }

  /// The sums of each part of 256 channels on tensor cores. False, and nothing is done, if the
  /// device has too little shared memory.
  bool project_tiles(const char* here, StreamView<const Element> x, Workspace workspace,
                     cudaStream_t stream) const {
    if constexpr (in_tiles) {
      using Memory = kernels::TileMemory<N, Connection>;
      const int room = internal::device_number(here, cudaDevAttrMaxSharedMemoryPerBlockOptin);
      if (room < Memory::bytes(kernels::least_stages)) return false;
      const kernels::Tiles<Stored> tiles = {internal::rows(x), parameters_.phi_data(),
                                            static_cast<Scalar*>(workspace.data), x.tokens,
                                            x.channels};
      // One block a multiprocessor, as its shared memory has it; no sum depends on how many.
      const Index parts = kernels::parts_of(x.channels);
      constexpr Index block_tokens = kernels::tile_tokens * kernels::tile_warps;
      const Index useful = (x.tokens + block_tokens - 1) / block_tokens;
      const Index shares = internal::device_number(here, cudaDevAttrMultiProcessorCount) / parts;
      const dim3 grid(static_cast<unsigned>((std::max)(Index{1}, (std::min)(useful, shares))),
                      static_cast<unsigned>(parts));
      const auto go = [&](auto wide, auto stages) {
        internal::launch_with_memory(
            here, stream, grid, kernels::tile_warps * 32, Memory::bytes(stages()),
            &kernels::project_tiles<N, Connection, wide(), stages(), Stored>, tiles);
      };
      using Most = std::integral_constant<int, kernels::most_stages>;
      using Least = std::integral_constant<int, kernels::least_stages>;
      if (!internal::in_vectors<8>(x)) {
        go(std::false_type(), Least());
      } else if (room < Memory::bytes(Most())) {
        go(std::true_type(), Least());
      } else {
        go(std::true_type(), Most());
      }
      return true;
    } else {
      return false;
    }
  }

  /// The record and u of sites in tiles, from the sums: in one kernel for few tokens, whose latency
  /// is what they cost, and in two for many, which move memory faster apart.
  void combine(const char* here, StreamView<const Element> x, TokenView<const Scalar> pre,
               TokenView<Element> u, SavedView saved, Workspace workspace,
               cudaStream_t stream) const {
    if constexpr (in_tiles) {
      const auto* sums = static_cast<const Scalar*>(workspace.data);
      const Index parts = kernels::parts_of(x.channels);
      if (x.tokens > few_tokens) {
        constexpr Index block = kernels::map_sums_tokens;
        internal::launch(here, stream, internal::blocks(here, (x.tokens + block - 1) / block),
                         kernels::map_sums_threads, &kernels::map_sums<N, Scalar, Connection>,
                         map_site(), sums, parts, saved.data, x.tokens);
        aggregate(here, x, pre, u, stream);
        return;
      }
      if (pre.data == saved.pre().data) pre = {};  // which the kernel itself makes
      const auto go = [&](auto width) {
        constexpr int V = decltype(width)::value;
        internal::launch(here, stream, internal::blocks(here, x.tokens), kernels::combine_threads,
                         &kernels::combine<N, V, Connection, Stored, Scalar>, map_site(), sums,
                         parts, saved.data, internal::rows(x), internal::rows(pre),
                         internal::rows(u), x.tokens, x.channels);
      };
      const bool wide = !u || (internal::in_vectors<vector>(x) && internal::in_vectors<vector>(u));
      wide ? go(std::integral_constant<int, vector>()) : go(std::integral_constant<int, 1>());
    }
  }

  void aggregate(const char* here, StreamView<const Element> x, TokenView<const Scalar> pre,
                 TokenView<Element> u, cudaStream_t stream) const {
    if (!u) return;
    const bool wide = internal::in_vectors<vector>(x) && internal::in_vectors<vector>(u);
    const auto go = [&](auto size) {
      constexpr int V = decltype(size)::value;
      internal::launch(here, stream,
                       internal::blocks(here, kernels::stream_blocks<V>(x.tokens, x.channels)),
                       kernels::stream_threads, &kernels::aggregate<N, V, Stored, Scalar>,
                       internal::rows(x), internal::rows(pre), internal::rows(u), x.channels);
    };
    wide ? go(std::integral_constant<int, vector>()) : go(std::integral_constant<int, 1>());
  }

  void merge(const char* here, StreamView<const Element> x, TokenView<const Element> v,
             ConstSavedView saved, StreamView<Element> x_next, cudaStream_t stream) const {
    static_assert(Shape::merges, "mhc: this connection only reads its streams: see cuda::Head");
    if (x.tokens == 0) return;
    const bool wide = internal::in_vectors<vector>(x) && internal::in_vectors<vector>(v) &&
                      internal::in_vectors<vector>(x_next);
    const auto go = [&](auto size) {
      constexpr int V = decltype(size)::value;
      internal::launch(here, stream,
                       internal::blocks(here, kernels::stream_blocks<V>(x.tokens, x.channels)),
                       kernels::stream_threads, &kernels::merge<N, V, Stored, Scalar>,
                       internal::rows(x), internal::rows(v), internal::rows(saved.records()),
                       ConstSavedView::post_offset, internal::rows(x_next), x.channels);
    };
    wide ? go(std::integral_constant<int, vector>()) : go(std::integral_constant<int, 1>());
  }

  void read(const char* here, StreamView<const Element> x, TokenView<const Scalar> pre,
            TokenView<Element> u, SavedView saved, Workspace workspace, cudaStream_t stream) const {
    if (x.tokens == 0) return;
    if constexpr (in_tiles) {
      if (project_tiles(here, x, workspace, stream)) {
        combine(here, x, pre, u, saved, workspace, stream);
        return;
      }
    }
    Scalar* sums = static_cast<Scalar*>(workspace.data);
    const Index parts = kernels::parts_of(x.channels);
    if constexpr (Shape::projections > 0) {
      using P = kernels::Projection<N, Connection>;
      constexpr Index tile = kernels::project_warps * kernels::warp_tokens<Scalar>;
      const dim3 grid(internal::blocks(here, (x.tokens + tile - 1) / tile),
                      static_cast<unsigned>(parts), unsigned{P::groups * P::column_blocks});
      internal::launch(here, stream, grid, kernels::project_warps * 32,
                       &kernels::project<N, Connection, Stored, Scalar>, internal::rows(x),
                       parameters_.phi_data(), sums, x.tokens, x.channels);
    }
    internal::launch(
        here, stream,
        internal::blocks(here, (x.tokens + kernels::map_threads - 1) / kernels::map_threads),
        kernels::map_threads, &kernels::map<N, Scalar, Connection>, map_site(), sums, parts,
        saved.data, x.tokens);
    aggregate(here, x, pre, u, stream);
  }

  kernels::MapSite<N, Scalar, Connection> map_site() const {
    return {options_,
            parameters_.alpha_data(),
            parameters_.b_data(),
            norm_eps(),
            norm(),
            static_cast<Scalar>(parameters_.depth(channels()))};
  }
  Scalar norm_eps() const {
    if constexpr (Shape::projections > 0) return static_cast<Scalar>(options_.norm_eps);
    return Scalar(0);
  }
  NormEps norm() const {
    if constexpr (Shape::projections > 0) return options_.norm;
    return NormEps::in_root;
  }

  ConstParametersView parameters_;
  Options options_;
};

}  // namespace cuda
MHC_NAMESPACE_END
