// SPDX-License-Identifier: MIT
// The C interface, for any C program: compile this file once. MHC_C_STREAMS lists the numbers of
// streams that it is compiled for.
#include <mhc/c/mhc_c.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include <mhc/adapters/ranges.hpp>
#include <mhc/adapters/tensor.hpp>
#include <mhc/block.hpp>
#include <mhc/collapse.hpp>
#include <mhc/expand.hpp>
#include <mhc/families.hpp>
#include <mhc/initialization.hpp>
#include <mhc/with_streams.hpp>

#ifndef MHC_C_STREAMS
#define MHC_C_STREAMS 2, 4
#endif

namespace {

using mhc::index;

std::string& message() {
  thread_local std::string sentence;
  return sentence;
}

/// Runs f; whatever it throws becomes a status and a sentence.
template <class Function>
mhc_status guarded(Function&& f) noexcept {
  const auto fail = [](mhc_status status, const char* what) {
    try {
      message() = what;
    } catch (...) {  // no memory for the sentence: an empty one
      message().clear();
    }
    return status;
  };
  try {
    f();
    return MHC_OK;
  } catch (const std::invalid_argument& error) {
    return fail(MHC_WRONG_ARGUMENT, error.what());
  } catch (const std::length_error& error) {
    return fail(MHC_WRONG_ARGUMENT, error.what());
  } catch (const std::bad_alloc&) {
    return fail(MHC_OUT_OF_MEMORY, "mhc: there is not enough memory");
  } catch (const std::exception& error) {
    return fail(MHC_FAILED, error.what());
  } catch (...) {
    return fail(MHC_FAILED, "mhc: an exception that is no std::exception");
  }
}

/// The caller's executor, or none. What a range throws waits until the C function has returned.
class Executor {
 public:
  explicit Executor(const mhc_executor* executor) : executor_(executor) {
    if (executor != nullptr && executor->run == nullptr) {
      mhc::detail::refuse("c::executor", "it has no function run (null pointer)");
    }
  }

  template <class Function>
  void operator()(index count, index grain, Function&& f) const {
    if (executor_ == nullptr) {
      mhc::serial(count, grain, f);
      return;
    }
    mhc::detail::FirstFailure failure;
    auto task = [&](index begin, index end, int worker) {
      failure.run([&] { f(begin, end, worker); });
    };
    using Task = decltype(task);
    executor_->run(
        executor_->context, count, grain,
        [](void* context, mhc_index begin, mhc_index end, int worker) {
          (*static_cast<Task*>(context))(begin, end, worker);
        },
        &task);
    failure.rethrow();
  }

