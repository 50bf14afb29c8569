// SPDX-License-Identifier: MIT
// mhc::cuda_compiled in a file of the host's compiler, beside the CPU's calls on the same numbers.

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include <mhc/cuda/compiled.hpp>
#include <mhc/mhc.hpp>

#include "../support/fill.hpp"

namespace {

using mhc::Index;
using namespace mhc_test;

/// Device memory with a copy of the host's.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values) : size_(values.size()) {
    EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&data_), size_ * sizeof(T) + 16), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice),
              cudaSuccess);
  }
  explicit OnDevice(Index size) : OnDevice(std::vector<T>(static_cast<std::size_t>(size))) {}
  ~OnDevice() { cudaFree(data_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  T* data() { return data_; }
  std::vector<T> get() const {
    std::vector<T> values(size_);
    EXPECT_EQ(cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost),
              cudaSuccess);
    return values;
  }

 private:
  T* data_ = nullptr;
  std::size_t size_;
};

template <class T>
void expect_near(const std::vector<T>& got, const std::vector<T>& expected, double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto value = static_cast<double>(expected[i]);
    ASSERT_NEAR(static_cast<double>(got[i]), value, tolerance * (1 + std::abs(value)))
        << "number " << i;
  }
}

/// What rounding to an element and other orders of sums may differ by.
template <class Element>
constexpr double tolerance = std::is_same_v<Element, float>       ? 2e-5
                             : std::is_same_v<Element, mhc::bf16> ? 0x1p-7
                                                                  : 0x1p-10;

/// expand, a site, the next site in one call with finish, the head: the forward of a model.
template <class Element>
void expect_forward() {
  constexpr int N = 4;
  constexpr Index tokens = 19;
  constexpr Index channels = 264;
  using Host = mhc::Block<N, Element>;
  using Device = mhc::cuda::compiled::Block<N, Element>;
  Random random(3);
  std::vector<float> parameters(
      static_cast<std::size_t>(Device::ConstParametersView::size(channels)));
  fill(random, parameters.data(), static_cast<Index>(parameters.size()), 0.05);
  using HeadView = typename mhc::Head<N, Element>::ConstParametersView;
  std::vector<float> of_head(static_cast<std::size_t>(HeadView::size(channels)));
  fill(random, of_head.data(), static_cast<Index>(of_head.size()), 0.05);
  std::vector<Element> h(tokens * channels);
  std::vector<Element> v(tokens * channels);
  fill(random, h.data(), tokens * channels);
  fill(random, v.data(), tokens * channels);

  std::vector<Element> x(N * tokens * channels);
  std::vector<Element> u(tokens * channels);
  std::vector<Element> out(tokens * channels);
  mhc::Saved<N> saved(tokens);
  mhc::Saved<N> next_saved(tokens);
  mhc::Saved<N, float, mhc::LearnedCollapse> weights(tokens);
  const mhc::StreamView<Element> x_view(x.data(), tokens, N, channels);
  const mhc::TokenView<Element> u_view(u.data(), tokens, channels);
  const mhc::TokenView<Element> out_view(out.data(), tokens, channels);
  const Host host({parameters.data(), channels});
  mhc::expand_repeat({h.data(), tokens, channels}, x_view);
  host.prepare(x_view, u_view, saved);
  host.finish_and_prepare(x_view, {v.data(), tokens, channels}, saved, x_view, host, u_view,
                          next_saved);
  mhc::Head<N, Element>({of_head.data(), channels}).forward(x_view, out_view, weights);

  OnDevice<float> device_parameters(parameters);
  OnDevice<float> device_head(of_head);
  OnDevice<Element> device_h(h);
  OnDevice<Element> device_v(v);
  OnDevice<Element> device_x(static_cast<Index>(x.size()));
  OnDevice<Element> device_u(static_cast<Index>(u.size()));
  OnDevice<Element> device_out(static_cast<Index>(out.size()));
  OnDevice<float> device_saved(Device::SavedView::size(tokens));
  OnDevice<float> device_next(Device::SavedView::size(tokens));
  OnDevice<float> device_weights(mhc::SavedView<N, float, mhc::LearnedCollapse>::size(tokens));
  const mhc::StreamView<Element> on_x(device_x.data(), tokens, N, channels);
  const mhc::TokenView<Element> on_u(device_u.data(), tokens, channels);
  const Device device({device_parameters.data(), channels});
  const mhc::cuda::compiled::Head<N, Element> head({device_head.data(), channels});
  OnDevice<char> scratch(static_cast<Index>(device.workspace_bytes(tokens)));
  ASSERT_LE(head.workspace_bytes(tokens), device.workspace_bytes(tokens));
  const mhc::cuda::Workspace workspace{scratch.data(), device.workspace_bytes(tokens)};
  mhc::cuda::compiled::expand_repeat<Element>({device_h.data(), tokens, channels}, on_x, nullptr);
  device.prepare(on_x, on_u, {device_saved.data(), tokens}, workspace, nullptr);
  device.finish_and_prepare(on_x, {device_v.data(), tokens, channels},
                            {device_saved.data(), tokens}, on_x, device, on_u,
                            {device_next.data(), tokens}, workspace, nullptr);
  head.forward(on_x, {device_out.data(), tokens, channels}, {device_weights.data(), tokens},
               workspace, nullptr);
  expect_near(device_x.get(), x, tolerance<Element>);
  expect_near(device_u.get(), u, tolerance<Element>);
  expect_near(device_out.get(), out, 2 * tolerance<Element>);
}

TEST(CudaCompiled, AForwardFromAFileOfTheHostsCompiler) {
  expect_forward<float>();
  expect_forward<mhc::bf16>();
  expect_forward<mhc::f16>();
}

TEST(CudaCompiled, SinkhornKnoppAndCollapse) {
  Random random(5);
  std::vector<float> logits(97 * 16);
  fill(random, logits.data(), static_cast<Index>(logits.size()));
  std::vector<float> res(logits.size());
  mhc::sinkhorn_knopp<4>({logits.data(), 97, 4, 4}, {},
                         mhc::StreamView<float>(res.data(), 97, 4, 4));
  OnDevice<float> on(logits);
  OnDevice<float> to(static_cast<Index>(res.size()));
  mhc::cuda::compiled::sinkhorn_knopp<4>({on.data(), 97, 4, 4}, {}, {to.data(), 97, 4, 4}, nullptr);
  expect_near(to.get(), res, 2e-6);
  std::vector<float> mean(97 * 4);
  mhc::collapse_mean({logits.data(), 97, 4, 4}, mhc::TokenView<float>(mean.data(), 97, 4));
  OnDevice<float> on_mean(static_cast<Index>(mean.size()));
  mhc::cuda::compiled::collapse_mean<float>({on.data(), 97, 4, 4}, {on_mean.data(), 97, 4},
                                            nullptr);
  expect_near(on_mean.get(), mean, 1e-6);
}

TEST(CudaCompiled, ThrowsTheSentencesOfTheCalls) {
  try {
    mhc::cuda::compiled::Block<4, float>({nullptr, 64});
    ADD_FAILURE() << "it did not throw";
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(std::string(error.what()),
              "mhc::cuda::Block: parameters have no data (null pointer)");
  }
}

}  // namespace
