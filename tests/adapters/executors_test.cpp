// SPDX-License-Identifier: MIT
// The executors that need only the standard library and Eigen.
#include <mhc/adapters/eigen_thread_pool.hpp>
#include <mhc/adapters/thread_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <limits>
#include <new>
#include <thread>
#include <utility>

#include "../support/refused.hpp"
#include "executor_laws.hpp"

namespace {

using mhc::Index;

TEST(Ranges, AreWholeGrainsAndBalanced) {
  const mhc::detail::Ranges ranges(103, 10, 4);  // 11 grains: 3 3 3 2, the last one partial
  ASSERT_EQ(ranges.size(), 4);
  const Index begins[] = {0, 30, 60, 90};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ranges.begin(i), begins[i]);
  EXPECT_EQ(ranges.end(3), 103);
}

TEST(Ranges, HugeCountsDoNotOverflow) {
  const Index most = std::numeric_limits<Index>::max();
  const mhc::detail::Ranges ranges(most, 1, 64);
  EXPECT_EQ(ranges.begin(0), 0);
  EXPECT_EQ(ranges.end(63), most);
  for (int i = 0; i < 64; ++i) EXPECT_LT(ranges.begin(i), ranges.end(i));
}

TEST(Ranges, InvalidGrainCountsAsOne) {
  EXPECT_EQ(mhc::detail::Ranges(8, 0, 2).size(), 2);
  EXPECT_EQ(mhc::detail::Ranges(8, -3, 2).end(0), 4);
  EXPECT_EQ(mhc::detail::Ranges(0, 16, 2).size(), 0);
}

class ThreadPoolLaws : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolLaws, MeetsTheRequirements) {
  const mhc::ThreadPool pool(GetParam());
  EXPECT_EQ(pool.threads(), GetParam());
  mhc_test::expect_covers(pool);
  mhc_test::expect_passes_exceptions(pool);
  mhc_test::expect_nests(pool);
  mhc_test::expect_same_bits(pool);
  if (GetParam() > 1) mhc_test::expect_parallel(pool);
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolLaws, testing::Values(1, 2, 5));

TEST(ThreadPool, ServesTwoCallersAtOnce) {
  const mhc::ThreadPool pool(2);
  std::thread other([&] {
    for (int i = 0; i < 20; ++i) mhc_test::expect_covers(pool);
  });
  for (int i = 0; i < 20; ++i) mhc_test::expect_covers(pool);
  other.join();
}

TEST(ThreadPool, WakesSleepingThreads) {
  const mhc::ThreadPool pool(3);
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    mhc_test::expect_covers(pool);
  }
}

TEST(ThreadPool, RejectsZeroThreads) {
  EXPECT_REFUSED(mhc::ThreadPool(0), "mhc::ThreadPool: threads is 0, expected at least 1");
}

TEST(EigenThreadPool, MeetsTheRequirements) {
  Eigen::ThreadPool threads(2);
  const mhc::EigenThreadPool pool(threads);
  mhc_test::expect_covers(pool);
  mhc_test::expect_parallel(pool);
  mhc_test::expect_passes_exceptions(pool);
  mhc_test::expect_nests(pool);
  mhc_test::expect_same_bits(pool);
}

/// A pool that fails to allocate every second task.
class ScarcePool : public Eigen::ThreadPoolInterface {
 public:
  explicit ScarcePool(int threads) : threads_(threads) {}
  void Schedule(std::function<void()> task) override {
    if (++asked_ % 2 == 0) throw std::bad_alloc();
    threads_.Schedule(std::move(task));
  }
  int NumThreads() const override { return threads_.NumThreads(); }
  int CurrentThreadId() const override { return threads_.CurrentThreadId(); }
  int asked() const { return asked_; }

 private:
  Eigen::ThreadPool threads_;
  std::atomic<int> asked_{0};
};

TEST(EigenThreadPool, CallerRunsWhatCannotBeScheduled) {
  ScarcePool threads(3);
  const mhc::EigenThreadPool pool(threads);
  mhc_test::expect_covers(pool);
  mhc_test::expect_passes_exceptions(pool);
  mhc_test::expect_same_bits(pool);
  EXPECT_GT(threads.asked(), 3);
}

}  // namespace
