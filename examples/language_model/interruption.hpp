// SPDX-License-Identifier: MIT
// SIGINT (Ctrl-C) and SIGTERM as a flag that is checked between steps.
#pragma once

#include <csignal>

namespace language_model {

namespace detail {
inline volatile std::sig_atomic_t interrupted_by = 0;
}

// Installs the handlers. A second signal ends the program at once.
inline void watch_for_interruption() {
  detail::interrupted_by = 0;
  for (const int watched : {SIGINT, SIGTERM}) {
    std::signal(watched, [](int received) {
      detail::interrupted_by = received;
      std::signal(received, SIG_DFL);
    });
  }
}

// The signal, or 0.
inline int interruption() {
  return detail::interrupted_by;
}

}  // namespace language_model
