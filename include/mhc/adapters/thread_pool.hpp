// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <mhc/adapters/ranges.hpp>
#include <mhc/check.hpp>

MHC_NAMESPACE_BEGIN

/// An executor with its own threads, for programs that have no pool: each thread, the caller
/// included, gets one contiguous range of whole grains.
///
///   const mhc::ThreadPool pool(4);
///   block.prepare(x, u, saved, pool);
///
/// Threads spin for about 50 us before they sleep, so back-to-back calls start in less than a
/// microsecond. If the pool is busy, with a call from another thread or the one that runs f, a call
/// does all of its work on its own thread. The first exception from f is rethrown after all ranges
/// are done.
class ThreadPool {
 public:
  /// Starts threads - 1 threads. Throws std::invalid_argument if threads < 1.
  explicit ThreadPool(int threads) : ThreadPool() {  // delegates, so that a throw below joins
    if (threads < 1) {
      detail::refuse("ThreadPool", "threads is ", threads, ", expected at least 1");
    }
    for (int worker = 1; worker < threads; ++worker) {
      threads_.emplace_back([this, worker] { serve(worker); });
    }
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() {
    stopping_ = true;
    start();
    for (std::thread& thread : threads_) thread.join();
  }

  int threads() const { return static_cast<int>(threads_.size()) + 1; }

  template <class Function>
  void operator()(Index count, Index grain, Function&& f) const {
    const detail::Ranges ranges(count, grain, threads());
    if (ranges.size() <= 1 || busy_.exchange(true, std::memory_order_acquire)) {
      serial(count, grain, f);
      return;
    }
    detail::FirstFailure failure;
    auto part = [&](int worker) {
      if (worker >= ranges.size()) return;
      failure.run([&] { f(ranges.begin(worker), ranges.end(worker), worker); });
    };
    context_ = std::addressof(part);
    call_ = [](void* context, int worker) { (*static_cast<decltype(part)*>(context))(worker); };
    running_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
    start();
    part(0);
    for (int i = 0; running_.load(std::memory_order_acquire) > 0; ++i) wait_awake(i);
    busy_.store(false, std::memory_order_release);
    failure.rethrow();
  }

 private:
  ThreadPool() = default;

  static constexpr int patience = 2000;

  /// Spins, and after `patience` iterations yields: other threads may share this core.
  static void wait_awake(int i) {
#if defined(__x86_64__)
    if (i < patience) {
      __builtin_ia32_pause();
      return;
    }
#endif
    if (i >= 0) std::this_thread::yield();
  }

  // Either this sees the sleeping thread, or that thread sees the new round before it sleeps.
  void start() const {
    ++round_;
    if (sleeping_ == 0) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    wake_.notify_all();
  }

  void serve(int worker) const {
    for (std::uint32_t seen = 0;;) {
      for (int i = 0; i < patience && round_ == seen; ++i) wait_awake(i);
      if (round_ == seen) {
        std::unique_lock<std::mutex> lock(mutex_);
        ++sleeping_;
        wake_.wait(lock, [&] { return round_ != seen; });
        --sleeping_;
      }
      seen = round_;
      if (stopping_) return;
      call_(context_, worker);
      running_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::vector<std::thread> threads_;
  mutable std::mutex mutex_;
  mutable std::condition_variable wake_;
  mutable std::atomic<bool> busy_{false};
  mutable std::atomic<std::uint32_t> round_{0};  // the number of calls
  mutable std::atomic<int> sleeping_{0};
  mutable std::atomic<int> running_{0};  // threads still working on this round
  mutable void* context_ = nullptr;      // written before round_, read after it
  mutable void (*call_)(void*, int) = nullptr;
  std::atomic<bool> stopping_{false};
};

MHC_NAMESPACE_END
