// SPDX-License-Identifier: MIT
// Trains deep stacks with each residual and shows how signals and gradients grow through them.
// --help lists the options.
#include <cstdio>

#include "run.hpp"

int main(int argc, char** argv) {
  using namespace language_model::stability;
  return command_line::run_program("stability", [&] {
    const Options options = parse_command_line({argv + 1, argv + argc});
    if (options.help) {
      std::fputs(help_text().c_str(), stdout);
      return 0;
    }
    return run(options);
  });
}
