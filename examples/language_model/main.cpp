// SPDX-License-Identifier: MIT
// Trains a byte-level decoder, with mhc around its attention and mixture-of-experts sublayers, on
// real text, then evaluates it and generates text. --help lists the options.
#include <cstdio>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "run.hpp"

int main(int argc, char** argv) {
  using namespace language_model;
  return run_program("language_model", [&] {
    const Options options = parse_command_line({argv + 1, argv + argc});
    if (options.help) {
      std::fputs(help_text().c_str(), stdout);
      return 0;
    }
    return run(options);
  });
}
