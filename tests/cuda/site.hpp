// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "../support/fill.hpp"
#include "device.hpp"

namespace mhc_test {

/// How far apart rows lie, and where the first begins, in elements.
struct Layout {
  mhc::Index padding = 0;        ///< after each row of channels
  mhc::Index offset = 0;         ///< of the first element: 1 leaves nothing aligned
  bool streams_outside = false;  ///< (n, T, C)
};

/// A site on the device, with random parameters and inputs, and all outputs.
template <int N, class Element_, class Connection_ = mhc::ManifoldConstrained>
struct Site {
  using Element = Element_;
  using Connection = Connection_;
  using Block = mhc::cuda::Block<N, Element, Connection>;
  using Scalar = typename Block::Scalar;
  using Options = typename Block::Options;
  using SavedView = typename Block::SavedView;

  Site(mhc::Index tokens_, mhc::Index channels_, std::uint64_t seed, Layout layout_ = {},
       double scale_of_logits = 1.0, double scale_of_x = 1.0)
      : tokens(tokens_),
        channels(channels_),
        layout(layout_),
        host_parameters(size_of_parameters(channels_)),
        host_x(span()),
        host_v(rows_span()),
        parameters(static_cast<mhc::Index>(host_parameters.size())),
        x(static_cast<mhc::Index>(span())),
        v(static_cast<mhc::Index>(rows_span())),
        x_next(static_cast<mhc::Index>(span())),
        u(static_cast<mhc::Index>(rows_span())),
        saved(SavedView::size(tokens_)) {
    Random random(seed);
    const mhc::Index depth = mhc::ParametersView<N, Scalar, Connection>::depth(channels);
    const mhc::Index of_phi = depth * Block::Shape::projections;
    const auto size = static_cast<mhc::Index>(host_parameters.size());
    fill(random, host_parameters.data(), of_phi,
         scale_of_logits / std::sqrt(static_cast<double>(std::max<mhc::Index>(1, depth))));
    fill(random, host_parameters.data() + of_phi, size - of_phi, scale_of_logits);
    for (mhc::Index t = 0; t < tokens; ++t) {
      for (int i = 0; i < N; ++i)
        fill(random, stream_view(host_x.data()).row(t, i), channels, scale_of_x);
      fill(random, token_view(host_v.data()).row(t), channels, scale_of_x);
    }
    parameters.set(host_parameters);
    x.set(host_x);
    v.set(host_v);
  }

  static std::size_t size_of_parameters(mhc::Index channels) {
    return static_cast<std::size_t>(mhc::ParametersView<N, Scalar, Connection>::size(channels));
  }
  std::size_t span() const { return rows_span() * N; }
  std::size_t rows_span() const {
    return static_cast<std::size_t>((tokens + 1) * pitch() + layout.offset);
  }
  mhc::Index pitch() const { return channels + layout.padding; }

  template <class E>
  mhc::StreamView<E> stream_view(E* data) const {
    return layout.streams_outside ? mhc::StreamView<E>(data + layout.offset, tokens, N, channels,
                                                       pitch(), (tokens + 1) * pitch())
                                  : mhc::StreamView<E>(data + layout.offset, tokens, N, channels,
                                                       N * pitch(), pitch());
  }
  template <class E>
  mhc::TokenView<E> token_view(E* data) const {
    return {data + layout.offset, tokens, channels, pitch()};
  }
  mhc::StreamView<const Element> x_view() const { return stream_view(x.data()); }
  mhc::TokenView<const Element> v_view() const { return token_view(v.data()); }
  mhc::StreamView<Element> x_next_view() { return stream_view(x_next.data()); }
  mhc::TokenView<Element> u_view() { return token_view(u.data()); }
  SavedView saved_view() { return {saved.data(), tokens}; }
  Block block(const Options& options = Options()) const {
    return Block({parameters.data(), channels}, options);
  }

  /// The rows of a view's memory, without what lies between them.
  std::vector<Element> packed_streams(const std::vector<Element>& from) const {
    std::vector<Element> values;
    const auto view = stream_view(from.data());
    for (mhc::Index t = 0; t < tokens; ++t) {
      for (int i = 0; i < N; ++i)
        values.insert(values.end(), view.row(t, i), view.row(t, i) + channels);
    }
    return values;
  }
  std::vector<Element> packed_tokens(const std::vector<Element>& from) const {
    std::vector<Element> values;
    const auto view = token_view(from.data());
    for (mhc::Index t = 0; t < tokens; ++t) {
      values.insert(values.end(), view.row(t), view.row(t) + channels);
    }
    return values;
  }

  mhc::Index tokens;
  mhc::Index channels;
  Layout layout;
  std::vector<Scalar> host_parameters;
  std::vector<Element> host_x;
  std::vector<Element> host_v;
  DeviceArray<Scalar> parameters;
  DeviceArray<Element> x;
  DeviceArray<Element> v;
  DeviceArray<Element> x_next;
  DeviceArray<Element> u;
  DeviceArray<Scalar> saved;
};

template <class To, class From>
std::vector<To> cast(const std::vector<From>& from) {
  std::vector<To> to;
  for (const From& value : from) to.push_back(static_cast<To>(value));
  return to;
}

}  // namespace mhc_test
