// SPDX-License-Identifier: MIT
// convergence [SAMPLES [SEED]]: the report of convergence.hpp on 4 x 4 matrices and DeepSeek-V4's
// recipe, by the standard deviation of the logits, with a page, a figure and CSV in build/reports.

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "convergence.hpp"
#include "report.hpp"

namespace {

long parse(const char* text, const char* name, long least, long most) {
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (end == text || *end != '\0' || value < least || value > most) {
    throw std::invalid_argument(std::string(name) + " is '" + text + "', expected " +
                                std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

void print(const convergence::Line& line) {
  std::printf("%6g | %8.1e %8.1e | %8.1e %8.1e | %8.1e %8.1e\n", line.stddev, line.error.median,
              line.error.p99, line.by_marginals.median, line.by_marginals.p99, line.by_ones.median,
              line.by_ones.p99);
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (count > 3) throw std::invalid_argument("at most two arguments are expected: SAMPLES SEED");
    const long samples = count > 1 ? parse(arguments[1], "SAMPLES", 100, 10000000) : 4000;
    const long seed = count > 2 ? parse(arguments[2], "SEED", 0, 1000000000) : 1;
    std::printf(
        "Sinkhorn-Knopp, 4 x 4, 20 iterations, eps 1e-6; %ld samples of N(0, std^2), seed %ld\n"
        "median and 99th percentile of: the error of a source's sum; implicit against unrolled\n"
        "gradient, with the actual sums, and with sums assumed to be 1\n\n"
        "   std |     sum - 1       |  implicit_backward  |  sums assumed 1\n",
        samples, seed);
    std::vector<convergence::Line> lines;
    for (const double stddev : {0.5, 1.0, 2.0, 4.0, 6.0, 8.0}) {
      lines.push_back(convergence::measure<4>(stddev, samples, static_cast<std::uint64_t>(seed)));
      print(lines.back());
    }
    convergence::write("build/reports", lines, samples, seed);
    std::printf("\nwritten: build/reports/convergence.html, .svg, .csv\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "convergence: %s\n", error.what());
    return 2;
  }
}
