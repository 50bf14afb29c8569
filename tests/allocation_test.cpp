// SPDX-License-Identifier: MIT
// The calls allocate nothing: every form of operator new is counted, and Eigen, which uses malloc,
// asserts on allocation.

// Eigen's check is an assertion, so it must be enabled in every build type.
#undef NDEBUG
#define EIGEN_RUNTIME_NO_MALLOC

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>

#include <mhc/gated_residual.hpp>
#include <mhc/mhc.hpp>

#include "support/fill.hpp"
#include "support/kernel_instances.hpp"

namespace {

std::size_t allocations = 0;

// Not inlined: g++ would see malloc and free inside new and delete, and warn.
[[gnu::noinline]] void* allocate(std::size_t size) {
  ++allocations;
  return std::malloc(size > 0 ? size : 1);
}

[[gnu::noinline]] void* allocate(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto step = static_cast<std::size_t>(alignment);
  return std::aligned_alloc(step, (size / step + 1) * step);
}

[[gnu::noinline]] void release(void* memory) {
  std::free(memory);
}

void* or_abort(void* memory) {
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) {
  return or_abort(allocate(size));
}
void* operator new[](std::size_t size) {
  return or_abort(allocate(size));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return or_abort(allocate(size, alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return or_abort(allocate(size, alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size);
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(size, alignment);
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(size, alignment);
}
void operator delete(void* memory) noexcept {
  release(memory);
}
void operator delete[](void* memory) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  release(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  release(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  release(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  release(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  release(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  release(memory);
}
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  release(memory);
}
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  release(memory);
}

namespace {

using mhc::Index;

/// The number of allocations of a call.
template <class Call>
std::size_t allocations_of(Call&& call) {
  const std::size_t before = allocations;
  Eigen::internal::set_is_malloc_allowed(false);
  call();
  Eigen::internal::set_is_malloc_allowed(true);
  return allocations - before;
}

TEST(Allocation, OperatorNewIsCounted) {
  EXPECT_EQ(allocations_of([] { const mhc::Streams<float> x(2, 3, 4); }), 1u);
  EXPECT_EQ(allocations_of([] { const mhc::Tokens<mhc::bf16> u(2, 3); }), 1u);
  EXPECT_EQ(allocations_of([] { const mhc::Block<4>::Saved saved(2); }), 1u);
  EXPECT_EQ(allocations_of([] { const mhc::Block<4>::Parameters parameters(2); }), 1u);
  EXPECT_EQ(allocations_of([] { ::operator delete(::operator new(8)); }), 1u);
  EXPECT_EQ(allocations_of([] {}), 0u);
}

TEST(AllocationDeathTest, EigenAllocationAborts) {
  EXPECT_DEATH(allocations_of([] { const Eigen::MatrixXf matrix(4, 4); }), "malloc");
}

constexpr Index tokens = 13;
constexpr Index channels = 141;

template <class Block>
class BlockAllocation : public testing::Test {};
using Blocks = testing::Types<mhc::Block<4, float>, mhc::Block<4, double>, mhc::Block<4, mhc::bf16>,
                              mhc::Block<4, mhc::f16>, mhc::Block<1, float>, mhc::Block<8, float>,
                              mhc::Block<4, float, mhc::HyperConnections>,
                              mhc::Block<4, float, mhc::OrdinaryResidual>>;
struct Numbers {  // clang requires the third argument of TYPED_TEST_SUITE
  template <class>
  static std::string GetName(int i) {
    return std::to_string(i);
  }
};
TYPED_TEST_SUITE(BlockAllocation, Blocks, Numbers);

TYPED_TEST(BlockAllocation, FourCallsAllocateNothing) {
  using Number = typename TypeParam::ElementType;
  constexpr int n = TypeParam::streams;
  mhc_test::Random random(1);
  typename TypeParam::Parameters parameters(channels);
  typename TypeParam::Parameters grads(channels);
  mhc_test::fill(random, parameters.span().data, parameters.span().size);
  mhc::Streams<Number> x(tokens, n, channels);
  mhc::Streams<Number> x_next(tokens, n, channels);
  mhc::Streams<Number> dx(tokens, n, channels);
  mhc::Tokens<Number> u(tokens, channels);
  mhc::Tokens<Number> v(tokens, channels);
  mhc_test::fill(random, x.view());
  mhc_test::fill(random, v.view());
  typename TypeParam::Saved saved(tokens);
  typename TypeParam::Saved dsaved(tokens);

  EXPECT_EQ(allocations_of([&] { const TypeParam block(parameters); }), 0u);
  const TypeParam block(parameters);
  EXPECT_EQ(allocations_of([&] { block.prepare(x, u, saved); }), 0u);
  EXPECT_EQ(allocations_of([&] { block.finish(x, v, saved, x_next); }), 0u);
  EXPECT_EQ(allocations_of([&] { block.finish_backward(x, v, saved, x_next, u, dsaved); }), 0u);
  EXPECT_EQ(allocations_of([&] { block.prepare_backward(x, saved, x_next, u, dsaved, dx, grads); }),
            0u);
}

/// With large logits Sinkhorn-Knopp uses the log domain, for large and small parts of the batch.
TEST(SiteAllocation, LogDomainAllocatesNothing) {
  using Block = mhc::Block<4, float>;
  Block::Parameters parameters(channels);
  Block::Parameters grads(channels);
  for (Index i = 0; i < parameters.b().size(); ++i) parameters.b()(i) = i % 3 == 0 ? 1e4F : -1e4F;
  mhc::Streams<float> x(tokens, 4, channels);
  mhc::Streams<float> dx(tokens, 4, channels);
  mhc::Tokens<float> u(tokens, channels);
  mhc::Tokens<float> dv(tokens, channels);
  Block::Saved saved(tokens);
  Block::Saved dsaved(tokens);
  for (const auto& options :
       {mhc::families::Paper::options(), mhc::families::DeepSeekV4::options()}) {
    const Block block(parameters, options);
    EXPECT_EQ(allocations_of([&] {
                block.prepare(x, u, saved);
                block.finish_backward(x, u, saved, dx, dv, dsaved);
                block.prepare_backward(x, saved, {}, u, dsaved, dx, grads);
              }),
              0u);
  }
}

template <class Head>
class HeadAllocation : public testing::Test {};
template <class Element, int N>
struct OfHead {
  using Number = Element;
  using Head = mhc::Head<N, Element>;
};
using Heads =
    testing::Types<OfHead<float, 8>, OfHead<double, 1>, OfHead<mhc::bf16, 4>, OfHead<mhc::f16, 4>>;
TYPED_TEST_SUITE(HeadAllocation, Heads, Numbers);

TYPED_TEST(HeadAllocation, ForwardAndBackwardAllocateNothing) {
  using Number = typename TypeParam::Number;
  using Head = typename TypeParam::Head;
  constexpr int n = Head::streams;
  typename Head::Parameters parameters(channels);
  typename Head::Parameters grads(channels);
  mhc::Streams<Number> x(tokens, n, channels);
  mhc::Streams<Number> dx(tokens, n, channels);
  mhc::Tokens<Number> h(tokens, channels);
  typename Head::Saved saved(tokens);
  typename Head::Saved dsaved(tokens);
  const Head head(parameters);
  EXPECT_EQ(allocations_of([&] { head.forward(x, h, saved); }), 0u);
  EXPECT_EQ(allocations_of([&] { head.backward(x, saved, h, dsaved, dx, grads); }), 0u);

  EXPECT_EQ(allocations_of([&] {
              mhc::expand_repeat(h, x);
              mhc::expand_repeat_backward(x, h);
              mhc::expand_one_hot(h, x);
              mhc::expand_one_hot_backward(x, h);
              mhc::collapse_mean(x, h);
              mhc::collapse_mean_backward(h, x);
              mhc::collapse_sum(x, h);
              mhc::collapse_sum_backward(h, x);
            }),
            0u);
}

TEST(GatedResidualAllocation, FourCallsAndCollapseAllocateNothing) {
  using Site = mhc::GatedResidual<4, mhc::bf16>;
  using Collapse = mhc::GatedCollapse<4, mhc::bf16>;
  constexpr Index rank = 29;
  Site::Parameters parameters(channels, rank), grads(channels, rank);
  Collapse::Parameters of_collapse(channels, rank), collapse_grads(channels, rank);
  mhc::initialize(parameters, 1);
  mhc::initialize(of_collapse, 2);
  mhc::Streams<mhc::bf16> x(tokens, 4, channels), x_next(tokens, 4, channels);
  mhc::Streams<mhc::bf16> dx(tokens, 4, channels);
  mhc::Tokens<mhc::bf16> u(tokens, channels), v(tokens, channels);
  Site::Saved saved(tokens, rank), dsaved(tokens, rank);
  Collapse::Saved of_h(tokens, rank), dof_h(tokens, rank);
  EXPECT_EQ(allocations_of([&] {
              const Site site(parameters);
              site.prepare(x, u, saved);
              site.finish(x, v, saved, x_next);
              site.finish_backward(x, v, saved, x_next, u, dsaved);
              site.prepare_backward(x, saved, x_next, u, dsaved, dx, grads);
              const Collapse collapse(of_collapse);
              collapse.forward(x, u, of_h);
              collapse.backward(x, of_h, v, dof_h, dx, collapse_grads);
            }),
            0u);
}

template <int N, class Scalar>
void expect_no_allocation_in_sinkhorn_knopp() {
  mhc_test::Random random(2);
  mhc::Streams<Scalar> logits(tokens, N, N);
  mhc::Streams<Scalar> res(tokens, N, N);
  mhc::Streams<Scalar> dlogits(tokens, N, N);
  mhc_test::fill(random, logits.view());
  for (const int iterations : {1, 20, 5000}) {
    mhc::SinkhornKnoppOptions options;
    options.iterations = iterations;
    EXPECT_EQ(allocations_of([&] {
                mhc::sinkhorn_knopp<N>(logits, options, res);
                mhc::sinkhorn_knopp_backward<N>(logits, options, res, dlogits);
              }),
              0u);
  }
}

TEST(SinkhornKnoppAllocation, BatchAllocatesNothing) {
  expect_no_allocation_in_sinkhorn_knopp<1, double>();
  expect_no_allocation_in_sinkhorn_knopp<4, double>();
  expect_no_allocation_in_sinkhorn_knopp<8, float>();
}

TEST(Allocation, FusedCallsFewTokensAndRoundedPhiAllocateNothing) {
  using Block = mhc::Block<4>;
  const auto shared = [](Index count, Index /*grain*/, const auto& range) { range(0, count, 0); };
  Block::Parameters parameters(channels);
  mhc::initialize(parameters, 1);
  const Block block(parameters);
  const mhc::RoundedPhi<4> rounded(parameters);
  for (const Index some : {Index{2}, tokens}) {  // both are split over the threads
    mhc::Streams<float> x(some, 4, channels), x_next(some, 4, channels);
    mhc::Tokens<float> u(some, channels), v(some, channels);
    Block::Saved saved(some), next_saved(some);
    EXPECT_EQ(allocations_of([&] { block.prepare(x, u, saved, shared); }), 0u);
    EXPECT_EQ(allocations_of([&] {
                block.finish_and_prepare(x, v, saved, x_next, block, u, next_saved, shared);
              }),
              0u);
    EXPECT_EQ(allocations_of([&] { block.prepare_rounded(x, u, saved, rounded, shared); }), 0u);
  }
}

}  // namespace
