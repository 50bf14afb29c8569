// SPDX-License-Identifier: MIT
// Many trainings in parallel. Each has one thread, so its curve does not depend, bit for bit, on
// how many run at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "curve_statistics.hpp"
#include "evaluation.hpp"
#include "parallel.hpp"
#include "text.hpp"
#include "trainer.hpp"

namespace language_model {

// The curve of one training, a value for each step done.
struct Curve {
  std::vector<double> loss;                  // nats per byte, of the step's batch
  std::vector<double> gradient_norm;         // before clipping
  std::optional<std::uint64_t> diverged_at;  // the step, from 1, whose gradient was not finite
};

// Trains to the end, or until the training diverges. Calls after(step) after each step.
template <class After>
Curve train_to_the_end(Trainer& trainer, After&& after) {
  Curve curve;
  try {
    while (!trainer.finished()) {
      const StepResult result = trainer.step();
      curve.loss.push_back(result.loss);
      curve.gradient_norm.push_back(result.gradient_norm);
      after(result.step);
    }
  } catch (const DivergenceError& error) {
    curve.diverged_at = error.step;
  }
  return curve;
}

// Calls run(i) for i = 0 .. count - 1, `threads` of them at a time.
template <class Run>
void run_side_by_side(std::size_t count, int threads, Run&& run) {
  const Workers side_by_side(threads);
  side_by_side(static_cast<Index>(count), 1, [&](Index begin, Index end, int) {
    for (Index i = begin; i < end; ++i) run(static_cast<std::size_t>(i));
  });
}

// The first `size` bytes of a text, or all of it.
inline Bytes beginning(const Bytes& text, std::size_t size) {
  return {text.begin(), text.begin() + static_cast<Index>(std::min(size, text.size()))};
}

}  // namespace language_model
