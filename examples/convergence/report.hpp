// SPDX-License-Identifier: MIT
// The lines of the report as a figure, as CSV and as a page.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "../report/csv.hpp"
#include "../report/page.hpp"
#include "convergence.hpp"

namespace convergence {

/// The median as a solid line, the 99th percentile as a dashed one of the same colour.
inline void add_curves(report::LineChart& chart, const std::vector<Line>& lines,
                       Quantiles Line::*what, const std::string& name) {
  const int colour = static_cast<int>(chart.series.size()) / 2;
  report::Series median{name + "median"};
  report::Series p99{name + "99th percentile"};
  for (const Line& line : lines) {
    median.x.push_back(line.stddev);
    median.y.push_back((line.*what).median);
    p99.y.push_back((line.*what).p99);
  }
  p99.x = median.x;
  p99.is_dashed = true;
  median.colour = p99.colour = colour;
  chart.series.push_back(median);
  chart.series.push_back(p99);
}

inline report::Figure figure(const std::vector<Line>& lines) {
  const report::Axis stddev{"standard deviation of the logits"};
  report::LineChart error{"Error of a source's sum", stddev, {"|sum - 1|", report::Scale::log}};
  add_curves(error, lines, &Line::error, "");
  report::LineChart gradients{
      "Implicit against unrolled gradient", stddev, {"relative difference", report::Scale::log}};
  add_curves(gradients, lines, &Line::by_marginals, "with the actual sums, ");
  add_curves(gradients, lines, &Line::by_ones, "with sums assumed 1, ");
  report::Figure figure("Convergence of 20 iterations of Sinkhorn-Knopp");
  figure.row({error, gradients}, 330);
  return figure;
}

inline report::Table table(const std::vector<Line>& lines) {
  const auto text = [](double value) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.1e", value);
    return std::string(buffer);
  };
  report::Table table;
  table.header = {"std", "sum - 1, median",        "p99", "implicit_backward, median",
                  "p99", "sums assumed 1, median", "p99"};
  for (const Line& line : lines) {
    table.rows.push_back({report::number(line.stddev), text(line.error.median),
                          text(line.error.p99), text(line.by_marginals.median),
                          text(line.by_marginals.p99), text(line.by_ones.median),
                          text(line.by_ones.p99)});
  }
  return table;
}

/// Writes FOLDER/convergence.csv, .svg and .html.
inline void write(const std::string& folder, const std::vector<Line>& lines, long samples,
                  long seed) {
  const std::string name = folder + "/convergence";
  report::Csv csv(name + ".csv", {"std", "error_median", "error_p99", "implicit_median",
                                  "implicit_p99", "by_ones_median", "by_ones_p99"});
  for (const Line& line : lines) {
    csv.row({line.stddev, line.error.median, line.error.p99, line.by_marginals.median,
             line.by_marginals.p99, line.by_ones.median, line.by_ones.p99});
  }
  csv.close();
  const report::Figure drawn = figure(lines);
  report::write_svg(name + ".svg", drawn);
  report::Page page(drawn.title());
  page.paragraph(
      "DeepSeek-V4's recipe makes random 4 x 4 logits doubly stochastic. The larger the logits, "
      "the larger the error after the last iteration, and the difference between the implicit "
      "gradient of the limit and the gradient of the iterations.");
  page.settings({{"streams", "4"},
                 {"iterations", "20"},
                 {"eps", "1e-6"},
                 {"samples", std::to_string(samples)},
                 {"seed", std::to_string(seed)}});
  page.figure(
      drawn,
      "Left, the error of a source's sum over the targets. Right, the relative difference "
      "between the implicit and the unrolled gradient for a random cotangent, with the actual "
      "sums, and with sums assumed to be 1. Solid lines are medians, dashed ones 99th "
      "percentiles.");
  page.table(table(lines), "By the standard deviation of the logits.");
  page.write(name + ".html");
}

}  // namespace convergence
