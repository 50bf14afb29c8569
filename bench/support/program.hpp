// SPDX-License-Identifier: MIT
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <mhc/adapters/thread_pool.hpp>

#include "ceilings.hpp"
#include "clock.hpp"
#include "options.hpp"
#include "row.hpp"

namespace mhc_bench {

/// The calls of one row. `verify` calls everything once, compares, and ends the program if
/// something differs. `plain` may do a slice of the row, successive slices in successive calls.
struct Calls {
  std::function<void()> ours;
  std::function<void()> plain;
  std::function<void()> other;  ///< a further comparison; mostly absent
  std::function<void()> verify;
  mhc::Index plain_tokens = 0;  ///< per call of `plain`; 0: all of the row
};

/// A benchmark program: rows are added, then run in that order by Google Benchmark.
class Program {
 public:
  Program(int argc, char** argv) : options_(parse_options(argc, argv)) {
    const int most = std::thread::hardware_concurrency() >= 2 ? 2 : 1;
    for (int threads = 1; threads <= most; ++threads) {
      pools_.push_back(std::make_unique<mhc::ThreadPool>(threads));
    }
    if (most == 1) std::fputs("mhc: no rows of two threads, there is one processor\n", stderr);
    ceilings_ =
        options_.ceilings.empty() ? Ceilings::measure(most) : Ceilings::read(options_.ceilings);
    if (!options_.rows) ceilings_.print(stderr);
  }

  bool quick() const { return options_.quick; }
  int most_threads() const { return static_cast<int>(pools_.size()); }
  const mhc::ThreadPool& pool(int threads) const {
    return *pools_[static_cast<std::size_t>(threads - 1)];
  }

  /// `prepare` makes the data and returns the calls; it is called when the row runs.
  void add(const Row& row, const Work& work, const std::function<Calls()>& prepare) {
    benchmark::RegisterBenchmark(
        row.name().c_str(),
        [this, row, work, prepare](benchmark::State& state) { time(state, row, work, prepare()); })
        ->Iterations(samples)
        ->UseManualTime();
  }

  int run() {
    if (options_.rows) {
      Silent silent;
      benchmark::RunSpecifiedBenchmarks(&silent);
    } else {
      benchmark::RunSpecifiedBenchmarks();
    }
    return 0;
  }

 private:
  static constexpr int samples = 7;
  static constexpr double sample_seconds = 4e-3;
  static constexpr double slow = 50e-3;  // a plain program this slow is sampled 3 times

  /// Suppresses Google Benchmark's output: rows are printed as they finish.
  struct Silent : benchmark::BenchmarkReporter {
    bool ReportContext(const Context& /*context*/) override { return true; }
    void ReportRuns(const std::vector<Run>& /*runs*/) override {}
  };

  /// One side of a comparison: its calls and its samples.
  struct Side {
    Side(const std::function<void()>& function, mhc::Index tokens_per_call)
        : call(function), tokens(tokens_per_call) {
      if (!call) return;
      const double once = seconds_per_call(call);
      calls = calls_that_last(sample_seconds, once);
      most = once > slow ? 3 : samples;
    }
    void sample() {
      if (call && static_cast<int>(seconds.size()) < most) {
        seconds.push_back(seconds_per_call(call, calls));
      }
    }
    double seconds_per_token() const {
      return call ? median(seconds) / static_cast<double>(tokens) : 0.0;
    }
    const std::function<void()>& call;
    mhc::Index tokens;
    long calls = 1;
    int most = samples;
    std::vector<double> seconds;
  };

  /// Ours and the others take turns, so that a slow phase of the machine affects all of them.
  void time(benchmark::State& state, const Row& row, const Work& work, const Calls& calls) const {
    calls.verify();
    Side ours(calls.ours, row.tokens);
    Side plain(calls.plain, calls.plain_tokens > 0 ? calls.plain_tokens : row.tokens);
    Side other(calls.other, row.tokens);
    ours.most = std::max(ours.most, 5);
    other.most = std::max(other.most, 5);
    for (auto _ : state) {
      ours.sample();
      other.sample();
      plain.sample();
      state.SetIterationTime(ours.seconds.back());
    }
    const Times times{ours.seconds_per_token(), plain.seconds_per_token(),
                      other.seconds_per_token()};
    const Result result{row, work, times, roofline_seconds(ceilings_, row, work)};
    state.counters["ns_per_token"] = result.ns_per_token();
    state.counters["naive_ratio"] = result.naive_ratio();
    state.counters["roofline_fraction"] = result.roofline_fraction();
    state.counters["gflops"] = result.gflops();
    state.counters["gbytes_per_s"] = result.gbytes_per_s();
    if (calls.other) state.counters["other_ratio"] = times.ours / times.other;
    if (options_.rows) result.print_json(stdout);
  }

  Options options_;
  std::vector<std::unique_ptr<mhc::ThreadPool>> pools_;
  Ceilings ceilings_;
};

}  // namespace mhc_bench
