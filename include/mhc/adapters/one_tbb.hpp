// SPDX-License-Identifier: MIT
#pragma once

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <mhc/executor.hpp>

MHC_NAMESPACE_BEGIN

/// oneTBB as an executor, in the caller's arena:
///
///   block.prepare(x, u, saved, mhc::OneTbb());
///   arena.execute([&] { block.prepare(x, u, saved, mhc::OneTbb()); });
///
/// An exception from f cancels the ranges that have not begun and is rethrown.
struct OneTbb {
  template <class Function>
  void operator()(Index count, Index grain, Function&& f) const {
    const Index step = grain > 0 ? grain : 1;
    const Index grains = count / step + (count % step > 0 ? 1 : 0);  // ranges begin at whole grains
    tbb::parallel_for(tbb::blocked_range<Index>(0, grains),
                      [&](const tbb::blocked_range<Index>& range) {
                        f(range.begin() * step, range.end() < grains ? range.end() * step : count,
                          tbb::this_task_arena::current_thread_index());
                      });
  }
};

MHC_NAMESPACE_END
