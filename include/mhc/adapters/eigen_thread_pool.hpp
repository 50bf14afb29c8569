// SPDX-License-Identifier: MIT
#pragma once

#include <unsupported/Eigen/CXX11/ThreadPool>

#include <mhc/adapters/ranges.hpp>

MHC_NAMESPACE_BEGIN

/// Eigen's ThreadPool (also TensorFlow's and OpenNN's) as an executor: one contiguous range of
/// whole grains for each of its threads and one for the caller, which waits for the others.
///
///   Eigen::ThreadPool pool(4);
///   block.prepare(x, u, saved, mhc::EigenThreadPool(pool));
///
/// A call from a thread of the pool does all the work on that thread, since waiting there could
/// deadlock. The first exception from f is rethrown after all ranges are done. Scheduling
/// allocates; the caller runs any range that cannot be scheduled.
class EigenThreadPool {
 public:
  explicit EigenThreadPool(Eigen::ThreadPoolInterface& pool) : pool_(&pool) {}

  template <class Function>
  void operator()(Index count, Index grain, Function&& f) const {
    const bool is_inside = pool_->CurrentThreadId() >= 0;
    const detail::Ranges ranges(count, grain, is_inside ? 1 : pool_->NumThreads() + 1);
    if (ranges.size() <= 1) {
      serial(count, grain, f);
      return;
    }
    detail::FirstFailure failure;
    Eigen::Barrier done(static_cast<unsigned>(ranges.size() - 1));
    const auto run = [&](int i) {
      failure.run([&] { f(ranges.begin(i), ranges.end(i), i); });
      done.Notify();
    };
    for (int i = 1; i < ranges.size(); ++i) {
      detail::FirstFailure scheduling;
      scheduling.run([&] { pool_->Schedule([&run, i] { run(i); }); });
      if (scheduling.is_taken()) run(i);
    }
    failure.run([&] { f(ranges.begin(0), ranges.end(0), 0); });
    done.Wait();
    failure.rethrow();
  }

 private:
  Eigen::ThreadPoolInterface* pool_;
};

MHC_NAMESPACE_END
