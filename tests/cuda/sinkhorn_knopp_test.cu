// SPDX-License-Identifier: MIT
// cuda::sinkhorn_knopp alone: against double on the host, and the bits of cuda::Block.

#include "accuracy.hpp"

namespace {

using mhc::Index;
using mhc::SinkhornKnoppOptions;
using namespace mhc_test;

/// Matrices of logits, (count, N, N), `padding` numbers after each row and matrix.
template <int N, class Scalar>
struct Batch {
  Batch(Index count_, double scale, Index padding_ = 0, Index offset_ = 0)
      : count(count_),
        padding(padding_),
        offset(offset_),
        host(static_cast<std::size_t>(count_ * pitch() + offset_)),
        logits(static_cast<Index>(host.size())),
        res(static_cast<Index>(host.size())) {
    Random random(static_cast<std::uint64_t>(count * 100 + N));
    fill(random, host.data(), static_cast<Index>(host.size()), scale);
    logits.set(host);
  }
  Index pitch() const { return N * (N + padding) + padding; }
  template <class E>
  mhc::StreamView<E> view(E* data) const {
    return {data + offset, count, N, N, pitch(), N + padding};
  }
  template <class E>
  std::vector<E> packed(const std::vector<E>& from) const {
    std::vector<E> values;
    const auto matrices = view(from.data());
    for (Index t = 0; t < count; ++t) {
      for (int i = 0; i < N; ++i) {
        values.insert(values.end(), matrices.row(t, i), matrices.row(t, i) + N);
      }
    }
    return values;
  }
  std::vector<Scalar> run(const SinkhornKnoppOptions& options) {
    mhc::cuda::sinkhorn_knopp<N, Scalar>(view<const Scalar>(logits.data()), options,
                                         view(res.data()), nullptr);
    return packed(res.get());
  }

