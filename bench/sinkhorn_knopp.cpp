// SPDX-License-Identifier: MIT
// Sinkhorn-Knopp over a batch of n x n matrices, forward and backward, against the loop one would
// write with fixed-size Eigen matrices. Times are per matrix.
#include "sinkhorn_knopp_calls.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "support/fill.hpp"
#include "support/plain_eigen.hpp"
#include "support/program.hpp"
#include "support/verify.hpp"
#include "support/work.hpp"

namespace mhc_bench {
namespace {

// Relative to the largest value in the batch: 100 iterations of rounding, in two orders.
constexpr double tolerance = 1e-5;
constexpr double backward_tolerance = 1e-4;

// The plain loop does one matrix after the other: a slice of a long batch takes the same time per
// matrix, and successive slices read the same memory.
constexpr mhc::Index slice = 1024;

template <int N>
struct Batch {
  explicit Batch(mhc::Index count_)
      : count(count_),
        logits(static_cast<std::size_t>(count * N * N)),
        dres(logits.size()),
        ours(logits.size()),
        plain(logits.size()) {
    fill(logits.data(), count * N * N, 1);
    fill(dres.data(), count * N * N, 2);
  }

  /// Compares the first and the last slice.
  template <class Plain>
  void verify(const std::string& row, double most, Plain&& run_plain) {
    const mhc::Index size = std::min(count, slice);
    for (const mhc::Index begin : {mhc::Index{0}, count - size}) {
      run_plain(begin, size);
      require_close(row, "the result", ours.data() + begin * N * N, plain.data() + begin * N * N,
                    size * N * N, most);
    }
  }

  mhc::Index count;
  std::vector<float> logits, dres, ours, plain;
};

template <int N>
void add_rows(Program& program, mhc::Index count, int iterations, bool backward) {
  const Row row{
      backward ? "sinkhorn_backward" : "sinkhorn_forward", N, 0, count, "f32", 1, iterations};
  const Work work = backward ? sinkhorn_backward_work(N, iterations, count)
                             : sinkhorn_forward_work(N, iterations, count);
  const bool both_builds = iterations == 20 && count == 1024;
  program.add(row, work, [=] {
    const auto batch = std::make_shared<Batch<N>>(count);
    const auto ours = [=](const SinkhornKnoppCalls& calls) {
      if (backward) {
        calls.backward(batch->logits.data(), batch->dres.data(), count, iterations,
                       batch->ours.data());
      } else {
        calls.forward(batch->logits.data(), count, iterations, batch->ours.data());
      }
    };
    const auto plain = [=](mhc::Index begin, mhc::Index size) {
      const float* logits = batch->logits.data() + begin * N * N;
      float* result = batch->plain.data() + begin * N * N;
      if (backward) {
        plain_eigen::sinkhorn_backward<N>(logits, batch->dres.data() + begin * N * N, size,
                                          iterations, result);
      } else {
        plain_eigen::sinkhorn_forward<N>(logits, size, iterations, result);
      }
    };
    Calls calls;
    calls.ours = [=, all = baseline::sinkhorn_knopp_calls<N>()] { ours(all); };
    if (both_builds) {
      calls.other = [=, all = native::sinkhorn_knopp_calls<N>()] { ours(all); };
    }
    calls.plain_tokens = std::min(count, slice);
    calls.plain = [=, begin = mhc::Index{0}]() mutable {
      plain(begin, std::min(count, slice));
      begin = (begin + slice) % std::max(count, slice);
    };
    calls.verify = [=, run = calls.ours] {
      run();
      batch->verify(row.name(), backward ? backward_tolerance : tolerance, plain);
    };
    return calls;
  });
}

template <int N>
void add_rows(Program& program) {
  const auto all_iterations =
      program.quick() ? std::vector<int>{20} : std::vector<int>{1, 5, 10, 20, 50, 100};
  for (const int iterations : all_iterations) {
    for (const mhc::Index count : {1, 16, 1024, 65536}) {
      for (const bool backward : {false, true}) {
        add_rows<N>(program, count, iterations, backward);
      }
    }
  }
}

}  // namespace
}  // namespace mhc_bench

int main(int argc, char** argv) {
  mhc_bench::Program program(argc, argv);
  mhc_bench::add_rows<2>(program);
  mhc_bench::add_rows<4>(program);
  mhc_bench::add_rows<8>(program);
  mhc_bench::add_rows<16>(program);
  return program.run();
}
