// SPDX-License-Identifier: MIT
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// EXPECT_REFUSED(call, parts...): the call throws std::invalid_argument with a sentence that
// contains all the parts in order; EXPECT_FILE_REFUSED: the same with std::runtime_error. Without
// exceptions, the call prints the sentence and aborts.

namespace mhc_test {

MATCHER_P(SaysInOrder, parts, "a sentence with " + testing::PrintToString(parts)) {
  std::size_t from = 0;
  for (const std::string& part : parts) {
    const std::size_t at = arg.find(part, from);
    if (at == std::string::npos) {
      *result_listener << "where \"" << part << "\" is missing";
      return false;
    }
    from = at + part.size();
  }
  return true;
}

template <class... Parts>
testing::Matcher<const std::string&> says(Parts... parts) {
  return SaysInOrder(std::vector<std::string>{std::string(parts)...});
}

#if defined(__cpp_exceptions)
inline constexpr bool exceptions = true;

template <class Error = std::invalid_argument, class Call>
std::string refusal(Call&& call) {
  try {
    std::forward<Call>(call)();
  } catch (const Error& error) {
    return error.what();
  }
  return "(it was accepted)";
}

#define EXPECT_REFUSED(call, ...) \
  EXPECT_THAT(::mhc_test::refusal([&] { call; }), ::mhc_test::says(__VA_ARGS__))
#define EXPECT_FILE_REFUSED(call, ...)                                \
  EXPECT_THAT(::mhc_test::refusal<std::runtime_error>([&] { call; }), \
              ::mhc_test::says("mhc::checkpoint: ", __VA_ARGS__))
#else
inline constexpr bool exceptions = false;

#define EXPECT_REFUSED(call, ...) EXPECT_DEATH(call, ::mhc_test::says(__VA_ARGS__))
#define EXPECT_FILE_REFUSED(call, ...) \
  EXPECT_DEATH(call, ::mhc_test::says("mhc::checkpoint: ", __VA_ARGS__))
#endif

}  // namespace mhc_test
