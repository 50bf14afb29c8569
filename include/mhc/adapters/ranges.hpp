// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>

#include <mhc/check.hpp>
#include <mhc/executor.hpp>

MHC_NAMESPACE_BEGIN
namespace detail {

/// Splits [0, count) into at most `workers` contiguous ranges of whole grains.
class Ranges {
 public:
  Ranges(Index count, Index grain, int workers)
      : count_(std::max<Index>(count, 0)),
        grain_(std::max<Index>(grain, 1)),
        grains_(count_ / grain_ + (count_ % grain_ > 0 ? 1 : 0)),
        size_(static_cast<int>(std::min<Index>(grains_, (std::max)(workers, 1)))) {}

  int size() const { return size_; }
  Index begin(int i) const { return (std::min)(first_grain(i) * grain_, count_); }
  Index end(int i) const { return begin(i + 1); }

 private:
  /// The first grain of range i, computed without products that could overflow.
  Index first_grain(int i) const {
    return grains_ / size_ * i + std::min<Index>(grains_ % size_, i);
  }

  Index count_, grain_, grains_;
  int size_;
};

/// Stores the first exception of several threads, for the thread that waits for them.
class FirstFailure {
 public:
  template <class Function>
  void run(Function&& f) noexcept {
#if MHC_HAS_EXCEPTIONS
    try {
      f();
    } catch (...) {
      if (!is_taken_.exchange(true)) failure_ = std::current_exception();
    }
#else
    f();
#endif
  }

  bool is_taken() const {
    return is_taken_;
  }

  /// Rethrows the stored exception, if any. Call it after all threads are done.
  void rethrow() {
    if (is_taken_) std::rethrow_exception(failure_);
  }

 private:
  std::atomic<bool> is_taken_{false};
  std::exception_ptr failure_;
};

}  // namespace detail
MHC_NAMESPACE_END
