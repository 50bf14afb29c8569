// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include <mhc/executor.hpp>
#include <mhc/kernels/entry.hpp>
#include <mhc/shapes.hpp>

MHC_NAMESPACE_BEGIN

// Expand: from an embedding h (1, C) to the streams x (n, C). Any n, known at run time.
//
//   repeat     x_i = h for every i                 dh = sum_i dx_i        (every released model)
//   one-hot    x_k = h, all other streams zero     dh = dx_k

/// x_i = h for every stream: h (tokens, C), x (tokens, n, C), which is assigned. Throws
/// std::invalid_argument for wrong shapes and overlapping memory, as all functions here do.
template <class Element, class Executor = Serial>
void expand_repeat(TokenView<const Element> h, StreamView<Element> x, Executor&& exec = {}) {
  detail::check_streams_and_rows("expand_repeat", "x", x, "h", h);
  detail::check_output("expand_repeat", "x", x);
  exec(x.tokens, detail::token_grain(x), [&](index begin, index end, int) {
    kernels::UniformKernels<Element>::repeat(h, compute_t<Element>(1), x, begin, end);
  });
}

/// dh = sum_i dx_i, summed in the compute type and rounded once; dh is assigned.
template <class Element, class Executor = Serial>
void expand_repeat_backward(StreamView<const Element> dx, TokenView<Element> dh,
                            Executor&& exec = {}) {
  detail::check_streams_and_rows("expand_repeat_backward", "dx", dx, "dh", dh);
  detail::check_output("expand_repeat_backward", "dh", dh);
  exec(dx.tokens, detail::token_grain(dx), [&](index begin, index end, int) {
    kernels::UniformKernels<Element>::sum(dx, compute_t<Element>(1), dh, begin, end);
  });
}

/// x_stream = h, and the other streams are zero; x is assigned. Also throws unless 0 <= stream < n.
template <class Element, class Executor = Serial>
void expand_one_hot(TokenView<const Element> h, StreamView<Element> x, index stream = 0,
                    Executor&& exec = {}) {
  detail::check_streams_and_rows("expand_one_hot", "x", x, "h", h);
  detail::check_output("expand_one_hot", "x", x);
  detail::check_stream("expand_one_hot", stream, x.streams);
  exec(x.tokens, detail::token_grain(x), [&](index begin, index end, int) {
    for (index t = begin; t < end; ++t) {
      for (index i = 0; i < x.streams; ++i) {
        if (i == stream) {
          std::copy_n(h.row(t), h.channels, x.row(t, i));
        } else {
          std::fill_n(x.row(t, i), h.channels, Element(0));
        }
      }
    }
  });
}

/// dh = dx_stream; dh is assigned.
template <class Element, class Executor = Serial>
void expand_one_hot_backward(StreamView<const Element> dx, TokenView<Element> dh, index stream = 0,
                             Executor&& exec = {}) {
  detail::check_streams_and_rows("expand_one_hot_backward", "dx", dx, "dh", dh);
  detail::check_output("expand_one_hot_backward", "dh", dh);
  detail::check_stream("expand_one_hot_backward", stream, dx.streams);
  exec(dx.tokens, detail::token_grain(dx), [&](index begin, index end, int) {
    for (index t = begin; t < end; ++t) std::copy_n(dx.row(t, stream), dx.channels, dh.row(t));
  });
}

MHC_NAMESPACE_END
