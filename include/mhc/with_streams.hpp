// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>
#include <utility>

#include <mhc/check.hpp>
#include <mhc/element.hpp>

MHC_NAMESPACE_BEGIN

/// Calls f(std::integral_constant<int, N>) for the one of the listed values that equals `streams`:
/// the step from a number in a file to a template argument. Only what is listed is compiled.
///
///   mhc::with_streams<1, 2, 4>(n, [&](auto streams) { train<streams()>(...); });
///
/// Returns what f returns. Throws std::invalid_argument if `streams` is not listed.
template <int First, int... Rest, class Function>
decltype(auto) with_streams(index streams, Function&& f) {
  if (streams == First) {
    return std::forward<Function>(f)(std::integral_constant<int, First>());
  }
  if constexpr (sizeof...(Rest) > 0) {
    return with_streams<Rest...>(streams, std::forward<Function>(f));
  } else {
    detail::refuse("with_streams", "the number of streams is ", streams,
                   ", which is not among the values this program was compiled for");
  }
}

MHC_NAMESPACE_END
