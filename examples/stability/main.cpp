// SPDX-License-Identifier: MIT
// Trains deep stacks with each residual and shows how signals and gradients grow on their way
// through them. --help lists the options.
#include <cstdio>
#include <exception>
#include <new>

#include "run.hpp"

int main(int argc, char** argv) {
  namespace stability = language_model::stability;
  try {
    const stability::Options options = stability::parse_command_line({argv + 1, argv + argc});
    if (options.help) {
      std::fputs(stability::help_text().c_str(), stdout);
      return 0;
    }
    return stability::run(options);
  } catch (const language_model::UsageError& error) {
    std::fprintf(stderr, "stability: %s\n", error.what());
    return 2;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "stability: this machine has not enough memory for such models\n");
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "stability: %s\n", error.what());
    return 1;
  }
}