 private:
  const mhc_executor* executor_;
};

/// f(Element()) for the element type of that name.
template <class Function>
void with_element(mhc_element element, Function&& f) {
  if (element == MHC_F32) return f(float());
  if (element == MHC_F64) return f(double());
  if (element == MHC_BF16) return f(mhc::bf16());
  if (element == MHC_F16) return f(mhc::f16());
  mhc::detail::refuse("c::element", "element is ", element, ", expected 0 to 3");
}

template <class Function>
decltype(auto) with_streams(index streams, Function&& f) {
  return mhc::with_streams<MHC_C_STREAMS>(streams, f);
}

/// f(Family()) for the family of that name; false for none.
template <class Function>
bool with_family(mhc_family family, Function&& f) {
  switch (family) {
    case MHC_PAPER:
      return f(mhc::families::Paper()), true;
    case MHC_DEEPSEEK_V4:
      return f(mhc::families::DeepSeekV4()), true;
    case MHC_DEEPSEEK_V41:
      return f(mhc::families::DeepSeekV41()), true;
    case MHC_GLM_53_FLASH:
      return f(mhc::families::Glm53Flash()), true;
    case MHC_OPENPANGU_2:
      return f(mhc::families::OpenPangu2()), true;
    case MHC_MEGATRON_MAIN:
      return f(mhc::families::MegatronMain()), true;
    case MHC_MEGATRON_DEV:
      return f(mhc::families::MegatronDev()), true;
    case MHC_LIGER:
      return f(mhc::families::Liger()), true;
  }
  return false;
}

using Options = mhc::ManifoldConstrained::Options;

mhc_options to_c(const Options& options) {
  mhc_options c{};
  c.norm_eps = options.norm_eps;
  c.norm_eps_place = static_cast<int>(options.norm);
  c.pre_eps = options.pre_eps;
  c.normalize_pre = options.normalize_pre ? 1 : 0;
  c.post_scale = options.post_scale;
  c.post_eps = options.post_eps;
  c.iterations = options.residual.iterations;
  c.start_eps = options.residual.start_eps;
  c.divisor_eps = options.residual.divisor_eps;
  c.rows_first = options.residual.first == mhc::Axis::rows ? 1 : 0;
  c.divisor_at_least_eps = options.residual.divisor == mhc::Divisor::at_least_eps ? 1 : 0;
  c.implicit_gradient = options.residual.gradient == mhc::Gradient::implicit ? 1 : 0;
  return c;
}

bool flag(const char* name, int value) {
  if (value != 0 && value != 1) {
    mhc::detail::refuse("c::options", "options.", name, " is ", value, ", expected 0 or 1");
  }
  return value == 1;
}

Options from_c(const mhc_options& c) {
  if (c.norm_eps_place < 0 || c.norm_eps_place > 2) {
    mhc::detail::refuse("c::options", "options.norm_eps_place is ", c.norm_eps_place,
                        ", expected 0 to 2");
  }
  Options options;
  options.norm_eps = c.norm_eps;
  options.norm = static_cast<mhc::NormEps>(c.norm_eps_place);
  options.pre_eps = c.pre_eps;
  options.normalize_pre = flag("normalize_pre", c.normalize_pre);
  options.post_scale = c.post_scale;
  options.post_eps = c.post_eps;
  options.residual.iterations = c.iterations;
  options.residual.start_eps = c.start_eps;
  options.residual.divisor_eps = c.divisor_eps;
  if (flag("rows_first", c.rows_first)) options.residual.first = mhc::Axis::rows;
  if (flag("divisor_at_least_eps", c.divisor_at_least_eps)) {
    options.residual.divisor = mhc::Divisor::at_least_eps;
  }
  if (flag("implicit_gradient", c.implicit_gradient)) {
    options.residual.gradient = mhc::Gradient::implicit;
  }
  return options;
}

/// Sizes and strides with which the views compute without overflow.
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

}  // namespace

/// What the handle points to; one class for each element and number of streams stands behind it.
struct mhc_block {
  mhc_block() = default;
  mhc_block(const mhc_block&) = delete;
  mhc_block& operator=(const mhc_block&) = delete;
  virtual ~mhc_block() = default;
  virtual void prepare(mhc_stream_view x, mhc_token_view u, void* saved,
                       const Executor& exec) const = 0;
  virtual void finish(mhc_stream_view x, mhc_token_view v, const void* saved,
                      mhc_stream_view x_next, const Executor& exec) const = 0;
  virtual void finish_backward(mhc_stream_view dx_next, mhc_stream_view x, mhc_token_view v,
                               const void* saved, mhc_token_view dv, void* dsaved,
                               const Executor& exec) const = 0;
  virtual void prepare_backward(mhc_stream_view x, mhc_stream_view dx_next, mhc_token_view du,
                                const void* saved, void* dsaved, mhc_stream_view dx, void* grads,
                                const Executor& exec) const = 0;
};

namespace {

template <int N, class Element>
class Site final : public mhc_block {
  using Scalar = mhc::compute_t<Element>;
  using Block = mhc::Block<N, Element>;
  using Const = const Element;

 public:
  Site(const Scalar* parameters, index channels, const Options& options)
      : channels_(channels), block_({parameters, channels}, options) {}

  void prepare(mhc_stream_view x, mhc_token_view u, void* saved,
               const Executor& exec) const override {
    block_.prepare(view<Const>(x), view<Element>(u), to(saved, x), exec);
  }

  void finish(mhc_stream_view x, mhc_token_view v, const void* saved, mhc_stream_view x_next,
              const Executor& exec) const override {
    block_.finish(view<Const>(x), view<Const>(v), from(saved, x), view<Element>(x_next), exec);
  }

  void finish_backward(mhc_stream_view dx_next, mhc_stream_view x, mhc_token_view v,
                       const void* saved, mhc_token_view dv, void* dsaved,
                       const Executor& exec) const override {
    block_.finish_backward(view<Const>(dx_next), view<Const>(x), view<Const>(v), from(saved, x),
                           view<Element>(dv), to(dsaved, x), exec);
  }

