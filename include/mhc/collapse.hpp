// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/executor.hpp>
#include <mhc/kernels/entry.hpp>
#include <mhc/shapes.hpp>

MHC_NAMESPACE_BEGIN

// Collapse: from the streams x (n, C) to the hidden state h (1, C). Any n, known at run time.
//
//   mean   h = 1/n sum_i x_i     dx_i = dh / n     (GLM-5.3-Flash, Megatron-LM)
//   sum    h = sum_i x_i         dx_i = dh         (hyper-connections)
//
// The learned collapse of DeepSeek-V4, which has parameters, is in head.hpp.

/// h = 1/n sum_i x_i, summed in the compute type and rounded once: x (tokens, n, C), h (tokens, C),
/// which is assigned. Throws std::invalid_argument for wrong shapes and overlapping memory, as all
/// functions here do.
template <class Element, class Executor = Serial>
void collapse_mean(StreamView<const Element> x, TokenView<Element> h, Executor&& exec = {}) {
  using Scalar = compute_t<Element>;
  detail::check_streams_and_rows("collapse_mean", "x", x, "h", h);
  detail::check_output("collapse_mean", "h", h);
  const Scalar scale = Scalar(1) / static_cast<Scalar>(x.streams);
  exec(x.tokens, detail::token_grain(x), [&](index begin, index end, int) {
    kernels::UniformKernels<Element>::sum(x, scale, h, begin, end);
  });
}

/// dx_i = dh / n; dx is assigned.
template <class Element, class Executor = Serial>
void collapse_mean_backward(TokenView<const Element> dh, StreamView<Element> dx,
                            Executor&& exec = {}) {
  using Scalar = compute_t<Element>;
  detail::check_streams_and_rows("collapse_mean_backward", "dx", dx, "dh", dh);
  detail::check_output("collapse_mean_backward", "dx", dx);
  const Scalar scale = Scalar(1) / static_cast<Scalar>(dx.streams);
  exec(dx.tokens, detail::token_grain(dx), [&](index begin, index end, int) {
    kernels::UniformKernels<Element>::repeat(dh, scale, dx, begin, end);
  });
}

/// h = sum_i x_i, summed in the compute type and rounded once; h is assigned.
template <class Element, class Executor = Serial>
void collapse_sum(StreamView<const Element> x, TokenView<Element> h, Executor&& exec = {}) {
  detail::check_streams_and_rows("collapse_sum", "x", x, "h", h);
  detail::check_output("collapse_sum", "h", h);
  exec(x.tokens, detail::token_grain(x), [&](index begin, index end, int) {
    kernels::UniformKernels<Element>::sum(x, compute_t<Element>(1), h, begin, end);
  });
}

/// dx_i = dh; dx is assigned.
template <class Element, class Executor = Serial>
void collapse_sum_backward(TokenView<const Element> dh, StreamView<Element> dx,
                           Executor&& exec = {}) {
  detail::check_streams_and_rows("collapse_sum_backward", "dx", dx, "dh", dh);
  detail::check_output("collapse_sum_backward", "dx", dx);
  exec(dx.tokens, detail::token_grain(dx), [&](index begin, index end, int) {
    kernels::UniformKernels<Element>::repeat(dh, compute_t<Element>(1), dx, begin, end);
  });
}

MHC_NAMESPACE_END
