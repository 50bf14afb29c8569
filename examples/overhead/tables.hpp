// SPDX-License-Identifier: MIT
// The numbers as tables, for the terminal and the page.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "../report/page.hpp"
#include "generation_cost.hpp"
#include "memory_cost.hpp"
#include "table_text.hpp"
#include "training_cost.hpp"

namespace language_model {

using report::Table;

// From arXiv:2512.24880: 27B parameters, n = 4, on GPUs, with fused kernels and recomputation.
constexpr double papers_overhead = 0.067;

inline std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

inline std::string milliseconds(double seconds) {
  return formatted("%.2f", 1e3 * seconds);
}
inline std::string microseconds(double seconds) {
  return formatted("%.0f", 1e6 * seconds);
}
inline std::string percent(double share) {
  return formatted("%+.1f %%", 100 * share);
}
inline std::string mebibytes(double bytes) {
  return formatted("%.2f", bytes / 1048576);
}

inline void print(const Table& table, const std::string& caption) {
  std::printf("\n%s\n%s", caption.c_str(), table_text(table).c_str());
  std::fflush(stdout);
}

// The additional time of `part` over the ordinary residual's, as a share of the ordinary step.
inline double share_of_step(const TrainingCost& cost, std::size_t residual, std::size_t part) {
  return (cost.seconds[residual][part] - cost.seconds[0][part]) / cost.step(0);
}

// The same for mHC's block: its four calls.
inline double share_of_block(const TrainingCost& cost) {
  double sum = 0;
  for (std::size_t p = 0; p < step_parts().size(); ++p) {
    if (step_parts()[p].is_of_block) sum += share_of_step(cost, 2, p);
  }
  return sum;
}

inline Table training_table(const TrainingCost& cost) {
  Table table{{"part", "ordinary, ms", "HC, ms", "mHC, ms", "HC adds", "mHC adds"}, {}};
  for (std::size_t p = 0; p < step_parts().size(); ++p) {
    std::vector<std::string> row{step_parts()[p].name};
    for (const auto& of : cost.seconds) row.push_back(milliseconds(of[p]));
    for (const std::size_t r : {std::size_t{1}, std::size_t{2}}) {
      row.push_back(percent(share_of_step(cost, r, p)));
    }
    table.rows.push_back(row);
  }
  return table;
}

inline Table summary_table(const Scenario& scenario, const std::vector<TrainingCost>& costs) {
  Table table{{"channels", "HC, time", "mHC, time", "of which its block", "mHC, multiply-adds"},
              {}};
  for (const TrainingCost& cost : costs) {
    const Arithmetic arithmetic =
        count_arithmetic(scenario.model(cost.channels, Residual::mhc, AttentionKind::mla));
    table.rows.push_back({std::to_string(cost.channels), percent(cost.step(1) / cost.step(0) - 1),
                          percent(cost.step(2) / cost.step(0) - 1), percent(share_of_block(cost)),
                          percent(arithmetic.block / arithmetic.sublayers)});
  }
  table.rows.push_back({"the paper, 27B", "-", percent(papers_overhead), "-", "-"});
  return table;
}

inline Table memory_table(const MemoryCosts& costs) {
  Table table{{"memory, MiB", "ordinary", "HC", "mHC"}, {}};
  const auto add = [&](const char* name, auto&& bytes) {
    std::vector<std::string> row{name};
    for (const MemoryCost& cost : costs.of) row.push_back(mebibytes(bytes(cost)));
    table.rows.push_back(row);
  };
  add("parameters, gradients, moments", [](const MemoryCost& c) { return c.parameters; });
  add("activations kept", [](const MemoryCost& c) { return c.kept(); });
  add("  streams", [](const MemoryCost& c) { return c.streams; });
  add("  mappings", [](const MemoryCost& c) { return c.mappings; });
  add("  sublayers' inputs and outputs", [](const MemoryCost& c) { return c.inputs; });
  add("  inside the sublayers", [](const MemoryCost& c) { return c.sublayers; });
  add("  embedding, collapse, head", [](const MemoryCost& c) { return c.rest; });
  add("together", [](const MemoryCost& c) { return c.parameters + c.kept(); });
  return table;
}

inline Table generation_table(const std::vector<GenerationCosts>& costs) {
  Table table{{"channels", "attention", "residual", "with cache, us", "mHC adds",
               "whole context, us", "cache, bytes per byte of text"},
              {}};
  for (const GenerationCosts& of_width : costs) {
    for (std::size_t i = 0; i < of_width.of.size(); ++i) {
      const GenerationCost& cost = of_width.of[i];
      const bool is_mhc = cost.residual == Residual::mhc;
      table.rows.push_back(
          {std::to_string(of_width.channels), name_of(cost.attention), title_of(cost.residual),
           microseconds(cost.cached_median()),
           is_mhc ? percent(cost.cached_median() / of_width.of[i - 1].cached_median() - 1) : "",
           microseconds(cost.whole.back()), std::to_string(cost.cache_bytes_per_token)});
    }
  }
  return table;
}

// Per token and layer. DeepSeek-V3: 128 heads of 128 channels, kv_rank 512, rope 64; bf16.
inline Table cache_table(const Scenario& scenario, const std::vector<GenerationCosts>& costs) {
  Table table{{"model", "MHA, bytes", "MLA, bytes", "MHA / MLA"}, {}};
  const auto add = [&](const std::string& name, double mha, double mla) {
    table.rows.push_back(
        {name, formatted("%.0f", mha), formatted("%.0f", mla), formatted("%.1f", mha / mla)});
  };
  for (const GenerationCosts& of_width : costs) {
    const auto layers = static_cast<double>(scenario.layers);
    add(std::to_string(of_width.channels) + " channels, float, measured",
        static_cast<double>(of_width.of.front().cache_bytes_per_token) / layers,
        static_cast<double>(of_width.of.back().cache_bytes_per_token) / layers);
  }
  const double bf16 = 2;
  add("DeepSeek-V3's sizes, bf16, computed", bf16 * 2 * 128 * 128, bf16 * (512 + 64));
  return table;
}

}  // namespace language_model
