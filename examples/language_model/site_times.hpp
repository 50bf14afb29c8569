// SPDX-License-Identifier: MIT
// The times of a site's parts. If off, each part costs one comparison with null.
#pragma once

#include <chrono>

namespace language_model {

// Seconds, added up.
struct SiteTimes {
  double prepare = 0, sublayer = 0, finish = 0;
  double finish_backward = 0, sublayer_backward = 0, prepare_backward = 0;
};

class Laps {
 public:
  explicit Laps(SiteTimes* times) : times_(times) {
    if (times_ != nullptr) begin_ = Clock::now();
  }

  // Adds the time since the last call.
  void end(double SiteTimes::*part) {
    if (times_ == nullptr) return;
    const auto now = Clock::now();
    times_->*part += std::chrono::duration<double>(now - begin_).count();
    begin_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;
  SiteTimes* times_;
  Clock::time_point begin_;
};

}  // namespace language_model
