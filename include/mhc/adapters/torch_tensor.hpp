// SPDX-License-Identifier: MIT
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <type_traits>

#include <mhc/adapters/tensor.hpp>
#include <mhc/element.hpp>
#include <mhc/executor.hpp>

MHC_NAMESPACE_BEGIN

// libtorch tensors as views, without a copy, and libtorch's threads as an executor:
//
//   block.prepare(mhc::torch_streams<const float>("x", x), mhc::torch_tokens<float>("u", u), saved,
//                 mhc::TorchExecutor());
//
// Modules with gradients are in torch.hpp.

/// at::parallel_for as an executor, with at::get_num_threads() threads, or one inside a parallel
/// region of torch. at::parallel_for is a template in torch's headers: if libtorch uses OpenMP, as
/// in Debian, it is parallel only in code compiled with -fopenmp. Exceptions from f are rethrown.
struct TorchExecutor {
  template <class Function>
  void operator()(Index count, Index grain, Function&& f) const {
    const Index step = grain > 0 ? grain : 1;
    const Index grains = count / step + (count % step > 0 ? 1 : 0);  // ranges begin at whole grains
    at::parallel_for(0, grains, 1, [&](std::int64_t begin, std::int64_t end) {
      f(static_cast<Index>(begin) * step, end < grains ? static_cast<Index>(end) * step : count,
        at::get_thread_num());
    });
  }
};

namespace detail {

template <class Element>
constexpr at::ScalarType torch_dtype() {
  using Value = std::remove_const_t<Element>;
  static_assert(is_element<Value>, "mhc: torch tensors of float, double, bf16 or f16");
  if constexpr (std::is_same_v<Value, float>) return at::kFloat;
  if constexpr (std::is_same_v<Value, double>) return at::kDouble;
  if constexpr (std::is_same_v<Value, bf16>) return at::kBFloat16;
  if constexpr (std::is_same_v<Value, f16>) return at::kHalf;
}

/// Call it before Function::apply, which has its own error for undefined tensors.
inline void check_torch_place(const char* function, const char* argument,
                              const at::Tensor& tensor) {
  if (!tensor.defined()) refuse(function, argument, " is an undefined tensor");
  if (tensor.layout() != at::kStrided) {
    refuse(function, argument, " is of layout ", tensor.layout(), ", expected Strided");
  }
  if (!tensor.device().is_cpu()) {
    refuse(function, argument, " is on the device ", tensor.device().str(), ", expected cpu");
  }
}

/// A pointer to the first element, after checks of type and device.
template <class Element>
Element* torch_data(const char* function, const char* argument, const at::Tensor& tensor) {
  check_torch_place(function, argument, tensor);
  if (tensor.scalar_type() != torch_dtype<Element>()) {
    refuse(function, argument, " is of type ", at::toString(tensor.scalar_type()), ", expected ",
           at::toString(torch_dtype<Element>()));
  }
  if (tensor.is_neg()) {
    refuse(function, argument, " has a pending negation: call resolve_neg()");
  }
  return static_cast<Element*>(tensor.data_ptr());
}

inline TensorShape torch_shape(const at::Tensor& tensor) {
  return {static_cast<int>(tensor.dim()), tensor.sizes().data(), tensor.strides().data()};
}

template <class Element>
StreamView<Element> torch_streams(const char* function, const char* argument,
                                  const at::Tensor& tensor) {
  return stream_view(function, argument, torch_data<Element>(function, argument, tensor),
                     torch_shape(tensor));
}

template <class Element>
TokenView<Element> torch_tokens(const char* function, const char* argument,
                                const at::Tensor& tensor) {
  return token_view(function, argument, torch_data<Element>(function, argument, tensor),
                    torch_shape(tensor));
}

/// The tensor itself if its channels are contiguous and all but the last `trailing` dimensions fold
/// into one, else a contiguous copy.
inline at::Tensor torch_readable(const char* function, const char* argument,
                                 const at::Tensor& tensor, int trailing) {
  check_torch_place(function, argument, tensor);
  const at::Tensor resolved = tensor.resolve_neg();
  const TensorShape shape = torch_shape(resolved);
  if (shape.rank <= trailing) return resolved;  // making the view throws
  const Dimension channels = dimension(shape, shape.rank - 1);
  Dimension tokens;
  const bool is_readable = (channels.size <= 1 || channels.stride == 1) &&
                           try_fold(shape, shape.rank - trailing, tokens);
  return is_readable ? resolved : resolved.contiguous();
}

}  // namespace detail

/// A tensor (..., n, C) as streams; `argument` is its name in errors. Element is float, double,
/// mhc::bf16 or mhc::f16, const if it is only read. Throws std::invalid_argument for an undefined
/// tensor, another type, device or layout, and the shapes that stream_view (tensor.hpp) rejects.
/// The view does not keep the tensor alive.
template <class Element>
StreamView<Element> torch_streams(const char* argument, const at::Tensor& tensor) {
  return detail::torch_streams<Element>("torch_streams", argument, tensor);
}

/// The same for a tensor (..., C) as tokens.
template <class Element>
TokenView<Element> torch_tokens(const char* argument, const at::Tensor& tensor) {
  return detail::torch_tokens<Element>("torch_tokens", argument, tensor);
}

MHC_NAMESPACE_END
