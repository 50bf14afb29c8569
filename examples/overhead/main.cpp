// SPDX-License-Identifier: MIT
// The cost of mHC: time and memory in training and generation, compared with the ordinary residual
// and hyper-connections, in one process. --help lists the options.
#include <cstdio>
#include <string>
#include <vector>

#include "../report/file.hpp"
#include "pages.hpp"
#include "scenario.hpp"

namespace language_model {

Findings measure(const Scenario& scenario) {
  const Workers workers(scenario.threads);
  Findings findings;
  for (const Index channels : scenario.channels) {
    const std::string width = std::to_string(channels) + " channels";
    findings.memory.push_back(measure_memory(scenario, channels));
    findings.training.push_back(measure_training(scenario, channels, workers));
    print(training_table(findings.training.back()), "training, " + width);
    if (findings.memory.back().is_known) {
      print(memory_table(findings.memory.back()), "memory, " + width);
    }
    findings.generation.push_back(measure_generation(scenario, channels, workers));
  }
  print(summary_table(scenario, findings.training), "time of a step beyond the ordinary step");
  print(generation_table(findings.generation), "generation, per byte");
  print(cache_table(scenario, findings.generation), "cache per token and layer");
  return findings;
}

}  // namespace language_model

int main(int argc, char** argv) {
  using namespace language_model;
  return run_program("overhead", [&] {
    const Scenario scenario = parse_scenario({argv + 1, argv + argc});
    if (scenario.help) {
      std::fputs(scenario_help().c_str(), stdout);
      return 0;
    }
    report::create_folder_of((scenario.report / "overhead.html").string());
    write_pages(scenario, measure(scenario));
    return 0;
  });
}
