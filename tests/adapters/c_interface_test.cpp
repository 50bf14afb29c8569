// SPDX-License-Identifier: MIT
// A C program gets the same bits as C++, and errors leave the interface only as a status.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <mhc/mhc.hpp>

#include "../support/random.hpp"
#include "c_program.h"

namespace {

using mhc::Index;
using testing::HasSubstr;

template <class Element>
constexpr mhc_element name_of() {
  if constexpr (std::is_same_v<Element, float>) return MHC_F32;
  if constexpr (std::is_same_v<Element, double>) return MHC_F64;
  if constexpr (std::is_same_v<Element, mhc::bf16>) return MHC_BF16;
  if constexpr (std::is_same_v<Element, mhc::f16>) return MHC_F16;
}

template <class A, class B>
void expect_same_bits(const char* name, const A& a, const B& b) {
  ASSERT_EQ(a.size(), b.size()) << name;
  EXPECT_EQ(std::memcmp(a.data(), b.data(), sizeof(*a.data()) * static_cast<std::size_t>(a.size())),
            0)
      << name;
}

template <class Element>
void expect_the_bits_of_cpp() {
  using Scalar = mhc::compute_t<Element>;
  constexpr int n = 4;
  constexpr Index tokens = 9, channels = 33;
  using Family = mhc::families::DeepSeekV4;

  mhc::Parameters<n, Scalar> parameters(channels);
  ASSERT_EQ(mhc_parameter_count(n, channels), parameters.span().size);
  ASSERT_EQ(mhc_initialize(name_of<Element>(), n, channels, 7, parameters.span().data), MHC_OK);
  mhc::Parameters<n, Scalar> expected(channels);
  mhc::initialize(expected, 7);
  EXPECT_TRUE(
      std::equal(expected.span().begin(), expected.span().end(), parameters.span().begin()));
  parameters.alpha().setConstant(Scalar(1));

  auto x = mhc_test::random_streams<Element>(tokens, n, channels, 1);
  auto dx_next = mhc_test::random_streams<Element>(tokens, n, channels, 2);
  const mhc::Block<n, Element> block(parameters, Family::options());
  mhc::Activations<mhc::Block<n, Element>> kept(tokens, channels);
  mhc::Streams<Element> x_next(tokens, n, channels), dx(tokens, n, channels);
  mhc::Parameters<n, Scalar> grads(channels);
  const auto copy = [](auto from, auto to) { to.matrix() = from.matrix(); };
  block.forward(x, copy, x_next, kept);
  block.backward(x, dx_next, copy, kept, dx, grads);

  const mhc_options options = mhc_options_of(MHC_DEEPSEEK_V4);
  const mhc_executor executor = c_three_pieces();
  for (const mhc_executor* const exec : {static_cast<const mhc_executor*>(nullptr), &executor}) {
    mhc::Streams<Element> c_x_next(tokens, n, channels), c_dx(tokens, n, channels);
    mhc::Tokens<Element> u(tokens, channels), v(u), dv(u), du(u);
    mhc::Parameters<n, Scalar> c_grads(channels);
    const c_site site{name_of<Element>(),
                      tokens,
                      n,
                      channels,
                      parameters.span().data,
                      x.data(),
                      c_x_next.data(),
                      dx_next.data(),
                      c_dx.data(),
                      u.data(),
                      v.data(),
                      dv.data(),
                      du.data(),
                      c_grads.span().data};
    ASSERT_EQ(c_site_run(&site, &options, exec), 0) << mhc_error_message();
    expect_same_bits("u", u, kept.u);
    expect_same_bits("x_next", c_x_next, x_next);
    expect_same_bits("dv", dv, kept.dv);
    expect_same_bits("dx", c_dx, dx);
    EXPECT_TRUE(std::equal(grads.span().begin(), grads.span().end(), c_grads.span().begin()));
  }
}

TEST(CProgram, HasTheSameBitsAsCpp) {
  expect_the_bits_of_cpp<float>();
  expect_the_bits_of_cpp<double>();
  expect_the_bits_of_cpp<mhc::bf16>();
  expect_the_bits_of_cpp<mhc::f16>();
}

TEST(COptions, MatchTheFamilies) {
  const mhc_options v4 = mhc_options_of(MHC_DEEPSEEK_V4);
  EXPECT_EQ(v4.norm_eps, 1e-6);
  EXPECT_EQ(v4.pre_eps, 1e-6);
  EXPECT_EQ(v4.iterations, 20);
  EXPECT_EQ(v4.start_eps, 1e-6);
  EXPECT_EQ(v4.post_scale, 2.0);
  EXPECT_EQ(mhc_options_of(MHC_PAPER).divisor_eps, 0.0);
  EXPECT_EQ(mhc_options_of(MHC_LIGER).rows_first, 1);
  EXPECT_EQ(mhc_options_of(MHC_GLM_53_FLASH).norm_eps, 1e-5);
  EXPECT_EQ(mhc_options_of(MHC_MEGATRON_MAIN).norm_eps_place,
            static_cast<int>(mhc::families::MegatronMain::options().norm));
}

TEST(CLoadStored, TransposesLikeTheCppLoader) {
  constexpr Index channels = 5;
  std::vector<float> fn(24 * 20), scale{0.1F, 0.2F, 0.3F}, base(24);
  for (std::size_t i = 0; i < fn.size(); ++i) fn[i] = static_cast<float>(i);
  for (std::size_t i = 0; i < base.size(); ++i) base[i] = static_cast<float>(i) * 0.5F;
  mhc::Parameters<4> expected(channels), loaded(channels);
  mhc::load_stored(mhc::families::DeepSeekV4::layout(), fn.data(), scale.data(), base.data(),
                   expected.view());
  ASSERT_EQ(mhc_load_stored(MHC_DEEPSEEK_V4, MHC_BF16, 4, channels, fn.data(), scale.data(),
                            base.data(), loaded.span().data),
            MHC_OK);
  EXPECT_TRUE(std::equal(expected.span().begin(), expected.span().end(), loaded.span().begin()));
  EXPECT_EQ(loaded.b_res()(1, 0), base[9]);  // [src 0, dst 1]
}

TEST(CStreams, ExpandAndCollapse) {
  float h[2] = {1, 2}, x[8], back[2], dx[8];
  const mhc_stream_view streams = mhc_streams(x, 1, 4, 2);
  ASSERT_EQ(mhc_expand_repeat(MHC_F32, mhc_tokens(h, 1, 2), streams, nullptr), MHC_OK);
  EXPECT_THAT(x, testing::ElementsAre(1, 2, 1, 2, 1, 2, 1, 2));
  x[0] = 5;
  ASSERT_EQ(mhc_collapse_mean(MHC_F32, streams, mhc_tokens(back, 1, 2), nullptr), MHC_OK);
  EXPECT_THAT(back, testing::ElementsAre(2, 2));
  ASSERT_EQ(
      mhc_collapse_mean_backward(MHC_F32, mhc_tokens(h, 1, 2), mhc_streams(dx, 1, 4, 2), nullptr),
      MHC_OK);
  EXPECT_THAT(dx, testing::ElementsAre(0.25, 0.5, 0.25, 0.5, 0.25, 0.5, 0.25, 0.5));
  ASSERT_EQ(mhc_expand_repeat_backward(MHC_F32, streams, mhc_tokens(back, 1, 2), nullptr), MHC_OK);
  EXPECT_THAT(back, testing::ElementsAre(8, 8));
}

class CErrors : public testing::Test {
 protected:
  CErrors() { mhc_initialize(MHC_F32, 4, 3, 1, parameters_.span().data); }
  ~CErrors() override { mhc_block_destroy(block_); }

