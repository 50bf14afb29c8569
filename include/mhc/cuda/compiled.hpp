// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cuda_runtime_api.h>
#include <type_traits>

#include <mhc/connection.hpp>
#include <mhc/cuda/workspace.hpp>
#include <mhc/element.hpp>
#include <mhc/parameters.hpp>
#include <mhc/saved.hpp>
#include <mhc/view.hpp>

// The calls of mhc::cuda for files that the host's compiler compiles: declared here, and compiled
// by nvcc in the library mhc::cuda_compiled, for n = 2, 4 and 8, float, bf16 and f16, and the usual
// connections. Files that nvcc compiles include mhc/cuda.hpp, which has all others.

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace compiled {

namespace internal {

template <class Element>
inline constexpr bool has_element =
    std::is_same_v<Element, float> || std::is_same_v<Element, bf16> || std::is_same_v<Element, f16>;
template <int N, class Element>
inline constexpr bool has_streams = (N == 2 || N == 4 || N == 8) && has_element<Element>;
template <class Connection>
inline constexpr bool has_connection =
    std::is_same_v<Connection, ManifoldConstrained> ||
    std::is_same_v<Connection, HyperConnections> || std::is_same_v<Connection, OrdinaryResidual>;

/// The calls that two neighbouring sites share.
template <int N, class Element, class Connection, class NextConnection>
struct Neighbours;

}  // namespace internal

/// cuda::Block, with its calls, guarantees and exceptions, and the same bits.
template <int N, class Element = float, class Connection = ManifoldConstrained>
class Block {
  static_assert(internal::has_streams<N, Element> && internal::has_connection<Connection>,
                "mhc::cuda_compiled has n = 2, 4 and 8, float, bf16 and f16, and the connections "
                "ManifoldConstrained, HyperConnections and OrdinaryResidual: compile others with "
                "nvcc, from mhc/cuda.hpp");

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

  explicit Block(ConstParametersView parameters, const Options& options = Options());

  const Options& options() const { return options_; }
  ConstParametersView parameters() const { return parameters_; }
  Index channels() const { return parameters_.channels; }

  std::size_t workspace_bytes(Index tokens) const;
  void prepare(StreamView<const Element> x, TokenView<Element> u, SavedView saved,
               Workspace workspace, cudaStream_t stream) const;
  void prepare_delayed(StreamView<const Element> x, TokenView<const Scalar> pre_before,
                       TokenView<Element> u, SavedView saved, Workspace workspace,
                       cudaStream_t stream) const;
  void finish(StreamView<const Element> x, TokenView<const Element> v, ConstSavedView saved,
              StreamView<Element> x_next, cudaStream_t stream) const;

  template <class NextConnection>
  void finish_and_prepare(StreamView<const Element> x, TokenView<const Element> v,
                          ConstSavedView saved, StreamView<Element> x_next,
                          const Block<N, Element, NextConnection>& next, TokenView<Element> u,
                          typename Block<N, Element, NextConnection>::SavedView next_saved,
                          Workspace workspace, cudaStream_t stream) const {
    internal::Neighbours<N, Element, Connection, NextConnection>::finish_and_prepare(
        *this, x, v, saved, x_next, next, u, next_saved, workspace, stream);
  }
  template <class NextConnection>
  void finish_and_prepare_delayed(StreamView<const Element> x, TokenView<const Element> v,
                                  ConstSavedView saved, StreamView<Element> x_next,
                                  const Block<N, Element, NextConnection>& next,
                                  TokenView<Element> u,
                                  typename Block<N, Element, NextConnection>::SavedView next_saved,
                                  Workspace workspace, cudaStream_t stream) const {
    internal::Neighbours<N, Element, Connection, NextConnection>::finish_and_prepare_delayed(
        *this, x, v, saved, x_next, next, u, next_saved, workspace, stream);
  }

 private:
  ConstParametersView parameters_;
  Options options_;
};

/// cuda::Head.
template <int N, class Element = float>
class Head {
  static_assert(internal::has_streams<N, Element>,
                "mhc::cuda_compiled has n = 2, 4 and 8, float, bf16 and f16: compile others with "
                "nvcc, from mhc/cuda.hpp");

 public:
  using ElementType = Element;
  using ConnectionType = LearnedCollapse;
  using Scalar = compute_t<Element>;
  using Options = LearnedCollapse::Options;
  using Shape = LearnedCollapse::Shape<N>;
  using ConstParametersView = mhc::ParametersView<N, const Scalar, LearnedCollapse>;
  using SavedView = mhc::SavedView<N, Scalar, LearnedCollapse>;
  using ConstSavedView = mhc::SavedView<N, const Scalar, LearnedCollapse>;
  static constexpr int streams = N;

  explicit Head(ConstParametersView parameters, const Options& options = Options());

  const Options& options() const { return options_; }
  ConstParametersView parameters() const { return parameters_; }
  Index channels() const { return parameters_.channels; }

  std::size_t workspace_bytes(Index tokens) const;
  void forward(StreamView<const Element> x, TokenView<Element> h, SavedView saved,
               Workspace workspace, cudaStream_t stream) const;

 private:
  ConstParametersView parameters_;
  Options options_;
};

namespace internal {

template <int N, class Element, class Connection, class NextConnection>
struct Neighbours {
  using From = Block<N, Element, Connection>;
  using To = Block<N, Element, NextConnection>;
  static void finish_and_prepare(const From& block, StreamView<const Element> x,
                                 TokenView<const Element> v, typename From::ConstSavedView saved,
                                 StreamView<Element> x_next, const To& next, TokenView<Element> u,
                                 typename To::SavedView next_saved, Workspace workspace,
                                 cudaStream_t stream);
  static void finish_and_prepare_delayed(const From& block, StreamView<const Element> x,
                                         TokenView<const Element> v,
                                         typename From::ConstSavedView saved,
                                         StreamView<Element> x_next, const To& next,
                                         TokenView<Element> u, typename To::SavedView next_saved,
                                         Workspace workspace, cudaStream_t stream);
};

/// Expand and collapse, any number of streams.
template <class Element>
struct Uniform {
  static_assert(has_element<Element>, "mhc::cuda_compiled has float, bf16 and f16");
  static void expand_repeat(TokenView<const Element> h, StreamView<Element> x, cudaStream_t stream);
  static void expand_one_hot(TokenView<const Element> h, StreamView<Element> x, Index stream_of_h,
                             cudaStream_t stream);
  static void collapse_mean(StreamView<const Element> x, TokenView<Element> h, cudaStream_t stream);
  static void collapse_sum(StreamView<const Element> x, TokenView<Element> h, cudaStream_t stream);
};

/// The last site of single-pass mHC, and Sinkhorn-Knopp.
template <int N, class Element>
struct Streams {
  static_assert(has_streams<N, Element>, "mhc::cuda_compiled has n = 2, 4, 8, float, bf16 and f16");
  static void aggregate(StreamView<const Element> x, TokenView<const compute_t<Element>> pre,
                        TokenView<Element> u, cudaStream_t stream);
};
template <int N>
struct Matrices {
  static_assert(has_streams<N, float>, "mhc::cuda_compiled has n = 2, 4 and 8, in float");
  static void sinkhorn_knopp(StreamView<const float> logits, const SinkhornKnoppOptions& options,
                             StreamView<float> res, cudaStream_t stream);
};

}  // namespace internal

/// cuda::expand_repeat.
template <class Element>
void expand_repeat(TokenView<const Element> h, StreamView<Element> x, cudaStream_t stream) {
  internal::Uniform<Element>::expand_repeat(h, x, stream);
}

/// cuda::expand_one_hot.
template <class Element>
void expand_one_hot(TokenView<const Element> h, StreamView<Element> x, Index stream_of_h,
                    cudaStream_t stream) {
  internal::Uniform<Element>::expand_one_hot(h, x, stream_of_h, stream);
}

/// cuda::collapse_mean.
template <class Element>
void collapse_mean(StreamView<const Element> x, TokenView<Element> h, cudaStream_t stream) {
  internal::Uniform<Element>::collapse_mean(x, h, stream);
}

/// cuda::collapse_sum.
template <class Element>
void collapse_sum(StreamView<const Element> x, TokenView<Element> h, cudaStream_t stream) {
  internal::Uniform<Element>::collapse_sum(x, h, stream);
}

/// cuda::aggregate.
template <int N, class Element>
void aggregate(StreamView<const Element> x, TokenView<const compute_t<Element>> pre,
               TokenView<Element> u, cudaStream_t stream) {
  internal::Streams<N, Element>::aggregate(x, pre, u, stream);
}

/// cuda::sinkhorn_knopp of float.
template <int N>
void sinkhorn_knopp(StreamView<const float> logits, const SinkhornKnoppOptions& options,
                    StreamView<float> res, cudaStream_t stream) {
  internal::Matrices<N>::sinkhorn_knopp(logits, options, res, stream);
}

}  // namespace compiled
}  // namespace cuda
MHC_NAMESPACE_END
