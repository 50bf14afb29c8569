// SPDX-License-Identifier: MIT
// Joint progress of many trainings: one line on a terminal, else a line every ten seconds.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <utility>

namespace language_model {

class SharedProgress {
 public:
  SharedProgress(std::string what, std::uint64_t steps, bool quiet)
      : what_(std::move(what)), steps_(steps), quiet_(quiet), terminal_(isatty(1) == 1) {}

  // Counts one step of any training; may be called from any thread.
  void operator()() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++done_;
    const double now = seconds();
    if (quiet_ || now - shown_ < (terminal_ ? 0.2 : 10.0)) return;
    shown_ = now;
    const double left = now / static_cast<double>(done_) * static_cast<double>(steps_ - done_);
    std::printf("%s%s: step %llu of %llu, %.0f s left%s", terminal_ ? "\r\033[K" : "",
                what_.c_str(), static_cast<unsigned long long>(done_),
                static_cast<unsigned long long>(steps_), left, terminal_ ? "" : "\n");
    std::fflush(stdout);
    drawn_ = terminal_;
  }

  // Prints the total time on a line of its own.
  void end() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (quiet_) return;
    std::printf("%s%s: %llu steps in %.0f s\n", drawn_ ? "\r\033[K" : "", what_.c_str(),
                static_cast<unsigned long long>(done_), seconds());
    std::fflush(stdout);
    drawn_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;

  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  std::string what_;
  std::uint64_t steps_, done_ = 0;
  bool quiet_, terminal_, drawn_ = false;
  double shown_ = -1e9;
  Clock::time_point begin_ = Clock::now();
  std::mutex mutex_;
};

}  // namespace language_model
