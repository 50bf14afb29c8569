// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/cuda.hpp>
#include <mhc/cuda/compiled.hpp>

// What mhc::cuda_compiled compiles: every call goes to the one of mhc/cuda.hpp.

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace compiled {

namespace internal {

/// The block of mhc/cuda.hpp with the same parameters and options.
template <int N, class Element, class Connection>
cuda::Block<N, Element, Connection> of(const Block<N, Element, Connection>& block) {
  return cuda::Block<N, Element, Connection>(block.parameters(), block.options());
}
template <int N, class Element>
cuda::Head<N, Element> of(const Head<N, Element>& head) {
  return cuda::Head<N, Element>(head.parameters(), head.options());
}

}  // namespace internal

template <int N, class Element, class Connection>
Block<N, Element, Connection>::Block(ConstParametersView parameters, const Options& options)
    : parameters_(parameters), options_(options) {
  internal::of(*this);  // which checks them
}

template <int N, class Element, class Connection>
std::size_t Block<N, Element, Connection>::workspace_bytes(Index tokens) const {
  return internal::of(*this).workspace_bytes(tokens);
}

template <int N, class Element, class Connection>
void Block<N, Element, Connection>::prepare(StreamView<const Element> x, TokenView<Element> u,
                                            SavedView saved, Workspace workspace,
                                            cudaStream_t stream) const {
  internal::of(*this).prepare(x, u, saved, workspace, stream);
}

template <int N, class Element, class Connection>
void Block<N, Element, Connection>::prepare_delayed(StreamView<const Element> x,
                                                    TokenView<const Scalar> pre_before,
                                                    TokenView<Element> u, SavedView saved,
                                                    Workspace workspace,
                                                    cudaStream_t stream) const {
  internal::of(*this).prepare_delayed(x, pre_before, u, saved, workspace, stream);
}

template <int N, class Element, class Connection>
void Block<N, Element, Connection>::finish(StreamView<const Element> x, TokenView<const Element> v,
                                           ConstSavedView saved, StreamView<Element> x_next,
                                           cudaStream_t stream) const {
  internal::of(*this).finish(x, v, saved, x_next, stream);
}

template <int N, class Element>
Head<N, Element>::Head(ConstParametersView parameters, const Options& options)
    : parameters_(parameters), options_(options) {
  internal::of(*this);  // which checks them
}

template <int N, class Element>
std::size_t Head<N, Element>::workspace_bytes(Index tokens) const {
  return internal::of(*this).workspace_bytes(tokens);
}

template <int N, class Element>
void Head<N, Element>::forward(StreamView<const Element> x, TokenView<Element> h, SavedView saved,
                               Workspace workspace, cudaStream_t stream) const {
  internal::of(*this).forward(x, h, saved, workspace, stream);
}

namespace internal {

template <int N, class Element, class Connection, class NextConnection>
void Neighbours<N, Element, Connection, NextConnection>::finish_and_prepare(
    const From& block, StreamView<const Element> x, TokenView<const Element> v,
    typename From::ConstSavedView saved, StreamView<Element> x_next, const To& next,
    TokenView<Element> u, typename To::SavedView next_saved, Workspace workspace,
    cudaStream_t stream) {
  of(block).finish_and_prepare(x, v, saved, x_next, of(next), u, next_saved, workspace, stream);
}

template <int N, class Element, class Connection, class NextConnection>
void Neighbours<N, Element, Connection, NextConnection>::finish_and_prepare_delayed(
    const From& block, StreamView<const Element> x, TokenView<const Element> v,
    typename From::ConstSavedView saved, StreamView<Element> x_next, const To& next,
    TokenView<Element> u, typename To::SavedView next_saved, Workspace workspace,
    cudaStream_t stream) {
  of(block).finish_and_prepare_delayed(x, v, saved, x_next, of(next), u, next_saved, workspace,
                                       stream);
}

template <class Element>
void Uniform<Element>::expand_repeat(TokenView<const Element> h, StreamView<Element> x,
                                     cudaStream_t stream) {
  cuda::expand_repeat(h, x, stream);
}
template <class Element>
void Uniform<Element>::expand_one_hot(TokenView<const Element> h, StreamView<Element> x,
                                      Index stream_of_h, cudaStream_t stream) {
  cuda::expand_one_hot(h, x, stream_of_h, stream);
}
template <class Element>
void Uniform<Element>::collapse_mean(StreamView<const Element> x, TokenView<Element> h,
                                     cudaStream_t stream) {
  cuda::collapse_mean(x, h, stream);
}
template <class Element>
void Uniform<Element>::collapse_sum(StreamView<const Element> x, TokenView<Element> h,
                                    cudaStream_t stream) {
  cuda::collapse_sum(x, h, stream);
}

template <int N, class Element>
void Streams<N, Element>::aggregate(StreamView<const Element> x,
                                    TokenView<const compute_t<Element>> pre, TokenView<Element> u,
                                    cudaStream_t stream) {
  cuda::aggregate<N, Element>(x, pre, u, stream);
}

template <int N>
void Matrices<N>::sinkhorn_knopp(StreamView<const float> logits,
                                 const SinkhornKnoppOptions& options, StreamView<float> res,
                                 cudaStream_t stream) {
  cuda::sinkhorn_knopp<N, float>(logits, options, res, stream);
}

}  // namespace internal

// NOLINTBEGIN(bugprone-macro-parentheses): types
#define MHC_CUDA_NEIGHBOURS(N, Element, Connection)                                  \
  template class Block<N, Element, Connection>;                                      \
  template struct internal::Neighbours<N, Element, Connection, ManifoldConstrained>; \
  template struct internal::Neighbours<N, Element, Connection, HyperConnections>;    \
  template struct internal::Neighbours<N, Element, Connection, OrdinaryResidual>;
#define MHC_CUDA_ELEMENT_INSTANCES(N, Element)         \
  template class Head<N, Element>;                     \
  template struct internal::Streams<N, Element>;       \
  MHC_CUDA_NEIGHBOURS(N, Element, ManifoldConstrained) \
  MHC_CUDA_NEIGHBOURS(N, Element, HyperConnections)    \
  MHC_CUDA_NEIGHBOURS(N, Element, OrdinaryResidual)
#define MHC_CUDA_INSTANCES(N)          \
  MHC_CUDA_ELEMENT_INSTANCES(N, float) \
  MHC_CUDA_ELEMENT_INSTANCES(N, bf16)  \
  MHC_CUDA_ELEMENT_INSTANCES(N, f16)   \
  template struct internal::Matrices<N>;
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace compiled
}  // namespace cuda
MHC_NAMESPACE_END
