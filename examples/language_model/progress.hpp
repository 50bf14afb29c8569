// SPDX-License-Identifier: MIT
// A progress line that is redrawn in place; if the output is not a terminal, a line now and then.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>

namespace language_model {

class Progress {
 public:
  Progress(std::uint64_t done, std::uint64_t steps, std::ptrdiff_t bytes_per_step, bool quiet)
      : first_(done),
        steps_(steps),
        bytes_per_step_(static_cast<double>(bytes_per_step)),
        quiet_(quiet),
        terminal_(isatty(STDOUT_FILENO) == 1),
        begin_(Clock::now()) {}

  // After each step; `loss` in bits per byte is shown smoothed.
  void show(std::uint64_t step, double loss) {
    smooth_ = smooth_ == 0 ? loss : 0.95 * smooth_ + 0.05 * loss;
    const double now = seconds();
    const bool last = step == steps_;
    if (quiet_ || (!last && now - shown_ < (terminal_ ? 0.1 : 10.0))) return;
    shown_ = now;
    constexpr int width = 24;
    const int filled = static_cast<int>(width * step / steps_);
    const double left =
        now / static_cast<double>(step - first_) * static_cast<double>(steps_ - step);
    std::printf(
        "%s[%s%s] %llu/%llu  %.3f bits/byte  %.1f kB/s  %s left%s", terminal_ ? "\r\033[K" : "",
        std::string(static_cast<std::size_t>(filled), '=').c_str(),
        std::string(static_cast<std::size_t>(width - filled), ' ').c_str(),
        static_cast<unsigned long long>(step), static_cast<unsigned long long>(steps_), smooth_,
        bytes_per_second(step) / 1000, clock_text(left).c_str(), terminal_ ? "" : "\n");
    std::fflush(stdout);
    drawn_ = terminal_;
  }

  // Ends the line.
  void end() {
    if (drawn_) std::printf("\n");
    drawn_ = false;
  }

  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  double bytes_per_second(std::uint64_t step) const {
    return static_cast<double>(step - first_) * bytes_per_step_ / seconds();
  }

 private:
  using Clock = std::chrono::steady_clock;

  static std::string clock_text(double seconds) {
    const auto total = static_cast<long long>(std::ceil(seconds));
    const std::string s = std::to_string(total % 60);
    return std::to_string(total / 60) + (s.size() == 1 ? ":0" : ":") + s;
  }

  std::uint64_t first_, steps_;
  double bytes_per_step_;
  bool quiet_, terminal_, drawn_ = false;
  double smooth_ = 0;
  double shown_ = -1e9;
  Clock::time_point begin_;
};

}  // namespace language_model
