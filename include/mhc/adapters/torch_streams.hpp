// SPDX-License-Identifier: MIT
#pragma once

#include <torch/autograd.h>

#include <cstdint>
#include <vector>

#include <mhc/adapters/torch_tensor.hpp>
#include <mhc/collapse.hpp>
#include <mhc/expand.hpp>

MHC_NAMESPACE_BEGIN

// The expansion and collapse of the streams (expand.hpp, collapse.hpp) as torch autograd functions,
// differentiable once. h (..., C), x (..., n, C); the result has the argument's element type.

namespace detail {

/// This backward is not made of torch operations, so torch would treat its result as a constant.
inline void refuse_second_derivatives(const char* function) {
  if (at::GradMode::is_enabled()) {
    refuse(function, "backward was called with create_graph, but has no second derivatives");
  }
}

/// Calls f with a value of the tensor's element type.
template <class Function>
void with_torch_element(const char* function, const char* argument, const at::Tensor& tensor,
                        Function&& f) {
  check_torch_place(function, argument, tensor);
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return f(float());
    case at::kDouble:
      return f(double());
    case at::kBFloat16:
      return f(bf16());
    case at::kHalf:
      return f(f16());
    default:
      refuse(function, argument, " is of type ", at::toString(tensor.scalar_type()),
             ", expected Float, Double, BFloat16 or Half");
  }
}

enum class TorchWay { repeat, one_hot, mean, sum };

/// x (..., n, C) from h (..., C): the forward of repeat and one-hot, the backward of sum and mean.
inline at::Tensor torch_to_streams(const char* function, const char* argument, TorchWay way,
                                   const at::Tensor& rows, std::int64_t streams,
                                   std::int64_t stream) {
  const at::Tensor h = torch_readable(function, argument, rows, 1);
  std::vector<std::int64_t> sizes = h.sizes().vec();
  sizes.insert(sizes.end() - (sizes.empty() ? 0 : 1), streams);
  at::Tensor x;
  with_torch_element(function, argument, h, [&](auto element) {
    using Element = decltype(element);
    const auto from = torch_tokens<const Element>(function, argument, h);
    x = at::empty(sizes, h.options());
    const auto to = torch_streams<Element>(function, "x", x);
    const TorchExecutor exec;
    if (way == TorchWay::repeat) expand_repeat(from, to, exec);
    if (way == TorchWay::one_hot) expand_one_hot(from, to, static_cast<Index>(stream), exec);
    if (way == TorchWay::mean) collapse_mean_backward(from, to, exec);
    if (way == TorchWay::sum) collapse_sum_backward(from, to, exec);
  });
  return x;
}

/// h (..., C) from x (..., n, C): the forward of sum and mean, the backward of repeat and one-hot.
inline at::Tensor torch_to_rows(const char* function, const char* argument, TorchWay way,
                                const at::Tensor& streams, std::int64_t stream) {
  const at::Tensor x = torch_readable(function, argument, streams, 2);
  std::vector<std::int64_t> sizes = x.sizes().vec();
  if (sizes.size() >= 2) sizes.erase(sizes.end() - 2);
  at::Tensor h;
  with_torch_element(function, argument, x, [&](auto element) {
    using Element = decltype(element);
    const auto from = torch_streams<const Element>(function, argument, x);
    h = at::empty(sizes, x.options());
    const auto to = torch_tokens<Element>(function, "h", h);
    const TorchExecutor exec;
    if (way == TorchWay::repeat) expand_repeat_backward(from, to, exec);
    if (way == TorchWay::one_hot) {
      expand_one_hot_backward(from, to, static_cast<Index>(stream), exec);
    }
    if (way == TorchWay::mean) collapse_mean(from, to, exec);
    if (way == TorchWay::sum) collapse_sum(from, to, exec);
  });
  return h;
}

struct TorchExpand : torch::autograd::Function<TorchExpand> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& h,
                            const char* function, TorchWay way, std::int64_t streams,
                            std::int64_t stream) {
    if (streams < 1) refuse(function, "streams is ", streams, ", expected at least 1");
    ctx->saved_data["way"] = static_cast<std::int64_t>(way);
    ctx->saved_data["stream"] = stream;
    return torch_to_streams(function, "h", way, h, streams, stream);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    refuse_second_derivatives("torch_expand");
    const auto way = static_cast<TorchWay>(ctx->saved_data["way"].toInt());
    return {torch_to_rows("torch_expand", "dx", way, grads[0], ctx->saved_data["stream"].toInt()),
            {},
            {},
            {},
            {}};
  }
};

struct TorchCollapse : torch::autograd::Function<TorchCollapse> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x,
                            const char* function, TorchWay way) {
    at::Tensor h = torch_to_rows(function, "x", way, x, 0);
    ctx->saved_data["way"] = static_cast<std::int64_t>(way);
    ctx->saved_data["streams"] = x.size(-2);
    return h;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    refuse_second_derivatives("torch_collapse");
    const auto way = static_cast<TorchWay>(ctx->saved_data["way"].toInt());
    return {torch_to_streams("torch_collapse", "dh", way, grads[0],
                             ctx->saved_data["streams"].toInt(), 0),
            {},
            {}};
  }
};

inline at::Tensor torch_expand(const char* function, const at::Tensor& h, TorchWay way,
                               std::int64_t streams, std::int64_t stream) {
  check_torch_place(function, "h", h);
  return TorchExpand::apply(h, function, way, streams, stream);
}

inline at::Tensor torch_collapse(const char* function, const at::Tensor& x, TorchWay way) {
  check_torch_place(function, "x", x);
  return TorchCollapse::apply(x, function, way);
}

}  // namespace detail

/// x_i = h for each of `streams` streams: h (..., C) -> x (..., n, C).
inline at::Tensor torch_expand_repeat(const at::Tensor& h, std::int64_t streams) {
  return detail::torch_expand("torch_expand_repeat", h, detail::TorchWay::repeat, streams, 0);
}

/// x_stream = h, and the other streams are zero.
inline at::Tensor torch_expand_one_hot(const at::Tensor& h, std::int64_t streams,
                                       std::int64_t stream = 0) {
  return detail::torch_expand("torch_expand_one_hot", h, detail::TorchWay::one_hot, streams,
                              stream);
}

/// h = 1/n sum_i x_i, rounded once: x (..., n, C) -> h (..., C).
inline at::Tensor torch_collapse_mean(const at::Tensor& x) {
  return detail::torch_collapse("torch_collapse_mean", x, detail::TorchWay::mean);
}

/// h = sum_i x_i, rounded once.
inline at::Tensor torch_collapse_sum(const at::Tensor& x) {
  return detail::torch_collapse("torch_collapse_sum", x, detail::TorchWay::sum);
}

MHC_NAMESPACE_END
