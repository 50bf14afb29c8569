// SPDX-License-Identifier: MIT
// The implementation of the C interface: compile this file once. MHC_C_STREAMS lists the numbers of
// streams to compile.
#include <mhc/c/mhc_c.h>

#include <cstdint>
#include <limits>

#include <mhc/c/block.hpp>
#include <mhc/c/call.hpp>
#include <mhc/c/choices.hpp>
#include <mhc/collapse.hpp>
#include <mhc/expand.hpp>
#include <mhc/initialization.hpp>

using namespace mhc::detail::c;

namespace {

const mhc_block& checked(const char* function, const mhc_block* block) {
  if (block == nullptr) mhc::detail::refuse(function, "block is a null pointer");
  return *block;
}

void check_parameters(const char* function, mhc_index channels, const void* parameters) {
  if (channels < 1) {
    mhc::detail::refuse(function, "channels is ", channels, ", expected at least 1");
  }
  if (parameters == nullptr) mhc::detail::refuse(function, "parameters is a null pointer");
}

/// Throws if the size of a site's parameters overflows.
template <int N>
void check_size(const char* function, mhc_index channels) {
  mhc::detail::checked_size<double>(function, {channels, N, N * (N + 2) + 1});
}

/// Calls f(Element()) and returns its status.
template <class Function>
mhc_status for_element(mhc_element element, Function&& f) {
  return guarded([&] { with_element(element, f); });
}

/// count(N) if this number of streams is compiled, else -1.
template <class Function>
mhc_index count_or_none(mhc_index streams, Function&& count) {
  mhc_index result = -1;
  const mhc_status status =
      guarded([&] { with_compiled_streams(streams, [&](auto n) { result = count(n); }); });
  return status == MHC_OK ? result : -1;
}

}  // namespace

