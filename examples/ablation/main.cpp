// SPDX-License-Identifier: MIT
// Ablates the three mappings of hyper-connections over several seeds. --help lists the options.
#include <cstdio>
#include <functional>
#include <string>

#include "../report/file.hpp"
#include "command_line.hpp"
#include "output.hpp"
#include "shared_progress.hpp"
#include "summary.hpp"
#include "table_text.hpp"
#include "text.hpp"

namespace language_model::ablation {
namespace {

int run(const Options& options) {
  const Text text = read_text(options.text.empty() ? cmake_manual() : options.text);
  check_length(text, options.plan.model.context);
  report::create_folder_of((options.report / "ablation.html").string());
  const auto trainings = static_cast<std::uint64_t>(options.seeds) * variants.size();
  SharedProgress progress("training",
                          trainings * static_cast<std::uint64_t>(options.plan.training.steps),
                          options.quiet);
  const auto runs =
      train_all(options.plan, options.seeds, text, options.threads, std::ref(progress));
  progress.end();
  const auto all = outcomes(runs);
  std::printf("\n%s\n", table_text(table_of(all)).c_str());
  for (const std::string& sentence : sentences(all)) std::printf("%s\n", sentence.c_str());
  std::printf("\n");
  for (const std::string& path : write_all(options, text, runs, all)) {
    std::printf("written: %s\n", path.c_str());
  }
  return 0;
}

}  // namespace
}  // namespace language_model::ablation

int main(int argc, char** argv) {
  using namespace language_model::ablation;
  return command_line::run_program("ablation", [&] {
    const Options options = parse_command_line({argv + 1, argv + argc});
    if (options.help) {
      std::fputs(help_text().c_str(), stdout);
      return 0;
    }
    return run(options);
  });
}
