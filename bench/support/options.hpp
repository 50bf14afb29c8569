// SPDX-License-Identifier: MIT
#pragma once

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace mhc_bench {

/// The options of a benchmark program besides those of Google Benchmark.
struct Options {
  bool quick = false;    ///< --quick: the rows that fit into a minute
  bool rows = false;     ///< --rows: each row as a line of JSON, instead of a table
  std::string ceilings;  ///< --ceilings=FILE: ceilings measured before
};

/// Reads both kinds; ends the program with an error for anything else.
inline Options parse_options(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  Options options;
  const std::string ceilings = "--ceilings=";
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--quick") {
      options.quick = true;
    } else if (argument == "--rows") {
      options.rows = true;
    } else if (argument.compare(0, ceilings.size(), ceilings) == 0) {
      options.ceilings = argument.substr(ceilings.size());
    } else {
      std::fprintf(stderr,
                   "mhc: %s is not an option of this program; there are --quick, --rows, "
                   "--ceilings=FILE and those of Google Benchmark (--help)\n",
                   argument.c_str());
      std::exit(2);
    }
  }
  return options;
}

}  // namespace mhc_bench
