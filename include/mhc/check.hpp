// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>

#include <mhc/version.hpp>

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define MHC_HAS_EXCEPTIONS 1
#else
#define MHC_HAS_EXCEPTIONS 0
#endif

// How errors are reported. By default they are thrown; if exceptions are disabled, the sentence is
// printed and the program aborts. Define MHC_THROW(exception) before the first include to change
// it.
#ifndef MHC_THROW
#if MHC_HAS_EXCEPTIONS
#define MHC_THROW(exception) throw exception
#else
#define MHC_THROW(exception)                          \
  do {                                                \
    std::fprintf(stderr, "%s\n", (exception).what()); \
    std::abort();                                     \
  } while (false)
#endif
#endif

MHC_NAMESPACE_BEGIN
namespace detail {

#if defined(__GNUC__)
#define MHC_COLD __attribute__((noinline, cold))
#else
#define MHC_COLD
#endif

/// Throws std::invalid_argument with the sentence "mhc::<function>: <parts...>".
template <class... Parts>
[[noreturn]] MHC_COLD void refuse(const char* function, const Parts&... parts) {
  std::ostringstream sentence;
  sentence << "mhc::" << function << ": ";
  (sentence << ... << parts);
  MHC_THROW(std::invalid_argument(sentence.str()));
  std::abort();  // reached only if a user's MHC_THROW returns
}

/// Throws std::runtime_error with the sentence "mhc::<function>: <path>: <parts...>".
template <class... Parts>
[[noreturn]] MHC_COLD void refuse_file(const char* function, const std::string& path,
                                       const Parts&... parts) {
  std::ostringstream sentence;
  sentence << "mhc::" << function << ": " << path << ": ";
  (sentence << ... << parts);
  MHC_THROW(std::runtime_error(sentence.str()));
  std::abort();  // reached only if a user's MHC_THROW returns
}

}  // namespace detail
MHC_NAMESPACE_END
