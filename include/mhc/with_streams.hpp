// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>
#include <utility>

#include <mhc/check.hpp>
#include <mhc/element.hpp>

MHC_NAMESPACE_BEGIN

/// Calls f(std::integral_constant<int, N>()) with the listed value N that equals `streams`, and
/// returns its result. This turns a number known at run time into a template argument; only the
/// listed values are compiled.
///
///   mhc::with_streams<1, 2, 4>(n, [&](auto streams) { train<streams()>(...); });
///
/// Throws std::invalid_argument if `streams` is not listed.
template <int First, int... Rest, class Function>
decltype(auto) with_streams(Index streams, Function&& f) {
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
