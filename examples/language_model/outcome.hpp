// SPDX-License-Identifier: MIT
// The results of a run: the table at its end.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "evaluation.hpp"
#include "language_model.hpp"

namespace language_model {

inline double bits(double nats) {
  return nats / std::log(2.0);
}

struct Outcome {
  double train = 0;  // bits per byte
  Evaluation validation;
  double gzip_whole = 0, gzip_validation = 0;  // bits per byte
  double gradient_norm = 0;                    // of the last step, if steps_now > 0
  double largest_gradient_norm = 0;
  mhc::Gains gain;
  bool has_prediction_module = false;
  std::uint64_t steps = 0;
  double bytes = 0;                          // trained on, counting repetitions
  std::uint64_t steps_now = 0;               // since the run began or was resumed
  double seconds = 0, bytes_per_second = 0;  // of steps_now
  std::size_t parameters = 0;
};

// As text: names and values.
inline std::vector<std::pair<std::string, std::string>> lines_of(const Outcome& o) {
  std::vector<std::pair<std::string, std::string>> lines;
  const auto add = [&](const char* name, const char* format, auto... values) {
    std::string text(static_cast<std::size_t>(std::snprintf(nullptr, 0, format, values...)), ' ');
    std::snprintf(text.data(), text.size() + 1, format, values...);
    lines.emplace_back(name, text);
  };
  add("bits per byte", "validation %.3f   train %.3f", o.validation.bits_per_byte, o.train);
  if (o.has_prediction_module) {
    add("one byte further", "validation %.3f   %.1f%% of its guesses accepted",
        o.validation.further_bits_per_byte, 100 * o.validation.acceptance);
  }
  add("gzip -9 needs", "%.3f for the validation text alone, %.3f for the whole text",
      o.gzip_validation, o.gzip_whole);
  add("composite gain", "forward %.3f   backward %.3f", o.gain.forward, o.gain.backward);
  if (o.steps_now > 0) {
    add("gradient norm", "last %.3f   largest %.3f", o.gradient_norm, o.largest_gradient_norm);
  } else {
    add("gradient norm", "largest %.3f", o.largest_gradient_norm);
  }
  std::string loads;
  for (Index l = 0; l < o.validation.loads.shares().rows(); ++l) {
    char load[32];
    std::snprintf(load, sizeof load, "%s%.2f", l == 0 ? "" : " ", o.validation.loads.imbalance(l));
    loads += load;
  }
  add("expert load", "largest over mean, by layer: %s", loads.c_str());
  add("parameters", "%zu", o.parameters);
  add("trained on", "%.0f bytes in %llu steps", o.bytes, static_cast<unsigned long long>(o.steps));
  if (o.steps_now == o.steps) {
    add("time", "%.1f s, %.0f bytes/s", o.seconds, o.bytes_per_second);
  } else if (o.steps_now > 0) {
    add("time", "of these %llu steps %.1f s, %.0f bytes/s",
        static_cast<unsigned long long>(o.steps_now), o.seconds, o.bytes_per_second);
  }
  return lines;
}

inline void print_outcome(const Outcome& outcome) {
  std::printf("\n");
  for (const auto& [name, value] : lines_of(outcome)) {
    std::printf("%-17s %s\n", name.c_str(), value.c_str());
  }
}

}  // namespace language_model
