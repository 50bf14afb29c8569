// SPDX-License-Identifier: MIT
#pragma once

#if !defined(_OPENMP)
#error "mhc/adapters/openmp.hpp: compile with OpenMP (-fopenmp)"
#endif
#include <omp.h>

#include <mhc/adapters/ranges.hpp>

MHC_NAMESPACE_BEGIN

/// OpenMP as an executor: one contiguous range of whole grains for each thread of a parallel
/// region.
///
///   block.prepare(x, u, saved, mhc::OpenMp());      // OpenMP's default number of threads
///   block.prepare(x, u, saved, mhc::OpenMp{2});
///
/// Inside an active parallel region the calling thread does all the work, unless nested parallelism
/// is enabled. The first exception from f is rethrown after all ranges are done.
struct OpenMp {
  int threads = 0;  ///< 0: omp_get_max_threads()

  template <class Function>
  void operator()(Index count, Index grain, Function&& f) const {
    const bool is_nested = omp_get_active_level() >= omp_get_max_active_levels();
    const int wanted = is_nested ? 1 : threads > 0 ? threads : omp_get_max_threads();
    const detail::Ranges ranges(count, grain, wanted);
    if (ranges.size() <= 1) {
      serial(count, grain, f);
      return;
    }
    detail::FirstFailure failure;
    // A team may be smaller than requested, so the loop is over ranges, not threads.
#pragma omp parallel for schedule(static) num_threads(ranges.size())
    for (int i = 0; i < ranges.size(); ++i) {
      failure.run([&] { f(ranges.begin(i), ranges.end(i), omp_get_thread_num()); });
    }
    failure.rethrow();
  }
};

MHC_NAMESPACE_END
