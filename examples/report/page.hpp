// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "figure.hpp"

namespace report {

/// Cells as they are displayed; every row is as long as the header.
struct Table {
  std::vector<std::string> header = {};
  std::vector<std::vector<std::string>> rows = {};
};

/// A self-contained HTML page: inline figures, no scripts, no external resources. It follows the
/// reader's light or dark mode; figures keep a light background.
class Page {
 public:
  explicit Page(std::string title) : title_(std::move(title)) {}

  void paragraph(const std::string& words);
  void heading(const std::string& words);

  /// Text that keeps its spaces, tabs and line breaks.
  void preformatted(const std::string& words);

  /// Names and values of a run's settings.
  void settings(const std::vector<std::pair<std::string, std::string>>& pairs);

  /// Throws std::invalid_argument if a row and the header differ in length.
  void table(const Table& table, const std::string& caption);

  void figure(const Figure& figure, const std::string& caption);

  std::string html() const;

  /// Writes the page atomically; missing folders are created. Throws std::runtime_error if it
  /// cannot be written.
  void write(const std::string& path) const;

 private:
  void add_row(const std::vector<std::string>& cells, const char* open, const char* name);

  std::string title_;
  std::string body_;
};

}  // namespace report
