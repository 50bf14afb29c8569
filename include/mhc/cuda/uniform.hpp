// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/cuda/kernels/uniform.hpp>
#include <mhc/cuda/launch.hpp>

// The launches of expand and collapse.

MHC_NAMESPACE_BEGIN
namespace cuda {
namespace internal {

/// Calls go(V): all channels in vectors of 16 bytes where every row begins at a multiple of them,
/// else one by one.
template <class Element, class Streams, class Row, class Go>
void in_widest_vectors(const Streams& x, const Row& h, const Go& go) {
  constexpr int widest = kernels::uniform_vector<device_t<Element>>;
  if (in_vectors<widest>(x) && in_vectors<widest>(h)) {
    go(std::integral_constant<int, widest>());
  } else {
    go(std::integral_constant<int, 1>());
  }
}

/// h = scale sum_i x_i.
template <class Element>
void sum_streams(const char* here, StreamView<const Element> x, compute_t<Element> scale,
                 TokenView<Element> h, cudaStream_t stream) {
  if (x.tokens == 0) return;
  in_widest_vectors<Element>(x, h, [&](auto width) {
    constexpr int V = decltype(width)::value;
    launch(here, stream, blocks(here, kernels::stream_blocks<V>(x.tokens, x.channels)),
           kernels::stream_threads, &kernels::sum_streams<V, device_t<Element>, compute_t<Element>>,
           rows(x), x.streams, scale, rows(h), x.channels);
  });
}

/// x_i = scale h.
template <class Element>
void repeat_token(const char* here, TokenView<const Element> h, compute_t<Element> scale,
                  StreamView<Element> x, cudaStream_t stream) {
  if (x.tokens == 0) return;
  in_widest_vectors<Element>(x, h, [&](auto width) {
    constexpr int V = decltype(width)::value;
    launch(here, stream, blocks(here, kernels::stream_blocks<V>(x.tokens, x.channels)),
           kernels::stream_threads,
           &kernels::repeat_token<V, device_t<Element>, compute_t<Element>>, rows(h), scale,
           rows(x), x.streams, x.channels);
  });
}

/// x_k = h, and zero in the other streams.
template <class Element>
void place_token(const char* here, TokenView<const Element> h, Index k, StreamView<Element> x,
                 cudaStream_t stream) {
  if (x.tokens == 0) return;
  in_widest_vectors<Element>(x, h, [&](auto width) {
    constexpr int V = decltype(width)::value;
    launch(here, stream, blocks(here, kernels::stream_blocks<V>(x.tokens, x.channels)),
           kernels::stream_threads, &kernels::place_token<V, device_t<Element>>, rows(h), k,
           rows(x), x.streams, x.channels);
  });
}

}  // namespace internal
}  // namespace cuda
MHC_NAMESPACE_END
