// SPDX-License-Identifier: MIT
// Finds the hyper-connection sites of a checkpoint, names its family and why, and shows the effect
// of its mappings on random streams. --help lists the options.
#include <cstdio>

#include "command_line.hpp"
#include "run.hpp"

int main(int argc, char** argv) {
  using namespace inspect_checkpoint;
  return run_program("inspect_checkpoint", [&] {
    const Options options = parse_command_line({argv + 1, argv + argc});
    if (options.help) {
      std::fputs(help_text().c_str(), stdout);
      return 0;
    }
    return run(options);
  });
}
