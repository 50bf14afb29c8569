// SPDX-License-Identifier: MIT
#include "page.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "file.hpp"
#include "refuse.hpp"
#include "text.hpp"

namespace report {

namespace {

const char* style() {
  return ":root { color-scheme: light dark; --ground: #ffffff; --ink: #1f2328; --soft: #59636e;\n"
         "  --rim: #d0d7de; --band: #f6f8fa; }\n"
         "@media (prefers-color-scheme: dark) {\n"
         "  :root { --ground: #0d1117; --ink: #e6edf3; --soft: #9198a1; --rim: #3d444d;\n"
         "    --band: #151b23; }\n"
         "}\n"
         "body { margin: 2.5rem auto; padding: 0 1.25rem; max-width: 56rem; line-height: 1.55;\n"
         "  background: var(--ground); color: var(--ink);\n"
         "  font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }\n"
         "h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1.25rem; }\n"
         "h2 { font-size: 1.2rem; margin: 2.2rem 0 0.6rem; }\n"
         "p { max-width: 46rem; }\n"
         ".wide { overflow-x: auto; margin: 1rem 0; }\n"
         "table { border-collapse: collapse; font-size: 0.88rem;\n"
         "  font-variant-numeric: tabular-nums; }\n"
         "caption { text-align: left; color: var(--soft); padding-bottom: 0.4rem; }\n"
         "th, td { padding: 0.28rem 0.8rem; border-bottom: 1px solid var(--rim);\n"
         "  text-align: right; white-space: nowrap; }\n"
         "th:first-child, td:first-child { text-align: left; }\n"
         "thead th { border-bottom-width: 2px; }\n"
         "tbody tr:nth-child(even) { background: var(--band); }\n"
         ".settings th { font-weight: 500; color: var(--soft); }\n"
         ".settings td { text-align: left; white-space: normal; }\n"
         "figure { margin: 1.5rem 0 2rem; }\n"
         "figure svg { display: block; max-width: 100%; height: auto; }\n"
         "figcaption { color: var(--soft); font-size: 0.88rem; margin-top: 0.5rem;\n"
         "  max-width: 46rem; }\n";
}

}  // namespace

void Page::paragraph(const std::string& words) {
  body_ += "<p>" + escaped(words) + "</p>\n";
}

void Page::heading(const std::string& words) {
  body_ += "<h2>" + escaped(words) + "</h2>\n";
}

void Page::preformatted(const std::string& words) {
  body_ += "<pre class=\"wide\">\n";  // a browser drops the first line break
  for (std::size_t begin = 0; begin < words.size();) {
    const std::size_t end = std::min(words.find_first_of("\n\t", begin), words.size());
    body_ += escaped(std::string_view(words).substr(begin, end - begin));
    if (end < words.size()) body_ += words[end];
    begin = end + 1;
  }
  body_ += "</pre>\n";
}

void Page::settings(const std::vector<std::pair<std::string, std::string>>& pairs) {
  body_ += "<div class=\"wide\"><table class=\"settings\">\n";
  for (const auto& [name, value] : pairs) {
    body_ +=
        "<tr><th scope=\"row\">" + escaped(name) + "</th><td>" + escaped(value) + "</td></tr>\n";
  }
  body_ += "</table></div>\n";
}

void Page::table(const Table& table, const std::string& caption) {
  for (const auto& row : table.rows) {
    if (row.size() == table.header.size()) continue;
    detail::refuse("report::Page::table", "'", caption, "': a row of ", row.size(),
                   " cells, expected ", table.header.size());
  }
  body_ += "<div class=\"wide\"><table>\n<caption>" + escaped(caption) + "</caption>\n<thead>";
  add_row(table.header, "th scope=\"col\"", "th");
  body_ += "</thead>\n<tbody>\n";
  for (const auto& row : table.rows) add_row(row, "td", "td");
  body_ += "</tbody></table></div>\n";
}

void Page::figure(const Figure& figure, const std::string& caption) {
  body_ += "<figure>\n" + figure.svg() + "<figcaption>" + escaped(caption) +
           "</figcaption>\n</figure>\n";
}

std::string Page::html() const {
  return std::string("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n") +
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n<title>" +
         escaped(title_) + "</title>\n<style>\n" + style() + "</style>\n</head>\n<body>\n<h1>" +
         escaped(title_) + "</h1>\n" + body_ + "</body>\n</html>\n";
}

void Page::add_row(const std::vector<std::string>& cells, const char* open, const char* name) {
  body_ += "<tr>";
  for (const std::string& cell : cells) {
    body_ += std::string("<") + open + ">" + escaped(cell) + "</" + name + ">";
  }
  body_ += "</tr>\n";
}

void Page::write(const std::string& path) const {
  write_file(path, html());
}

}  // namespace report
