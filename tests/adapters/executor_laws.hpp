// SPDX-License-Identifier: MIT
// The requirements on every executor, as checks.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <vector>

#include <mhc/mhc.hpp>

#include "../support/random.hpp"

namespace mhc_test {

/// Every element of [0, count) is visited once, in nonempty ranges that begin at multiples of
/// grain.
template <class Executor>
void expect_covers(const Executor& exec) {
  for (const mhc::Index count : {0, 1, 2, 7, 16, 33, 257}) {
    for (const mhc::Index grain : {1, 4, 16, 1000}) {
      std::vector<std::atomic<int>> met(static_cast<std::size_t>(count));
      std::atomic<int> wrong{0};
      exec(count, grain, [&](mhc::Index begin, mhc::Index end, int worker) {
        if (begin < 0 || begin >= end || end > count || begin % grain != 0 || worker < 0) ++wrong;
        for (mhc::Index i = begin; i < end; ++i) ++met[static_cast<std::size_t>(i)];
      });
      EXPECT_EQ(wrong, 0) << count << " by " << grain;
      for (const auto& times : met) EXPECT_EQ(times, 1) << count << " by " << grain;
    }
  }
}

/// Ranges run concurrently: each of two waits until the other has begun.
template <class Executor>
void expect_parallel(const Executor& exec) {
  std::atomic<int> begun{0};
  exec(2, 1, [&](mhc::Index begin, mhc::Index end, int) {
    ASSERT_EQ(end - begin, 1) << "both elements went to one thread";
    ++begun;
    while (begun < 2) {
    }
  });
  EXPECT_EQ(begun, 2);
}

/// An exception from any range reaches the caller, and the executor remains usable.
template <class Executor>
void expect_passes_exceptions(const Executor& exec) {
  for (const mhc::Index bad : {0, 30, 63}) {
    const auto work = [&](mhc::Index begin, mhc::Index end, int) {
      if (begin <= bad && bad < end) throw std::runtime_error("one range failed");
    };
    EXPECT_THROW(exec(64, 1, work), std::runtime_error) << bad;
  }
  expect_covers(exec);
}

/// A nested call from inside f completes.
template <class Executor>
void expect_nests(const Executor& exec) {
  std::atomic<int> met{0};
  exec(8, 1, [&](mhc::Index begin, mhc::Index end, int) {
    for (mhc::Index i = begin; i < end; ++i) {
      exec(16, 1,
           [&](mhc::Index first, mhc::Index last, int) { met += static_cast<int>(last - first); });
    }
  });
  EXPECT_EQ(met, 8 * 16);
}

/// A block's forward and backward give the same bits as on one thread.
template <class Executor>
void expect_same_bits(const Executor& exec) {
  constexpr int n = 4;
  constexpr mhc::Index channels = 40;
  mhc::Parameters<n> parameters(channels);
  mhc::initialize(parameters, 1);
  parameters.alpha().setConstant(1.0F);
  const mhc::Block<n> block(parameters);
  for (const mhc::Index tokens : {1, 70}) {
    const auto x = random_streams<float>(tokens, n, channels, 2);
    const auto dx_next = random_streams<float>(tokens, n, channels, 3);
    const auto v = random_tokens<float>(tokens, channels, 4);
    const auto du = random_tokens<float>(tokens, channels, 5);
    const auto run = [&](const auto& executor) {
      mhc::Saved<n> saved(tokens);
      mhc::Saved<n> dsaved(tokens);
      mhc::Tokens<float> u(tokens, channels);
      mhc::Tokens<float> dv(tokens, channels);
      mhc::Streams<float> x_next(tokens, n, channels);
      mhc::Streams<float> dx(tokens, n, channels);
      mhc::Parameters<n> grads(channels);
      block.prepare(x, u, saved, executor);
      block.finish(x, v, saved, x_next, executor);
      block.finish_backward(x, v, saved, dx_next, dv, dsaved, executor);
      block.prepare_backward(x, saved, dx_next, du, dsaved, dx, grads, executor);
      std::vector<float> all(u.data(), u.data() + u.size());
      all.insert(all.end(), x_next.data(), x_next.data() + x_next.size());
      all.insert(all.end(), dv.data(), dv.data() + dv.size());
      all.insert(all.end(), dx.data(), dx.data() + dx.size());
      all.insert(all.end(), grads.span().begin(), grads.span().end());
      return all;
    };
    EXPECT_EQ(run(exec), run(mhc::serial)) << tokens << " tokens";
  }
}

}  // namespace mhc_test
