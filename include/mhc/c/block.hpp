// SPDX-License-Identifier: MIT
// The implementation of the handle of the C interface.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <mhc/adapters/tensor.hpp>
#include <mhc/block.hpp>
#include <mhc/c/call.hpp>
#include <mhc/c/choices.hpp>

/// The base class of the handle, with one subclass for each element type and number of streams.
struct mhc_block {
  mhc_block() = default;
  mhc_block(const mhc_block&) = delete;
  mhc_block& operator=(const mhc_block&) = delete;
  virtual ~mhc_block() = default;
  virtual void prepare(mhc_stream_view x, mhc_token_view u, void* saved,
                       const mhc::detail::c::Executor& exec) const = 0;
  virtual void finish(mhc_stream_view x, mhc_token_view v, const void* saved,
                      mhc_stream_view x_next, const mhc::detail::c::Executor& exec) const = 0;
  virtual void finish_backward(mhc_stream_view x, mhc_token_view v, const void* saved,
                               mhc_stream_view dx_next, mhc_token_view dv, void* dsaved,
                               const mhc::detail::c::Executor& exec) const = 0;
  virtual void prepare_backward(mhc_stream_view x, const void* saved, mhc_stream_view dx_next,
                                mhc_token_view du, void* dsaved, mhc_stream_view dx, void* grads,
                                const mhc::detail::c::Executor& exec) const = 0;
};

MHC_NAMESPACE_BEGIN
namespace detail::c {

/// Throws unless address computations with these sizes and strides cannot overflow.
template <std::size_t Rank>
void check_extents(const char* function, const std::array<std::int64_t, Rank>& sizes,
                   const std::array<std::int64_t, Rank>& strides) {
  mhc::detail::check_sizes(function, "the view",
                           {static_cast<int>(Rank), sizes.data(), strides.data()}, 0, "");
}

template <class Element>
mhc::StreamView<Element> view(const mhc_stream_view& x) {
  check_extents<3>("c::stream_view", {x.tokens, x.streams, x.channels},
                   {x.token_stride, x.stream_stride, 1});
  return {static_cast<Element*>(x.data),
          x.tokens,
          x.streams,
          x.channels,
          x.token_stride,
          x.stream_stride};
}

template <class Element>
mhc::TokenView<Element> view(const mhc_token_view& u) {
  check_extents<2>("c::token_view", {u.tokens, u.channels}, {u.token_stride, 1});
  return {static_cast<Element*>(u.data), u.tokens, u.channels, u.token_stride};
}

template <int N, class Element>
class TypedBlock final : public mhc_block {
  using Scalar = mhc::compute_t<Element>;
  using Block = mhc::Block<N, Element>;
  using Const = const Element;

 public:
  TypedBlock(const Scalar* parameters, Index channels, const Options& options)
      : channels_(channels), block_({parameters, channels}, options) {}

  void prepare(mhc_stream_view x, mhc_token_view u, void* saved,
               const Executor& exec) const override {
    block_.prepare(view<Const>(x), view<Element>(u), to(saved, x), exec);
  }

  void finish(mhc_stream_view x, mhc_token_view v, const void* saved, mhc_stream_view x_next,
              const Executor& exec) const override {
    block_.finish(view<Const>(x), view<Const>(v), from(saved, x), view<Element>(x_next), exec);
  }

  void finish_backward(mhc_stream_view x, mhc_token_view v, const void* saved,
                       mhc_stream_view dx_next, mhc_token_view dv, void* dsaved,
                       const Executor& exec) const override {
    block_.finish_backward(view<Const>(x), view<Const>(v), from(saved, x), view<Const>(dx_next),
                           view<Element>(dv), to(dsaved, x), exec);
  }

  void prepare_backward(mhc_stream_view x, const void* saved, mhc_stream_view dx_next,
                        mhc_token_view du, void* dsaved, mhc_stream_view dx, void* grads,
                        const Executor& exec) const override {
    block_.prepare_backward(view<Const>(x), from(saved, x), view<Const>(dx_next), view<Const>(du),
                            to(dsaved, x), view<Element>(dx),
                            {static_cast<Scalar*>(grads), channels_}, exec);
  }

 private:
  static typename Block::SavedView to(void* saved, const mhc_stream_view& x) {
    return {static_cast<Scalar*>(saved), x.tokens};
  }
  static typename Block::ConstSavedView from(const void* saved, const mhc_stream_view& x) {
    return {static_cast<const Scalar*>(saved), x.tokens};
  }

  Index channels_;
  Block block_;
};

}  // namespace detail::c
MHC_NAMESPACE_END
