// SPDX-License-Identifier: MIT
// A few threads that split work into pieces.
//
//   workers(count, grain, f)  calls f(begin, end, worker) for [0, count) in pieces of `grain`.
//
// The pieces do not depend on the number of threads, only their assignment does. So code whose
// pieces write to different places, or add in the order of their own loop, gives the same bits for
// any number of threads. Workers is also an executor for mhc's functions.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace language_model {

class Workers {
 public:
  using Index = std::ptrdiff_t;

  explicit Workers(int threads) {
    for (int worker = 1; worker < threads; ++worker) {
      threads_.emplace_back([this, worker] { serve(worker); });
    }
  }

  ~Workers() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
      ++round_;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int threads() const { return static_cast<int>(threads_.size()) + 1; }

  // Returns when all is done, and rethrows an exception from a piece. Must not be called from
  // inside f or from two threads.
  template <class F>
  void operator()(Index count, Index grain, F&& f) const {
    const Index pieces = (count + grain - 1) / grain;
    auto piece = [&](Index i, int worker) {
      f(i * grain, std::min((i + 1) * grain, count), worker);
    };
    if (threads_.empty() || pieces <= 1) {
      for (Index i = 0; i < pieces; ++i) {
        piece(i, 0);
      }
      return;
    }
    run(pieces, &piece, [](void* context, Index i, int worker) {
      (*static_cast<decltype(piece)*>(context))(i, worker);
    });
  }

 private:
  using Call = void (*)(void*, Index, int);

  // With some hundred rounds in a step, sleeping costs more than spinning for some 300 us.
  static constexpr int patience = 1000;

  void run(Index pieces, void* context, Call call) const {
    std::unique_lock<std::mutex> lock(mutex_);
    next_ = 0;
    pieces_ = pieces;
    context_ = context;
    call_ = call;
    ++round_;
    wake_.notify_all();
    take_pieces(lock, 0);
    // Waits only for threads that have taken a piece, not for those still asleep.
    for (int i = 0; i < patience && running_ > 0; ++i) {
      lock.unlock();
      std::this_thread::yield();
      lock.lock();
    }
    done_.wait(lock, [&] { return running_ == 0; });
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  void take_pieces(std::unique_lock<std::mutex>& lock, int worker) const {
    while (next_ < pieces_) {
      const Index i = next_++;
      ++running_;
      lock.unlock();
      std::exception_ptr failure;
      try {
        call_(context_, i, worker);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      if (failure) {
        next_ = pieces_;
        if (!failure_) failure_ = failure;
      }
      if (--running_ == 0) done_.notify_one();
    }
  }

  void serve(int worker) {
    for (unsigned seen = 0;;) {
      for (int i = 0; i < patience && round_.load() == seen; ++i) std::this_thread::yield();
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return round_.load() != seen; });
      seen = round_.load();
      if (stopping_) return;
      take_pieces(lock, worker);
    }
  }

  std::vector<std::thread> threads_;
  mutable std::mutex mutex_;  // guards all below
  mutable std::condition_variable wake_, done_;
  mutable std::atomic<unsigned> round_{0};  // counts the calls; read without the mutex too
  mutable Index next_ = 0;                  // the next piece to take
  mutable Index pieces_ = 0;
  mutable int running_ = 0;  // pieces in progress
  mutable void* context_ = nullptr;
  mutable Call call_ = nullptr;
  mutable std::exception_ptr failure_;
  bool stopping_ = false;
};

}  // namespace language_model
