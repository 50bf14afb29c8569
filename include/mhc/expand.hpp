// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include <mhc/storage.hpp>
#include <mhc/uniform_streams.hpp>

MHC_NAMESPACE_BEGIN

// Expand: from an embedding h (1, C) to the streams x (n, C). Any n, known at run time.
//
//   repeat     x_i = h for every i                 dh = sum_i dx_i        (every released model)
//   one-hot    x_k = h, all other streams zero     dh = dx_k

/// x_i = h for every stream: h (tokens, C), x (tokens, n, C), which is assigned; views or owners.
/// Throws std::invalid_argument for wrong shapes and overlapping memory, as all functions here do.
template <class Streams, class Executor = Serial>
void expand_repeat(TokenView<const element_of<Streams>> h, Streams&& x, Executor&& exec = {}) {
  using Element = element_of<Streams>;
  const StreamView<Element> to = x;
  detail::check_repeat("expand_repeat", "h", h, "x", to);
  detail::repeat<Element>(h, compute_t<Element>(1), to, exec);
}

/// dh = sum_i dx_i, summed in the compute type and rounded once; dh is assigned.
template <class Rows, class Executor = Serial>
void expand_repeat_backward(StreamView<const element_of<Rows>> dx, Rows&& dh,
                            Executor&& exec = {}) {
  using Element = element_of<Rows>;
  const TokenView<Element> to = dh;
  detail::check_sum("expand_repeat_backward", "dx", dx, "dh", to);
  detail::sum<Element>(dx, compute_t<Element>(1), to, exec);
}

/// x_stream = h, and the other streams are zero; x is assigned. Also throws unless 0 <= stream < n.
template <class Streams, class Executor = Serial>
void expand_one_hot(TokenView<const element_of<Streams>> h, Streams&& x, Index stream = 0,
                    Executor&& exec = {}) {
  using Element = element_of<Streams>;
  const StreamView<Element> to = x;
  detail::check_repeat("expand_one_hot", "h", h, "x", to);
  detail::check_stream("expand_one_hot", stream, to.streams);
  exec(to.tokens, detail::token_grain(to), [&](Index begin, Index end, int) {
    for (Index t = begin; t < end; ++t) {
      for (Index i = 0; i < to.streams; ++i) {
        if (i == stream) {
          std::copy_n(h.row(t), h.channels, to.row(t, i));
        } else {
          std::fill_n(to.row(t, i), h.channels, Element(0));
        }
      }
    }
  });
}

/// dh = dx_stream; dh is assigned.
template <class Rows, class Executor = Serial>
void expand_one_hot_backward(StreamView<const element_of<Rows>> dx, Rows&& dh, Index stream = 0,
                             Executor&& exec = {}) {
  const TokenView<element_of<Rows>> to = dh;
  detail::check_sum("expand_one_hot_backward", "dx", dx, "dh", to);
  detail::check_stream("expand_one_hot_backward", stream, dx.streams);
  exec(dx.tokens, detail::token_grain(dx), [&](Index begin, Index end, int) {
    for (Index t = begin; t < end; ++t) std::copy_n(dx.row(t, stream), dx.channels, to.row(t));
  });
}

MHC_NAMESPACE_END
