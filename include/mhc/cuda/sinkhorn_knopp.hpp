// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <type_traits>

#include <mhc/arguments.hpp>
#include <mhc/check_options.hpp>
#include <mhc/cuda/kernels/sinkhorn_knopp.hpp>
#include <mhc/cuda/launch.hpp>
#include <mhc/residual_mapping.hpp>

MHC_NAMESPACE_BEGIN
namespace cuda {

namespace internal {

/// True if matrices stand one behind another, the first at a multiple of 16 bytes.
template <int N, class Scalar>
bool in_a_row(const StreamView<Scalar>& matrices) {
  return matrices.token_stride == N * N && matrices.stream_stride == N &&
         reinterpret_cast<std::uintptr_t>(matrices.data) % 16 == 0;
}

template <int N, bool rows_first, class Scalar>
void launch_sinkhorn_knopp(const char* here, StreamView<const Scalar> logits,
                           const SinkhornKnoppOptions& options, StreamView<Scalar> res,
                           cudaStream_t stream) {
  constexpr Index block = kernels::matrix_threads;
  const unsigned grid = blocks(here, (logits.tokens + block - 1) / block);
  if constexpr (kernels::matrix_pieces<N, Scalar>() > 0) {
    if (in_a_row<N>(logits) && in_a_row<N>(res)) {
      launch(here, stream, grid, kernels::matrix_threads,
             &kernels::sinkhorn_knopp_pieces<N, rows_first, Scalar>, logits.data, options, res.data,
             logits.tokens);
      return;
    }
  }
  constexpr int widest = kernels::matrix_vector<N, Scalar>();
  const auto go = [&](auto width) {
    constexpr int V = decltype(width)::value;
    launch(here, stream, grid, kernels::matrix_threads,
           &kernels::sinkhorn_knopp_matrices<N, V, rows_first, Scalar>, rows(logits), options,
           rows(res), logits.tokens);
  };
  const bool wide = in_vectors<widest>(logits) && in_vectors<widest>(res);
  wide ? go(std::integral_constant<int, widest>()) : go(std::integral_constant<int, 1>());
}

}  // namespace internal

/// mhc::sinkhorn_knopp on a GPU: res(t) = SinkhornKnopp(logits(t)) for every matrix of a batch on
/// device memory, with a stream in the executor's place; `res` is assigned and may be `logits`
/// itself. Views are (count, N, N), of float or double.
///
/// Finite logits give finite results: a matrix whose rows would underflow is computed in the log
/// domain, in double, by the CPU's rule. Results do not depend on the batch, bit for bit, and are
/// those that cuda::Block makes of the same logits. Puts one kernel on `stream` and returns, with
/// the guarantees of cuda::Block. Throws std::invalid_argument for wrong shapes or options and
/// overlapping memory, and std::runtime_error with CUDA's words for its errors.
template <int N, class Scalar>
void sinkhorn_knopp(StreamView<const Scalar> logits, const SinkhornKnoppOptions& options,
                    StreamView<Scalar> res, cudaStream_t stream) {
  static_assert(N >= 1, "mhc::cuda::sinkhorn_knopp: N must be at least 1");
  static_assert(std::is_same_v<Scalar, float> || std::is_same_v<Scalar, double>,
                "mhc::cuda::sinkhorn_knopp: matrices are of float or double");
  constexpr const char* here = "cuda::sinkhorn_knopp";
  mhc::detail::check_options(here, options);
  mhc::detail::check_streams(here, "logits", logits, N);
  mhc::detail::check_shape(here, "logits", logits, logits.tokens, N, N);
  mhc::detail::check_shape(here, "res", res, logits.tokens, N, N);
  mhc::detail::check_output(here, "res", res);
  mhc::detail::check_same_or_disjoint(here, "res", res, "logits", logits);
  if (logits.tokens == 0) return;
  options.first == Axis::rows
      ? internal::launch_sinkhorn_knopp<N, true>(here, logits, options, res, stream)
      : internal::launch_sinkhorn_knopp<N, false>(here, logits, options, res, stream);
}

}  // namespace cuda
MHC_NAMESPACE_END
