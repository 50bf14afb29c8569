// SPDX-License-Identifier: MIT
// The numbers of a run in progress as CSV. Each line is written at once, so an aborted run leaves
// all of them; a resumed run keeps the lines up to its step and appends.
#pragma once

#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "../report/file.hpp"

namespace language_model {

class RunTable {
 public:
  // FOLDER/NAME.csv. The first of the columns is "step".
  RunTable(const std::filesystem::path& folder, const std::string& name,
           const std::vector<std::string>& columns, std::uint64_t steps_done)
      : path_(folder / (name + ".csv")), columns_(columns.size()) {
    std::string header;
    for (const std::string& column : columns) header += (header.empty() ? "" : ",") + column;
    read_until(steps_done, header);
    std::string kept = header + '\n';
    for (const auto& row : rows_) kept += line_of(row);
    report::write_file(path_.string(), kept);
    file_.open(path_, std::ios::app);
    check();
  }

  // One number for each column; a NaN leaves its field empty. The line is in the file when this
  // returns.
  void add(const std::vector<double>& row) {
    rows_.push_back(row);
    file_ << line_of(row) << std::flush;
    check();
  }

  void close() {
    file_.close();
    check();
  }

  const std::filesystem::path& path() const { return path_; }
  std::size_t size() const { return rows_.size(); }

  // A column of all lines, including those from before the run was resumed.
  std::vector<double> column(std::size_t i) const {
    std::vector<double> values;
    for (const auto& row : rows_) values.push_back(row[i]);
    return values;
  }

 private:
  void read_until(std::uint64_t step, const std::string& header) {
    if (step == 0) return;
    std::ifstream old(path_);
    std::string line;
    if (!std::getline(old, line) || line != header) return;  // not this run's
    while (std::getline(old, line) && !old.eof()) {  // at the end of the file: a truncated line
      std::vector<double> row;
      std::istringstream fields(line);
      for (std::string field; std::getline(fields, field, ',');) {
        row.push_back(field.empty() ? std::numeric_limits<double>::quiet_NaN()
                                    : std::strtod(field.c_str(), nullptr));
      }
      if (line.empty() || line.back() == ',')
        row.push_back(std::numeric_limits<double>::quiet_NaN());
      if (row.size() != columns_ || !(row[0] <= static_cast<double>(step))) return;
      rows_.push_back(row);
    }
  }

  static std::string line_of(const std::vector<double>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      char number[32] = "";
      if (!std::isnan(row[i])) std::snprintf(number, sizeof number, "%.8g", row[i]);
      line += (i == 0 ? "" : ",") + std::string(number);
    }
    return line + '\n';
  }

  void check() const {
    if (!file_) {
      throw std::runtime_error("report: cannot write '" + path_.string() +
                               "': " + std::strerror(errno));
    }
  }

  std::filesystem::path path_;
  std::size_t columns_;
  std::vector<std::vector<double>> rows_;
  std::ofstream file_;
};

}  // namespace language_model
