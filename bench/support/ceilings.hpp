// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <mhc/adapters/thread_pool.hpp>
#include <mhc/storage.hpp>

#include "bandwidth.hpp"
#include "clock.hpp"
#include "peaks.hpp"

namespace mhc_bench {

/// The measured ceilings of this machine, by the number of threads. Copies are measured for working
/// sets of several sizes: a batch of one token stays in a cache, and its ceiling is that cache's.
class Ceilings {
 public:
  static Ceilings measure(int most_threads) {
    Ceilings all;
    Buffers buffers;
    for (int threads = 1; threads <= most_threads; ++threads) {
      const mhc::ThreadPool pool(threads);
      all.add(threads, "fma_gflops", 0, gflops(peaks::fma(), pool));
      if (const peaks::Peak dot = peaks::bf16_dot(); dot.run != nullptr) {
        all.add(threads, "bf16_dot_gflops", 0, gflops(dot, pool));
      }
      all.add(threads, "read_gbytes_per_s", largest / 2, buffers.read(pool));
      for (mhc::Index bytes = smallest; bytes <= largest; bytes *= 2) {
        all.add(threads, "copy_gbytes_per_s", bytes, buffers.copy(bytes, pool));
      }
    }
    return all;
  }

  /// Reads what `print` wrote; ends the program with an error if there is none.
  static Ceilings read(const std::string& path) {
    Ceilings all;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      Record record{};
      char name[32] = {};
      if (std::sscanf(line.c_str(),  // NOLINT: what `print` wrote, the same format
                      R"( {"threads": %d, "ceiling": "%31[^"]", "bytes": %td, "value": %lf})",
                      &record.threads, name, &record.bytes, &record.value) == 4) {
        record.name = name;
        all.records_.push_back(record);
      }
    }
    if (all.records_.empty()) {
      std::fprintf(stderr, "mhc: there are no ceilings in %s\n", path.c_str());
      std::exit(1);
    }
    return all;
  }

  /// A line of JSON for each.
  void print(std::FILE* file) const {
    for (const Record& record : records_) {
      std::fprintf(file,
                   R"({"threads": %d, "ceiling": "%s", "bytes": %td, "value": %.6g})"
                   "\n",
                   record.threads, record.name.c_str(), record.bytes, record.value);
    }
  }

  double flops_per_second(int threads) const { return 1e9 * find("fma_gflops", threads, 0); }
  double bytes_read_per_second(int threads) const {
    return 1e9 * find("read_gbytes_per_s", threads, static_cast<double>(largest));
  }
  /// For a working set of `bytes`.
  double bytes_copied_per_second(int threads, double bytes) const {
    return 1e9 * find("copy_gbytes_per_s", threads, bytes);
  }

 private:
  static constexpr mhc::Index smallest = mhc::Index{1} << 17;
  static constexpr mhc::Index largest = mhc::Index{1} << 28;
  static constexpr int samples = 7;
  static constexpr double sample_seconds = 1e-3;

  struct Record {
    int threads;
    std::string name;
    mhc::Index bytes;
    double value;
  };

  static double gflops(const peaks::Peak& peak, const mhc::ThreadPool& pool) {
    constexpr long rounds = 100000;
    const double seconds = least_seconds(
        [&] {
          pool(pool.threads(), 1,
               [&](mhc::Index, mhc::Index, int) { benchmark::DoNotOptimize(peak.run(rounds)); });
        },
        samples, 10 * sample_seconds);
    return 1e-9 * rounds * peak.flops * pool.threads() / seconds;
  }

  struct Buffers {
    // As the streams are stored: the same alignment, the same kind of pages.
    static constexpr mhc::Index count = largest / 2 / static_cast<mhc::Index>(sizeof(float));
    mhc::Storage<float> from{static_cast<std::size_t>(count)};
    mhc::Storage<float> to{static_cast<std::size_t>(count)};

    double copy(mhc::Index bytes, const mhc::ThreadPool& pool) {
      double seconds = std::numeric_limits<double>::infinity();
      for (const bandwidth::Copy way : bandwidth::copies()) {
        const auto call = [&] {
          pool(bytes / 2 / static_cast<mhc::Index>(sizeof(float)), 32,
               [&](mhc::Index begin, mhc::Index end, int) {
                 way(from.data() + begin, to.data() + begin, end - begin);
               });
        };
        seconds = std::min(seconds, least_seconds(call, samples, sample_seconds));
      }
      return 1e-9 * static_cast<double>(bytes) / seconds;
    }

    double read(const mhc::ThreadPool& pool) const {
      double seconds = std::numeric_limits<double>::infinity();
      for (const bandwidth::Read way : bandwidth::reads()) {
        const auto call = [&] {
          pool(count, 1024, [&](mhc::Index begin, mhc::Index end, int) {
            benchmark::DoNotOptimize(way(from.data() + begin, end - begin));
          });
        };
        seconds = std::min(seconds, least_seconds(call, samples, sample_seconds));
      }
      return 1e-9 * static_cast<double>(count) * sizeof(float) / seconds;
    }
  };

  /// More threads can do what fewer can, even if other work disturbed their measurement.
  void add(int threads, const char* name, mhc::Index bytes, double value) {
    for (const Record& record : records_) {
      if (record.name == name && record.bytes == bytes) value = std::max(value, record.value);
    }
    records_.push_back({threads, name, bytes, value});
  }

  /// Of the largest size that is not above `bytes`.
  double find(const std::string& name, int threads, double bytes) const {
    const Record* best = nullptr;
    for (const Record& record : records_) {
      if (record.name != name || record.threads != threads) continue;
      if (best == nullptr || static_cast<double>(record.bytes) <= bytes) best = &record;
    }
    if (best == nullptr) {
      std::fprintf(stderr, "mhc: no %s was measured for %d threads\n", name.c_str(), threads);
      std::exit(1);
    }
    return best->value;
  }

  std::vector<Record> records_;
};

}  // namespace mhc_bench
