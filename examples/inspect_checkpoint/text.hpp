// SPDX-License-Identifier: MIT
// The tables of the terminal and the lines of the CSV.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "../report/csv.hpp"
#include "statistics.hpp"

namespace inspect_checkpoint {

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char text[160];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

using mhc::checkpoint::printable;

// Rows of cells, each column as wide as its widest cell: the first ones left-aligned, the others
// right-aligned.
class Table {
 public:
  explicit Table(std::size_t to_the_left = 1) : to_the_left_(to_the_left) {}

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  std::string text() const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_) {
      widths.resize(std::max(widths.size(), row.size()));
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
    }
    std::string text;
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::string space(widths[i] - width(row[i]), ' ');
        line += (i == 0 ? "" : "  ") + (i < to_the_left_ ? row[i] + space : space + row[i]);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + "\n";
    }
    return text;
  }

 private:
  // In characters of UTF-8.
  static std::size_t width(const std::string& cell) {
    return static_cast<std::size_t>(std::count_if(cell.begin(), cell.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
  }

  std::size_t to_the_left_;
  std::vector<std::vector<std::string>> rows_;
};

inline std::string sites_text(const std::vector<Site>& sites) {
  using mhc::checkpoint::Part;
  Table table(2);
  table.add({"site", "role", "n", "C", "phi", "type"});
  for (const Site& site : sites) {
    const auto& phi = site[Part::phi];
    table.add({printable(site.name), name(site.role), std::to_string(site.streams),
               std::to_string(site.channels), mhc::checkpoint::detail::to_text(phi.shape),
               mhc::checkpoint::name(phi.dtype)});
  }
  return table.text();
}

// The counts; values outside the range count in the nearest bin, NaN in the first.
inline std::vector<Index> counts_of(const mhc::Histogram& histogram) {
  std::vector<Index> counts = histogram.counts();
  counts.front() += histogram.below() + histogram.not_a_number();
  counts.back() += histogram.above();
  return counts;
}

// A bar for each bin, the fullest one line high.
inline std::string bars(const mhc::Histogram& histogram) {
  constexpr const char* heights[] = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const std::vector<Index> counts = counts_of(histogram);
  const Index most = *std::max_element(counts.begin(), counts.end());
  std::string text;
  for (const Index count : counts) text += heights[(count * 8 + most - 1) / most];
  return text;
}

inline std::vector<std::string> cells(const mhc::Histogram& h) {
  return {format("%.3f", h.mean()), format("%.3f", h.least()), format("%.3f", h.most()), bars(h)};
}

inline std::string range(const mhc::Histogram& h) {
  return format("in tenths of %g..%g", h.low(), h.high());
}

inline std::string statistics_text(const std::vector<SiteStatistics>& sites) {
  Table table;
  table.add({"", "row", "column", "gain", "", "composite", ""});
  table.add({"site", "error", "error", "fwd", "bwd", "fwd", "bwd"});
  for (const SiteStatistics& s : sites) {
    if (s.is_head()) continue;
    table.add({printable(s.site->name), format("%.1e", s.row_error), format("%.1e", s.column_error),
               format("%.5g", s.gains.forward), format("%.5g", s.gains.backward),
               format("%.5g", s.composite.forward), format("%.5g", s.composite.backward)});
  }
  Table gates;
  gates.add({"site", "pre", "min", "max", range(sites.front().pre), "post", "min", "max",
             range(sites.front().post)});
  for (const SiteStatistics& s : sites) {
    std::vector<std::string> row{printable(s.site->name)};
    for (const std::string& cell : cells(s.pre)) row.push_back(cell);
    if (!s.is_head()) {
      for (const std::string& cell : cells(s.post)) row.push_back(cell);
    }
    gates.add(row);
  }
  return table.text() + "\n" + gates.text();
}

// H_res[out, in], averaged over the tokens, comes last; a head has empty cells.
inline void write_csv(const std::string& path, const std::vector<SiteStatistics>& sites) {
  using report::Csv;
  const Index n = sites.front().site->streams;
  std::vector<std::string> columns{"site", "role", "layer", "mtp", "streams", "channels"};
  for (const char* const gate : {"pre", "post"}) {
    for (const char* const what : {"_mean", "_min", "_max", "_histogram"}) {
      columns.push_back(std::string(gate) + what);
    }
  }
  for (const char* const name : {"row_error", "column_error", "forward_gain", "backward_gain",
                                 "composite_forward", "composite_backward"}) {
    columns.emplace_back(name);
  }
  for (Index i = 0; i < n * n; ++i) {
    columns.push_back("res_" + std::to_string(i / n) + "_" + std::to_string(i % n));
  }
  Csv csv(path, columns);
  for (const SiteStatistics& s : sites) {
    const Site& site = *s.site;
    std::vector<Csv::Cell> row{printable(site.name), name(site.role), site.layer,
                               site.is_mtp,          site.streams,    site.channels};
    const auto add = [&row](const mhc::Histogram& h) {
      std::string counts;
      for (const Index count : counts_of(h)) {
        counts += (counts.empty() ? "" : " ") + std::to_string(count);
      }
      row.insert(row.end(), {h.mean(), h.least(), h.most(), counts});
    };
    add(s.pre);
    if (!s.is_head()) {
      add(s.post);
      row.insert(row.end(), {s.row_error, s.column_error, s.gains.forward, s.gains.backward,
                             s.composite.forward, s.composite.backward});
      for (Index i = 0; i < n * n; ++i) row.emplace_back(s.mean_res(i / n, i % n));
    }
    row.resize(columns.size(), "");
    csv.row(row);
  }
  csv.close();
}

}  // namespace inspect_checkpoint