  mhc_status create(int element = MHC_F32, Index streams = 4) {
    return mhc_block_create(element, streams, 3, &options_, parameters_.span().data, &block_);
  }

  mhc::Parameters<4> parameters_{3};
  mhc_options options_ = mhc_options_of(MHC_PAPER);
  mhc_block* block_ = nullptr;
};

#define EXPECT_FAILS(call, status, sentence) \
  EXPECT_EQ(call, status);                   \
  EXPECT_THAT(mhc_error_message(), HasSubstr(sentence))

TEST_F(CErrors, NameTheWrongArgument) {
  EXPECT_FAILS(create(9), MHC_WRONG_ARGUMENT, "mhc::c::element: element is 9, expected 0 to 3");
  EXPECT_EQ(block_, nullptr);
  EXPECT_FAILS(create(MHC_F32, 7), MHC_WRONG_ARGUMENT, "the number of streams is 7, which is not");
  options_.rows_first = 2;
  EXPECT_FAILS(create(), MHC_WRONG_ARGUMENT, "options.rows_first is 2, expected 0 or 1");
  options_.rows_first = 0;
  options_.norm_eps_place = 3;
  EXPECT_FAILS(create(), MHC_WRONG_ARGUMENT, "options.norm_eps_place is 3, expected 0 to 2");
  options_.norm_eps_place = 0;
  options_.iterations = 0;
  EXPECT_FAILS(create(), MHC_WRONG_ARGUMENT, "iterations");
  options_.iterations = 20;
  ASSERT_EQ(create(), MHC_OK);

  float x[12] = {}, saved[73];
  const auto streams = mhc_streams(x, 1, 4, 3);
  EXPECT_FAILS(mhc_block_prepare(nullptr, streams, {}, saved, nullptr), MHC_WRONG_ARGUMENT,
               "mhc::c::block_prepare: block is a null pointer");
  EXPECT_FAILS(mhc_block_prepare(block_, mhc_streams(x, 1, 3, 4), {}, saved, nullptr),
               MHC_WRONG_ARGUMENT, "mhc::Block::prepare: x is 1 x 3 x 4");
  EXPECT_FAILS(mhc_block_prepare(block_, streams, {}, nullptr, nullptr), MHC_WRONG_ARGUMENT,
               "saved has no data");
  EXPECT_FAILS(mhc_block_finish(block_, streams, mhc_tokens(x, 1, 3), saved, streams, nullptr),
               MHC_WRONG_ARGUMENT, "x_next");
  const mhc_executor none{nullptr, nullptr};
  EXPECT_FAILS(mhc_block_prepare(block_, streams, {}, saved, &none), MHC_WRONG_ARGUMENT,
               "mhc::c::executor: run is a null pointer");
  EXPECT_FAILS(mhc_initialize(MHC_F32, 4, 0, 1, x), MHC_WRONG_ARGUMENT,
               "mhc::c::initialize: channels is 0, expected at least 1");
  EXPECT_FAILS(mhc_load_stored(99, MHC_F32, 4, 3, x, x, x, x), MHC_WRONG_ARGUMENT,
               "mhc::c::load_stored: family is 99, expected 0 to 7");
}

TEST_F(CErrors, HugeSizesAreRejected) {
  constexpr mhc_index huge = PTRDIFF_MAX / 8;
  float some[12] = {};
  EXPECT_FAILS(mhc_initialize(MHC_F32, 4, huge, 1, some), MHC_WRONG_ARGUMENT,
               "mhc::c::initialize: ");
  EXPECT_FAILS(mhc_load_stored(MHC_PAPER, MHC_F32, 4, huge, some, some, some, some),
               MHC_WRONG_ARGUMENT, "mhc::c::load_stored: ");
  EXPECT_FAILS(mhc_block_create(MHC_F32, 4, huge, &options_, some, &block_), MHC_WRONG_ARGUMENT,
               "mhc::c::block_create: ");
  EXPECT_EQ(block_, nullptr);

  EXPECT_EQ(mhc_streams(some, 1, 16, huge).token_stride, PTRDIFF_MAX);
  EXPECT_EQ(mhc_streams(some, 1, -4, huge).token_stride, 0);
  EXPECT_FAILS(
      mhc_expand_repeat(MHC_F32, mhc_tokens(some, 1, 3), mhc_streams(some, 1, 16, huge), nullptr),
      MHC_WRONG_ARGUMENT, "mhc::c::stream_view: the view has impossible sizes (1, 16, ");
  mhc_token_view rows = mhc_tokens(some, 3, 4);
  rows.token_stride = huge;
  EXPECT_FAILS(mhc_expand_repeat(MHC_F32, rows, mhc_streams(some, 3, 1, 4), nullptr),
               MHC_WRONG_ARGUMENT,
               "mhc::c::token_view: the view of sizes (3, 4) has impossible strides");
}

TEST_F(CErrors, CountsAreNegativeForInvalidSizes) {
  EXPECT_EQ(mhc_parameter_count(3, 8), -1);
  EXPECT_EQ(mhc_parameter_count(4, 0), -1);
  EXPECT_EQ(mhc_parameter_count(4, PTRDIFF_MAX / 8), -1);
  EXPECT_EQ(mhc_saved_count(4, -1), -1);
  EXPECT_EQ(mhc_saved_count(4, 0), 0);
  EXPECT_EQ(mhc_saved_count(4, PTRDIFF_MAX / 16), -1);
}

TEST_F(CErrors, ExecutorExceptionBecomesAStatus) {
  ASSERT_EQ(create(), MHC_OK);
  const mhc_executor bad{
      [](void*, mhc_index, mhc_index, mhc_range, void*) { throw std::runtime_error("no threads"); },
      nullptr};
  float x[12] = {}, saved[73];
  EXPECT_FAILS(mhc_block_prepare(block_, mhc_streams(x, 1, 4, 3), {}, saved, &bad), MHC_FAILED,
               "no threads");
}

TEST_F(CErrors, MessagesArePerThread) {
  create(9);
  const std::string here = mhc_error_message();
  std::thread([] { EXPECT_STREQ(mhc_error_message(), ""); }).join();
  EXPECT_EQ(mhc_error_message(), here);
}

TEST(CVersion, MatchesTheHeaders) {
  EXPECT_STREQ(mhc_version(), MHC_VERSION_STRING);
}

}  // namespace
