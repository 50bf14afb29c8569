// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/storage.hpp>
#include <mhc/uniform_streams.hpp>

MHC_NAMESPACE_BEGIN

// Collapse: from the streams x (n, C) to the hidden state h (1, C). Any n, known at run time.
//
//   mean   h = 1/n sum_i x_i     dx_i = dh / n     (GLM-5.3-Flash, Megatron-LM)
//   sum    h = sum_i x_i         dx_i = dh         (hyper-connections)
//
// The learned collapse of DeepSeek-V4, which has parameters, is in head.hpp.

namespace detail {

template <class Element>
compute_t<Element> share_of_stream(Index streams) {
  return compute_t<Element>(1) / static_cast<compute_t<Element>>(streams);
}

}  // namespace detail

/// h = 1/n sum_i x_i, summed in the compute type and rounded once: x (tokens, n, C), h (tokens, C),
/// which is assigned; views or owners. Throws std::invalid_argument for wrong shapes and
/// overlapping memory, as all functions here do.
template <class Rows, class Executor = Serial>
void collapse_mean(StreamView<const element_of<Rows>> x, Rows&& h, Executor&& exec = {}) {
  using Element = element_of<Rows>;
  const TokenView<Element> to = h;
  detail::check_sum("collapse_mean", "x", x, "h", to);
  detail::sum<Element>(x, detail::share_of_stream<Element>(x.streams), to, exec);
}

/// dx_i = dh / n; dx is assigned.
template <class Streams, class Executor = Serial>
void collapse_mean_backward(TokenView<const element_of<Streams>> dh, Streams&& dx,
                            Executor&& exec = {}) {
  using Element = element_of<Streams>;
  const StreamView<Element> to = dx;
  detail::check_repeat("collapse_mean_backward", "dh", dh, "dx", to);
  detail::repeat<Element>(dh, detail::share_of_stream<Element>(to.streams), to, exec);
}

/// h = sum_i x_i, summed in the compute type and rounded once; h is assigned.
template <class Rows, class Executor = Serial>
void collapse_sum(StreamView<const element_of<Rows>> x, Rows&& h, Executor&& exec = {}) {
  using Element = element_of<Rows>;
  const TokenView<Element> to = h;
  detail::check_sum("collapse_sum", "x", x, "h", to);
  detail::sum<Element>(x, compute_t<Element>(1), to, exec);
}

/// dx_i = dh; dx is assigned.
template <class Streams, class Executor = Serial>
void collapse_sum_backward(TokenView<const element_of<Streams>> dh, Streams&& dx,
                           Executor&& exec = {}) {
  using Element = element_of<Streams>;
  const StreamView<Element> to = dx;
  detail::check_repeat("collapse_sum_backward", "dh", dh, "dx", to);
  detail::repeat<Element>(dh, compute_t<Element>(1), to, exec);
}

MHC_NAMESPACE_END
