// SPDX-License-Identifier: MIT
// The tables of a run in the report folder: NAME.csv, a line per step, and NAME_evaluation.csv, a
// line per evaluation during training.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "run_table.hpp"

namespace language_model {

struct RunTables {
  RunTables(const std::filesystem::path& folder, const std::string& name, bool with_evaluations,
            std::uint64_t steps_done)
      : steps(folder, name,
              {"step", "loss_nats", "bits_per_byte", "further_loss_nats", "gradient_norm",
               "learning_rate", "bytes_per_second"},
              steps_done) {
    if (!with_evaluations) return;
    const std::vector<std::string> columns{"step", "validation_bits_per_byte", "gain_forward",
                                           "gain_backward"};
    evaluations.emplace(folder, name + "_evaluation", columns, steps_done);
  }

  RunTable steps;
  std::optional<RunTable> evaluations;
};

}  // namespace language_model
