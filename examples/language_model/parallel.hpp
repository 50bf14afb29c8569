// SPDX-License-Identifier: MIT
// A few threads that share out pieces of work.
//
//   workers(count, grain, f)  calls f(begin, end, worker) for [0, count) in pieces of `grain`.
//
// The pieces do not depend on the number of threads, only who takes which does. So code whose
// pieces write to different places, or add in the order of their own loop, gives the same bits for
// any number of threads. This is also the executor that mhc's functions take.
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
  using index = std::ptrdiff_t;

  explicit Workers(int threads) {
    for (int worker = 1; worker < threads; ++worker) {
      threads_.emplace_back([this, worker] { serve(worker); });
    }
  }

  ~Workers() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
      round_.fetch_add(1);
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }

  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int threads() const { return static_cast<int>(threads_.size()) + 1; }

  // Returns when all is done; an exception from a piece is thrown here. Not to be called from
  // inside f, nor from two threads.
  template <class F>
  void operator()(index count, index grain, F&& f) const {
    const index pieces = (count + grain - 1) / grain;
    auto piece = [&](index i, int worker) {
      f(i * grain, std::min((i + 1) * grain, count), worker);
    };
    if (threads_.empty() || pieces <= 1) {
      for (index i = 0; i < pieces; ++i) {
        piece(i, 0);
      }
      return;
    }
    run(pieces, &piece, [](void* context, index i, int worker) {
      (*static_cast<decltype(piece)*>(context))(i, worker);
    });
  }

 private:
  using Call = void (*)(void*, index, int);

  void run(index pieces, void* context, Call call) const {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      pieces_ = pieces;
      context_ = context;
      call_ = call;
      next_.store(0);
      busy_.store(static_cast<int>(threads_.size()));
      round_.fetch_add(1);
    }
    wake_.notify_all();
    take_pieces(0);
    // The others are at most one piece behind: not worth a sleep.
    while (busy_.load() != 0) {
      std::this_thread::yield();
    }
    if (failure_) {
      std::rethrow_exception(std::exchange(failure_, nullptr));
    }
  }

  void take_pieces(int worker) const {
    try {
      for (index i = next_.fetch_add(1); i < pieces_; i = next_.fetch_add(1)) {
        call_(context_, i, worker);
      }
    } catch (...) {
      next_.store(pieces_);
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!failure_) {
        failure_ = std::current_exception();
      }
    }
  }

  void serve(int worker) {
    for (unsigned seen = 0;;) {
      // A step has some hundred rounds: wait for the next one awake, some 50 us, before sleeping.
      for (int i = 0; i < 200 && round_.load() == seen; ++i) {
        std::this_thread::yield();
      }
      if (round_.load() == seen) {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return round_.load() != seen; });
      }
      seen = round_.load();
      if (stopping_) {
        return;
      }
      take_pieces(worker);
      busy_.fetch_sub(1);
    }
  }

  std::vector<std::thread> threads_;
  mutable std::mutex mutex_;
  mutable std::condition_variable wake_;
  mutable std::atomic<unsigned> round_{0};  // counts the calls of run()
  mutable std::atomic<index> next_{0};      // the first piece that nobody has taken
  mutable std::atomic<int> busy_{0};        // threads that have not finished this round
  mutable index pieces_ = 0;
  mutable void* context_ = nullptr;
  mutable Call call_ = nullptr;
  mutable std::exception_ptr failure_;
  bool stopping_ = false;
};

}  // namespace language_model