extern "C" {

mhc_stream_view mhc_streams(void* data, mhc_index tokens, mhc_index streams, mhc_index channels) {
  // A product that overflows becomes the largest stride, which the calls reject.
  mhc_index token_stride = 0;
  if (streams > 0 && channels > 0) {
    constexpr mhc_index most = (std::numeric_limits<mhc_index>::max)();
    token_stride = streams > most / channels ? most : streams * channels;
  }
  return {data, tokens, streams, channels, token_stride, channels};
}

mhc_token_view mhc_tokens(void* data, mhc_index tokens, mhc_index channels) {
  return {data, tokens, channels, channels};
}

const char* mhc_version(void) {
  return MHC_VERSION_STRING;
}

const char* mhc_error_message(void) {
  return message().c_str();
}

mhc_options mhc_options_of(mhc_family family) {
  mhc_options options = to_c(mhc::families::Paper::options());
  with_family(family, [&](auto known) { options = to_c(decltype(known)::options()); });
  return options;
}

mhc_index mhc_parameter_count(mhc_index streams, mhc_index channels) {
  if (channels < 1) return -1;
  return count_or_none(streams, [&](auto n) {
    check_size<n()>("c::parameter_count", channels);
    return mhc::ParametersView<n()>::size(channels);
  });
}

mhc_index mhc_saved_count(mhc_index streams, mhc_index tokens) {
  if (tokens < 0) return -1;
  return count_or_none(streams, [&](auto n) {
    mhc::detail::checked_size<double>("c::saved_count", {tokens, mhc::SavedView<n()>::record});
    return mhc::SavedView<n()>::size(tokens);
  });
}

mhc_status mhc_initialize(mhc_element element, mhc_index streams, mhc_index channels, uint64_t seed,
                          void* parameters) {
  return guarded([&] {
    check_parameters("c::initialize", channels, parameters);
    with_element(element, [&](auto value) {
      using Scalar = mhc::compute_t<decltype(value)>;
      with_compiled_streams(streams, [&](auto n) {
        check_size<n()>("c::initialize", channels);
        mhc::initialize(
            mhc::ParametersView<n(), Scalar>(static_cast<Scalar*>(parameters), channels), seed);
      });
    });
  });
}

mhc_status mhc_load_stored(mhc_family family, mhc_element element, mhc_index streams,
                           mhc_index channels, const float* fn, const float* scale,
                           const float* base, void* parameters) {
  return guarded([&] {
    check_parameters("c::load_stored", channels, parameters);
    const bool is_known = with_family(family, [&](auto known) {
      with_element(element, [&](auto value) {
        using Scalar = mhc::compute_t<decltype(value)>;
        with_compiled_streams(streams, [&](auto n) {
          check_size<n()>("c::load_stored", channels);
          mhc::load_stored(
              decltype(known)::layout(), fn, scale, base,
              mhc::ParametersView<n(), Scalar>(static_cast<Scalar*>(parameters), channels));
        });
      });
    });
    if (!is_known) {
      mhc::detail::refuse("c::load_stored", "family is ", family, ", expected 0 to ",
                          int{MHC_LIGER});
    }
  });
}

mhc_status mhc_expand_repeat(mhc_element element, mhc_token_view h, mhc_stream_view x,
                             const mhc_executor* executor) {
  return for_element(element, [&](auto value) {
    using Element = decltype(value);
    mhc::expand_repeat(view<const Element>(h), view<Element>(x), Executor(executor));
  });
}

mhc_status mhc_expand_repeat_backward(mhc_element element, mhc_stream_view dx, mhc_token_view dh,
                                      const mhc_executor* executor) {
  return for_element(element, [&](auto value) {
    using Element = decltype(value);
    mhc::expand_repeat_backward(view<const Element>(dx), view<Element>(dh), Executor(executor));
  });
}

mhc_status mhc_collapse_mean(mhc_element element, mhc_stream_view x, mhc_token_view h,
                             const mhc_executor* executor) {
  return for_element(element, [&](auto value) {
    using Element = decltype(value);
    mhc::collapse_mean(view<const Element>(x), view<Element>(h), Executor(executor));
  });
}

mhc_status mhc_collapse_mean_backward(mhc_element element, mhc_token_view dh, mhc_stream_view dx,
                                      const mhc_executor* executor) {
  return for_element(element, [&](auto value) {
    using Element = decltype(value);
    mhc::collapse_mean_backward(view<const Element>(dh), view<Element>(dx), Executor(executor));
  });
}

mhc_status mhc_block_create(mhc_element element, mhc_index streams, mhc_index channels,
                            const mhc_options* options, const void* parameters, mhc_block** block) {
  return guarded([&] {
    if (block == nullptr) mhc::detail::refuse("c::block_create", "block is a null pointer");
    *block = nullptr;
    if (options == nullptr) mhc::detail::refuse("c::block_create", "options is a null pointer");
    check_parameters("c::block_create", channels, parameters);
    const Options checked_options = from_c(*options);
    with_element(element, [&](auto value) {
      using Element = decltype(value);
      with_compiled_streams(streams, [&](auto n) {
        check_size<n()>("c::block_create", channels);
        *block = new TypedBlock<n(), Element>(
            static_cast<const mhc::compute_t<Element>*>(parameters), channels, checked_options);
      });
    });
  });
}

void mhc_block_destroy(mhc_block* block) {
  delete block;
}

mhc_status mhc_block_prepare(const mhc_block* block, mhc_stream_view x, mhc_token_view u,
                             void* saved, const mhc_executor* executor) {
  return guarded(
      [&] { checked("c::block_prepare", block).prepare(x, u, saved, Executor(executor)); });
}

mhc_status mhc_block_finish(const mhc_block* block, mhc_stream_view x, mhc_token_view v,
                            const void* saved, mhc_stream_view x_next,
                            const mhc_executor* executor) {
  return guarded(
      [&] { checked("c::block_finish", block).finish(x, v, saved, x_next, Executor(executor)); });
}

mhc_status mhc_block_finish_backward(const mhc_block* block, mhc_stream_view x, mhc_token_view v,
                                     const void* saved, mhc_stream_view dx_next, mhc_token_view dv,
                                     void* dsaved, const mhc_executor* executor) {
  return guarded([&] {
    checked("c::block_finish_backward", block)
        .finish_backward(x, v, saved, dx_next, dv, dsaved, Executor(executor));
  });
}

mhc_status mhc_block_prepare_backward(const mhc_block* block, mhc_stream_view x, const void* saved,
                                      mhc_stream_view dx_next, mhc_token_view du, void* dsaved,
                                      mhc_stream_view dx, void* grads,
                                      const mhc_executor* executor) {
  return guarded([&] {
    checked("c::block_prepare_backward", block)
        .prepare_backward(x, saved, dx_next, du, dsaved, dx, grads, Executor(executor));
  });
}

}  // extern "C"
