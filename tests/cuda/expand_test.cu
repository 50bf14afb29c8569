// SPDX-License-Identifier: MIT
// Expand and collapse on the GPU: the bits of the same sums on the host, for any n, C and layout.

#include "site.hpp"

namespace {

using mhc::Index;
using namespace mhc_test;

/// Streams and rows in device memory, in a layout of Site, with numbers of the host.
template <class Element>
struct Rows {
  Rows(Index tokens_, Index streams_, Index channels_, Layout layout_)
      : tokens(tokens_),
        streams(streams_),
        channels(channels_),
        layout(layout_),
        host_x(static_cast<std::size_t>(room() * streams_ + layout_.offset)),
        host_h(static_cast<std::size_t>(room() + layout_.offset)) {
    Random random(static_cast<std::uint64_t>(tokens * 1000 + channels * 10 + streams));
    fill(random, host_x.data(), static_cast<Index>(host_x.size()));
    fill(random, host_h.data(), static_cast<Index>(host_h.size()));
  }
  Index pitch() const { return channels + layout.padding; }
  Index room() const { return (tokens + 1) * pitch(); }
  template <class E>
  mhc::StreamView<E> x(E* data) const {
    return layout.streams_outside ? mhc::StreamView<E>(data + layout.offset, tokens, streams,
                                                       channels, pitch(), room())
                                  : mhc::StreamView<E>(data + layout.offset, tokens, streams,
                                                       channels, streams * pitch(), pitch());
  }
  template <class E>
  mhc::TokenView<E> h(E* data) const {
    return {data + layout.offset, tokens, channels, pitch()};
  }

  Index tokens;
  Index streams;
  Index channels;
  Layout layout;
  std::vector<Element> host_x;
  std::vector<Element> host_h;
};

template <class Element>
std::vector<Element> poison(std::size_t size) {
  std::vector<Element> values(size);
  std::memset(static_cast<void*>(values.data()), 0xff, size * sizeof(Element));
  return values;
}

/// call(x or h of the device, output of the device) against host(h, x): every byte of the output,
/// those between its rows, too.
template <class Element, class Call, class Host>
void expect_expanded(const Rows<Element>& rows, const Call& call, const Host& host) {
  const DeviceArray<Element> h(rows.host_h);
  DeviceArray<Element> x(static_cast<Index>(rows.host_x.size()));
  call(rows.h(h.data()), rows.x(x.data()));
  auto expected = poison<Element>(rows.host_x.size());
  const auto to = rows.x(expected.data());
  for (Index t = 0; t < rows.tokens; ++t) {
    for (Index i = 0; i < rows.streams; ++i) {
      for (Index c = 0; c < rows.channels; ++c) {
        to.row(t, i)[c] = host(rows.h(rows.host_h.data()).row(t)[c], i);
      }
    }
  }
  EXPECT_TRUE(same_bits(x.get(), expected));
}

template <class Element, class Call, class Host>
void expect_collapsed(const Rows<Element>& rows, const Call& call, const Host& host) {
  const DeviceArray<Element> x(rows.host_x);
  DeviceArray<Element> h(static_cast<Index>(rows.host_h.size()));
  call(rows.x(x.data()), rows.h(h.data()));
  auto expected = poison<Element>(rows.host_h.size());
  const auto to = rows.h(expected.data());
  const auto from = rows.x(rows.host_x.data());
  for (Index t = 0; t < rows.tokens; ++t) {
    for (Index c = 0; c < rows.channels; ++c) {
      to.row(t)[c] = host([&](Index i) { return from.row(t, i)[c]; });
    }
  }
  EXPECT_TRUE(same_bits(h.get(), expected));
}

template <class Element>
void expect_all(Index tokens, Index streams, Index channels, Layout layout = {}) {
  SCOPED_TRACE(::testing::Message() << "n = " << streams << ", T = " << tokens
                                    << ", C = " << channels << ", " << sizeof(Element) << " bytes");
  using Scalar = mhc::compute_t<Element>;
  using Streams = mhc::StreamView<Element>;
  using ConstStreams = mhc::StreamView<const Element>;
  using Tokens = mhc::TokenView<Element>;
  using ConstTokens = mhc::TokenView<const Element>;
  const Rows<Element> rows(tokens, streams, channels, layout);
  const Scalar mean = Scalar(1) / static_cast<Scalar>(streams);
  const Index last = streams - 1;
  const auto sum = [&](Scalar scale) {
    return [=](const auto& of) {
      auto total = static_cast<Scalar>(of(0));
      for (Index i = 1; i < streams; ++i) total += static_cast<Scalar>(of(i));
      return static_cast<Element>(total * scale);
    };
  };
  expect_expanded(
      rows, [](ConstTokens h, Streams x) { mhc::cuda::expand_repeat(h, x, nullptr); },
      [](Element h, Index) { return h; });
  expect_expanded(
      rows, [](ConstTokens h, Streams x) { mhc::cuda::collapse_sum_backward(h, x, nullptr); },
      [](Element h, Index) { return h; });
  expect_expanded(
      rows, [](ConstTokens h, Streams x) { mhc::cuda::collapse_mean_backward(h, x, nullptr); },
      [&](Element h, Index) { return static_cast<Element>(static_cast<Scalar>(h) * mean); });
  expect_expanded(
      rows, [&](ConstTokens h, Streams x) { mhc::cuda::expand_one_hot(h, x, last, nullptr); },
      [&](Element h, Index i) { return i == last ? h : Element(0); });
  expect_collapsed(
      rows, [](ConstStreams x, Tokens h) { mhc::cuda::expand_repeat_backward(x, h, nullptr); },
      sum(Scalar(1)));
  expect_collapsed(
      rows, [](ConstStreams x, Tokens h) { mhc::cuda::collapse_sum(x, h, nullptr); },
      sum(Scalar(1)));
  expect_collapsed(
      rows, [](ConstStreams x, Tokens h) { mhc::cuda::collapse_mean(x, h, nullptr); }, sum(mean));
  expect_collapsed(
      rows,
      [&](ConstStreams x, Tokens h) { mhc::cuda::expand_one_hot_backward(x, h, last, nullptr); },
      [&](const auto& of) { return of(last); });
}

TEST(CudaExpand, SizesAndElements) {
  for (const Index streams : {1, 2, 3, 4, 5, 8, 16}) {
    for (const Index channels : {1, 7, 64, 129, 1280}) {
      for (const Index tokens : {0, 1, 17}) {
        expect_all<float>(tokens, streams, channels);
        expect_all<double>(tokens, streams, channels);
        expect_all<mhc::bf16>(tokens, streams, channels);
        expect_all<mhc::f16>(tokens, streams, channels);
      }
    }
  }
}

TEST(CudaExpand, Layouts) {
  for (const Layout& layout : {Layout{8, 0, false}, Layout{3, 0, false}, Layout{0, 1, false},
                               Layout{8, 0, true}, Layout{5, 3, true}}) {
    expect_all<float>(9, 4, 264, layout);
    expect_all<double>(9, 4, 264, layout);
    expect_all<mhc::bf16>(9, 4, 264, layout);
    expect_all<mhc::f16>(9, 3, 129, layout);
  }
}

}  // namespace
