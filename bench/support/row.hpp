// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <type_traits>

#include <mhc/element.hpp>

#include "ceilings.hpp"
#include "work.hpp"

namespace mhc_bench {

/// A timed operation. For Sinkhorn-Knopp a token is a matrix and there are no channels.
struct Row {
  std::string op;
  int streams = 4;
  mhc::Index channels = 0;
  mhc::Index tokens = 1;
  std::string dtype = "f32";
  int threads = 1;
  int iterations = 20;
  std::string of = {};  ///< the other library of the operation, if not ours

  std::string name() const {
    std::string words = of + (of.empty() ? "" : "/") + op + "/n" + std::to_string(streams);
    if (channels > 0) {
      words += "/C" + std::to_string(channels);
    } else {
      words += "/k" + std::to_string(iterations);
    }
    return words + "/T" + std::to_string(tokens) + "/" + dtype + "/t" + std::to_string(threads);
  }
};

template <class Element>
const char* dtype() {
  return std::is_same_v<Element, float> ? "f32" : "bf16";
}

/// Medians, in seconds per token.
struct Times {
  double ours = 0;
  double plain = 0;
  double other = 0;  ///< 0 if absent
};

/// A row with its numbers.
struct Result {
  Row row;
  Work work;  ///< of all its tokens
  Times times;
  double least_seconds;  ///< of the roofline, for all its tokens

  double seconds() const { return times.ours * static_cast<double>(row.tokens); }
  double ns_per_token() const { return 1e9 * times.ours; }
  double naive_ratio() const { return times.plain / times.ours; }
  double roofline_fraction() const { return least_seconds / seconds(); }
  double gflops() const { return 1e-9 * work.flops / seconds(); }
  double gbytes_per_s() const { return 1e-9 * work.bytes / seconds(); }

  void print_json(std::FILE* file) const {
    std::fprintf(file,
                 R"({"name": "%s", "op": "%s", "streams": %d, "channels": %td, "tokens": %td, )"
                 R"("dtype": "%s", "threads": %d, "iterations": %d, "ns_per_token": %.6g, )"
                 R"("naive_ratio": %.4g, "roofline_fraction": %.4g, "gflops": %.4g, )"
                 R"("gbytes_per_s": %.4g, "other_ns_per_token": %.6g})"
                 "\n",
                 row.name().c_str(), row.op.c_str(), row.streams, row.channels, row.tokens,
                 row.dtype.c_str(), row.threads, row.iterations, ns_per_token(), naive_ratio(),
                 roofline_fraction(), gflops(), gbytes_per_s(), 1e9 * times.other);
    std::fflush(file);
  }
};

/// The least time that the machine needs: for arithmetic or for memory, whichever is longer.
/// Decoding only reads memory, everything else copies.
inline double roofline_seconds(const Ceilings& ceilings, const Row& row, const Work& work) {
  const double bytes_per_second = row.op == "decode"
                                      ? ceilings.bytes_read_per_second(row.threads)
                                      : ceilings.bytes_copied_per_second(row.threads, work.bytes);
  return std::max(work.flops / ceilings.flops_per_second(row.threads),
                  work.bytes / bytes_per_second);
}

}  // namespace mhc_bench
