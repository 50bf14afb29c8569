// SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <mhc/files/atomic_file.hpp>

#include "file.hpp"
#include "refuse.hpp"
#include "text.hpp"

namespace report {
namespace detail {

/// Whether a spreadsheet reads the whole text as a number.
inline bool is_number(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && end.ptr == text.data() + text.size() &&
         end.ec != std::errc::invalid_argument;
}

/// One cell: an apostrophe precedes text that a spreadsheet would take for a formula; quoted where
/// RFC 4180 requires it.
inline std::string csv_cell(std::string_view text) {
  std::string cell;
  const bool is_formula =
      !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos;
  if (is_formula && !is_number(text)) cell = "'";
  cell += text;
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (const char c : cell) {
    if (c == '"') quoted += c;
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace detail

/// A table of comma-separated values by RFC 4180, but with '\n' at the end of a line. The file
/// appears, complete, when close() returns; without close() there is none. Missing folders are
/// created.
///
///   report::Csv csv("loss.csv", {"step", "loss"});
///   csv.row({step, loss});
///   csv.close();
///
/// A float or a double is written with as many digits as it takes to read it back. Throws
/// std::invalid_argument if a row and the header differ in length, std::runtime_error if the file
/// cannot be written.
class Csv {
 public:
  /// A number or a text, formatted for the file.
  class Cell {
   public:
    template <class Number, std::enable_if_t<std::is_arithmetic_v<Number>, int> = 0>
    Cell(Number value) {
      if constexpr (std::is_same_v<Number, bool>) {
        text_ = value ? "1" : "0";
      } else {
        text_ = exact(value);
      }
    }
    Cell(std::string_view text) : text_(detail::csv_cell(text)) {}
    Cell(const std::string& text) : Cell(std::string_view(text)) {}
    Cell(const char* text) : Cell(std::string_view(text)) {}

    const std::string& text() const { return text_; }

   private:
    std::string text_;
  };

  Csv(const std::string& path, const std::vector<std::string>& columns)
      : path_(path), columns_(columns.size()), file_(with_folder(path), detail::writer) {
    if (columns.empty()) detail::refuse("report::Csv", path, ": there are no columns");
    row({columns.begin(), columns.end()});
  }

  void row(const std::vector<Cell>& cells) {
    if (cells.size() != columns_) {
      detail::refuse("report::Csv::row", path_, ": a row of ", cells.size(), " cells, expected ",
                     columns_);
    }
    std::string line;
    for (const Cell& cell : cells) {
      if (&cell != &cells.front()) line += ',';
      line += cell.text();
    }
    // An empty line would be no row.
    if (line.empty()) line = "\"\"";
    line += '\n';
    file_.write(line.data(), line.size());
  }

  void close() { file_.commit(); }

 private:
  static const std::string& with_folder(const std::string& path) {
    create_folder_of(path);
    return path;
  }

  std::string path_;
  std::size_t columns_;
  mhc::files::AtomicFile file_;
};

}  // namespace report
