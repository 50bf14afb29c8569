// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/element.hpp>

MHC_NAMESPACE_BEGIN

/// How work is spread over threads. The library never starts one: every operation takes an
/// executor, any callable
///
///   exec(index count, index grain, f)      with      f(index begin, index end, int worker)
///
/// that calls f on disjoint ranges that cover [0, count) and returns when all of them are done.
/// `grain` is the length below which splitting costs more than it saves; ranges that are multiples
/// of it are fastest. No result depends on how the executor splits, not by one bit. If the executor
/// throws, the exception passes through; what was being assigned or accumulated is then
/// unspecified.
struct Serial {
  template <class Function>
  void operator()(index count, index /*grain*/, Function&& f) const {
    if (count > 0) f(index{0}, count, 0);
  }
};

/// The default executor: the calling thread does everything.
inline constexpr Serial serial{};

MHC_NAMESPACE_END
