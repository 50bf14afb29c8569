// SPDX-License-Identifier: MIT
// Trains a byte-level decoder with attention, a mixture of experts and mhc around both on real
// text, and shows what it has learnt. --help lists the options.
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "run.hpp"

int main(int argc, char** argv) {
  using namespace language_model;
  try {
    const Options options = parse_command_line({argv + 1, argv + argc});
    if (options.help) {
      std::fputs(help_text().c_str(), stdout);
      return 0;
    }
    return run(options);
  } catch (const UsageError& error) {
    std::fprintf(stderr, "language_model: %s\n", error.what());
    return 2;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "language_model: this machine has not enough memory for such a model\n");
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "language_model: %s\n", error.what());
    return 1;
  }
}
