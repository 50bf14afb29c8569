// SPDX-License-Identifier: MIT
#pragma once

#include <sstream>
#include <stdexcept>

namespace report::detail {

/// Throws std::invalid_argument with the sentence "<function>: <parts...>".
template <class... Parts>
[[noreturn]] void refuse(const char* function, const Parts&... parts) {
  std::ostringstream sentence;
  sentence << function << ": ";
  (sentence << ... << parts);
  throw std::invalid_argument(sentence.str());
}

}  // namespace report::detail