  Index count;
  Index padding;
  Index offset;
  std::vector<Scalar> host;
  DeviceArray<Scalar> logits;
  DeviceArray<Scalar> res;
};

template <int N, class Scalar>
std::vector<double> exact(const Batch<N, Scalar>& batch, const SinkhornKnoppOptions& options) {
  const auto logits = cast<double>(batch.packed(batch.host));
  std::vector<double> res(logits.size());
  reference_sinkhorn_knopp<N>({logits.data(), batch.count, N, N}, options,
                              {res.data(), batch.count, N, N});
  return res;
}

/// The largest error of a number, which is at most 1 (with a start_eps or max(s, eps), a bit more).
template <int N, class Scalar>
void expect_accurate(Index count, const SinkhornKnoppOptions& options, double scale,
                     double tolerance, Index padding = 0, Index offset = 0) {
  SCOPED_TRACE(::testing::Message() << "n = " << N << ", " << count << " matrices of "
                                    << sizeof(Scalar) << " bytes, scale " << scale);
  Batch<N, Scalar> batch(count, scale, padding, offset);
  const auto got = batch.run(options);
  const auto expected = exact(batch, options);
  for (std::size_t e = 0; e < got.size(); ++e) {
    ASSERT_NEAR(static_cast<double>(got[e]), expected[e], tolerance) << "number " << e;
  }
}

template <int N>
void expect_accurate_everywhere() {
  for (const Index count : {0, 1, 63, 257}) {
    expect_accurate<N, float>(count, {}, 1.0, 1e-6);
    expect_accurate<N, double>(count, {}, 1.0, 1e-14);
  }
  SinkhornKnoppOptions options;
  options.first = mhc::Axis::rows;
  options.start_eps = options.divisor_eps = 1e-6;
  expect_accurate<N, float>(65, options, 1.0, 1e-6, 0, 1);
  expect_accurate<N, float>(65, options, 1.0, 1e-6, 3);
  expect_accurate<N, double>(65, options, 1.0, 1e-14, 3);
}

TEST(CudaSinkhornKnopp, SizesAndElements) {
  expect_accurate_everywhere<1>();
  expect_accurate_everywhere<2>();
  expect_accurate_everywhere<3>();
  expect_accurate_everywhere<4>();
  expect_accurate_everywhere<5>();
  expect_accurate_everywhere<8>();
  expect_accurate_everywhere<16>();
}

TEST(CudaSinkhornKnopp, Options) {
  for (const auto first : {mhc::Axis::columns, mhc::Axis::rows}) {
    for (const auto divisor : {mhc::Divisor::plus_eps, mhc::Divisor::at_least_eps}) {
      for (const double eps : {0.0, 1e-6, 1e-3}) {
        for (const int iterations : {1, 3, 20}) {
          SinkhornKnoppOptions options;
          options.first = first;
          options.divisor = divisor;
          options.divisor_eps = eps;
          options.start_eps = eps;
          options.iterations = iterations;
          expect_accurate<4, float>(257, options, 2.0, 2e-6);
          expect_accurate<3, double>(257, options, 2.0, 1e-14);
        }
      }
    }
  }
}

/// Logits so far apart that rows underflow are computed in the log domain, in double; the others
/// have their rounding, 6e-8 of the distance from the largest.
TEST(CudaSinkhornKnopp, LogitsFarApart) {
  for (const double eps : {0.0, 1e-6}) {
    for (const auto divisor : {mhc::Divisor::plus_eps, mhc::Divisor::at_least_eps}) {
      SinkhornKnoppOptions options;
      options.divisor_eps = eps;
      options.start_eps = eps;
      options.divisor = divisor;
      for (const double scale : {30.0, 300.0, 1e4}) {
        expect_accurate<4, float>(1025, options, scale, 3e-5);
        expect_accurate<2, float>(1025, options, scale, 3e-5);
        expect_accurate<8, float>(129, options, scale, 3e-5);
        expect_accurate<4, double>(1025, options, scale, 1e-9);
      }
    }
  }
}

/// One row far below the others: by the CPU's rule the log domain, from 1e-25 on in float.
TEST(CudaSinkhornKnopp, TheRareRowInTheMiddleOfAWarp) {
  Batch<4, float> batch(64, 1.0);
  for (int j = 0; j < 4; ++j) {
    batch.host[static_cast<std::size_t>(13 * 16 + 4 + j)] -= 1e4f;
    batch.host[static_cast<std::size_t>(37 * 16 + 8 + j)] -= 57.0f;
  }
  batch.logits.set(batch.host);
  const auto got = batch.run({});
  const auto expected = exact(batch, {});
  for (std::size_t e = 0; e < got.size(); ++e) ASSERT_NEAR(got[e], expected[e], 3e-6);
  Batch<4, float> others(64, 1.0);
  const auto alone = others.run({});
  for (std::size_t e = 0; e < got.size(); ++e) {
    if (e / 16 != 13 && e / 16 != 37) {
      ASSERT_EQ(got[e], alone[e]) << "number " << e;
    }
  }
}

TEST(CudaSinkhornKnopp, InPlaceAndUnalignedHaveTheSameBits) {
  for (const auto first : {mhc::Axis::columns, mhc::Axis::rows}) {
    SinkhornKnoppOptions options;
    options.first = first;
    Batch<4, float> batch(97, 1.0);
    const auto apart = batch.run(options);
    const auto view = batch.view(batch.logits.data());
    mhc::cuda::sinkhorn_knopp<4, float>(view, options, view, nullptr);
    EXPECT_TRUE(same_bits(batch.logits.get(), apart));
    Batch<4, float> shifted(97, 1.0, 0, 1);
    auto host = batch.host;
    host.insert(host.begin(), 0.0f);
    shifted.logits.set(host);
    EXPECT_TRUE(same_bits(shifted.run(options), apart));
  }
}

template <class S>
void expect_bits_of_block(double logits) {
  using V = typename S::SavedView;
  using Scalar = typename S::Scalar;
  constexpr int N = S::Block::streams;
  for (const auto first : {mhc::Axis::columns, mhc::Axis::rows}) {
    typename S::Options options;
    options.residual.first = first;
    options.residual.divisor_eps = 1e-6;
    S site(300, 64, 5, {}, logits);
    const auto block = site.block(options);
    Workspace workspace(block.workspace_bytes(300));
    block.prepare(site.x_view(), {}, site.saved_view(), workspace, nullptr);
    const mhc::StreamView<const Scalar> from(site.saved.data() + V::logits_offset + 2 * N, 300, N,
                                             N, V::record, N);
    DeviceArray<Scalar> res(300 * N * N);
    mhc::cuda::sinkhorn_knopp<N, Scalar>(from, options.residual, {res.data(), 300, N, N}, nullptr);
    const auto records = site.saved.get();
    std::vector<Scalar> expected;
    for (Index t = 0; t < 300; ++t) {
      const auto begin = records.begin() + t * V::record + V::res_offset;
      expected.insert(expected.end(), begin, begin + N * N);
    }
    EXPECT_TRUE(same_bits(res.get(), expected));
  }
}

TEST(CudaSinkhornKnopp, HasTheBitsOfBlock) {
  for (const double logits : {1.0, 300.0}) {
    expect_bits_of_block<Site<4, mhc::bf16>>(logits);
    expect_bits_of_block<Site<4, float>>(logits);
    expect_bits_of_block<Site<3, double>>(logits);
    expect_bits_of_block<Site<8, mhc::f16>>(logits);
  }
}

}  // namespace