  void prepare_backward(mhc_stream_view x, mhc_stream_view dx_next, mhc_token_view du,
                        const void* saved, void* dsaved, mhc_stream_view dx, void* grads,
                        const Executor& exec) const override {
    block_.prepare_backward(view<Const>(x), view<Const>(dx_next), view<Const>(du), from(saved, x),
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

  index channels_;
  Block block_;
};

const mhc_block& checked(const char* function, const mhc_block* block) {
  if (block == nullptr) mhc::detail::refuse(function, "block is a null pointer");
  return *block;
}

void check_parameters(const char* function, index channels, const void* parameters) {
  if (channels < 1) {
    mhc::detail::refuse(function, "channels is ", channels, ", expected at least 1");
  }
  if (parameters == nullptr) mhc::detail::refuse(function, "parameters is a null pointer");
}

/// Refuses a site whose parameters are more than memory can have.
template <int N>
void check_size(const char* function, index channels) {
  mhc::detail::checked_size<double>(function, {channels, N, N * (N + 2) + 1});
}

/// count(N) for one of the compiled numbers of streams, -1 for any other.
template <class Function>
mhc_index count_or_none(mhc_index streams, Function&& count) {
  mhc_index result = -1;
  const mhc_status status =
      guarded([&] { with_streams(streams, [&](auto n) { result = count(n); }); });
  return status == MHC_OK ? result : -1;
}

}  // namespace

extern "C" {

mhc_stream_view mhc_streams(void* data, mhc_index tokens, mhc_index streams, mhc_index channels) {
  // A product that does not fit is the largest stride: the calls refuse such sizes.
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
      with_streams(streams, [&](auto n) {
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
        with_streams(streams, [&](auto n) {
          check_size<n()>("c::load_stored", channels);
          mhc::load_stored(
              decltype(known)::layout(), fn, scale, base,
              mhc::ParametersView<n(), Scalar>(static_cast<Scalar*>(parameters), channels));
        });
      });
    });
    if (!is_known) mhc::detail::refuse("c::load_stored", "family is ", family, ", unknown");
  });
}

mhc_status mhc_expand_repeat(mhc_element element, mhc_token_view h, mhc_stream_view x,
                             const mhc_executor* executor) {
  return guarded([&] {
    with_element(element, [&](auto value) {
      using Element = decltype(value);
      mhc::expand_repeat<Element>(view<const Element>(h), view<Element>(x), Executor(executor));
    });
  });
}

mhc_status mhc_expand_repeat_backward(mhc_element element, mhc_stream_view dx, mhc_token_view dh,
                                      const mhc_executor* executor) {
  return guarded([&] {
    with_element(element, [&](auto value) {
      using Element = decltype(value);
      mhc::expand_repeat_backward<Element>(view<const Element>(dx), view<Element>(dh),
                                           Executor(executor));
    });
  });
}

mhc_status mhc_collapse_mean(mhc_element element, mhc_stream_view x, mhc_token_view h,
                             const mhc_executor* executor) {
  return guarded([&] {
    with_element(element, [&](auto value) {
      using Element = decltype(value);
      mhc::collapse_mean<Element>(view<const Element>(x), view<Element>(h), Executor(executor));
    });
  });
}

mhc_status mhc_collapse_mean_backward(mhc_element element, mhc_token_view dh, mhc_stream_view dx,
                                      const mhc_executor* executor) {
  return guarded([&] {
    with_element(element, [&](auto value) {
      using Element = decltype(value);
      mhc::collapse_mean_backward<Element>(view<const Element>(dh), view<Element>(dx),
                                           Executor(executor));
    });
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
      with_streams(streams, [&](auto n) {
        check_size<n()>("c::block_create", channels);
        *block = new Site<n(), Element>(static_cast<const mhc::compute_t<Element>*>(parameters),
                                        channels, checked_options);
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

mhc_status mhc_block_finish_backward(const mhc_block* block, mhc_stream_view dx_next,
                                     mhc_stream_view x, mhc_token_view v, const void* saved,
                                     mhc_token_view dv, void* dsaved,
                                     const mhc_executor* executor) {
  return guarded([&] {
    checked("c::block_finish_backward", block)
        .finish_backward(dx_next, x, v, saved, dv, dsaved, Executor(executor));
  });
}

mhc_status mhc_block_prepare_backward(const mhc_block* block, mhc_stream_view x,
                                      mhc_stream_view dx_next, mhc_token_view du, const void* saved,
                                      void* dsaved, mhc_stream_view dx, void* grads,
                                      const mhc_executor* executor) {
  return guarded([&] {
    checked("c::block_prepare_backward", block)
        .prepare_backward(x, dx_next, du, saved, dsaved, dx, grads, Executor(executor));
  });
}

}  // extern "C"
