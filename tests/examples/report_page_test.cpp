// SPDX-License-Identifier: MIT
// CSV and HTML: quoting, formula guards, escaping and atomic files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <clocale>
#include <limits>
#include <string>
#include <utility>

#include "../support/files.hpp"
#include "../support/full_disk.hpp"
#include "../support/refused.hpp"
#include "report/csv.hpp"
#include "report/page.hpp"

namespace {

using mhc_test::Folder;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(Csv, QuotesCellsAndGuardsFormulas) {
  const Folder folder;
  report::Csv csv(folder / "a.csv", {"text", "number", "more"});
  csv.row({"a,b", 1, "say \"x\""});
  csv.row({"two\nlines", -0.5, true});
  csv.row({"=1+1", 0.1F, "@cmd"});
  csv.row({"-3.5", 1.0 / 3, "-x"});
  csv.row({"+4e2", std::numeric_limits<double>::infinity(), "\tcmd"});
  csv.row({"", std::size_t{7}, std::string("plain")});
  csv.close();
  EXPECT_EQ(mhc_test::read_file(folder / "a.csv"),
            "text,number,more\n"
            "\"a,b\",1,\"say \"\"x\"\"\"\n"
            "\"two\nlines\",-0.5,1\n"
            "'=1+1,0.1,'@cmd\n"
            "-3.5,0.3333333333333333,'-x\n"
            "+4e2,inf,'\tcmd\n"
            ",7,plain\n");
}

TEST(Csv, AppearsWhenClosed) {
  const Folder folder;
  mhc_test::write_file(folder / "a.csv", "before");
  {
    report::Csv csv(folder / "a.csv", {"x"});
    csv.row({1});
  }
  EXPECT_EQ(mhc_test::read_file(folder / "a.csv"), "before");
  EXPECT_THAT(folder.names(), testing::ElementsAre("a.csv"));
  report::Csv csv(folder / "new/b.csv", {"x"});
  csv.row({1});
  EXPECT_EQ(mhc_test::read_file(folder / "new/b.csv"), "");
  csv.close();
  EXPECT_EQ(mhc_test::read_file(folder / "new/b.csv"), "x\n1\n");
}

TEST(Csv, RejectsInvalidArguments) {
  const Folder folder;
  const std::string path = folder / "a.csv";
  EXPECT_REFUSED(report::Csv(path, {}), "report::Csv: ", "there are no columns");
  report::Csv csv(path, {"x", "y"});
  EXPECT_REFUSED(csv.row({1}), "report::Csv::row: ", path, "a row of 1 cells, expected 2");
  EXPECT_THAT(mhc_test::refusal<std::runtime_error>([&] { report::Csv(folder.path(), {"x"}); }),
              mhc_test::says("mhc::files: ", folder.path(), "not a regular file"));
}

TEST(Csv, KeepsTheOldFileOnAFullDisk) {
  const Folder folder;
  mhc_test::write_file(folder / "a.csv", "before");
  const auto write = [&] {
    report::Csv csv(folder / "a.csv", {"x"});
    for (int i = 0; i < 10000; ++i) csv.row({i});
    csv.close();
  };
  {
    const mhc_test::FullDisk disk(5000);
    EXPECT_THAT(mhc_test::refusal<std::runtime_error>(write),
                mhc_test::says("mhc::files: ", "a.csv: cannot be written: File too large"));
  }
  EXPECT_EQ(mhc_test::read_file(folder / "a.csv"), "before");
  EXPECT_THAT(folder.names(), testing::ElementsAre("a.csv"));
}

// Text that a page must escape.
constexpr const char* markup = "</td></svg><script src=\"x\">&'\x01";

report::Page page() {
  report::LineChart chart{markup, {"step"}, {"loss"}, {{"a", {1, 2}, {1, 2}}}};
  report::Figure figure(markup);
  figure.row({chart});
  report::Page page(markup);
  page.heading(markup);
  page.paragraph(markup);
  page.settings({{markup, markup}});
  page.table({{"a", markup}, {{markup, "1"}}}, markup);
  page.figure(figure, markup);
  page.figure(figure, "again");
  return page;
}

TEST(Page, PreformattedTextKeepsItsLines) {
  report::Page page("t");
  page.preformatted("\na\n  b\tc <script>\n\n&\n");
  page.preformatted("");
  EXPECT_THAT(page.html(), HasSubstr("<pre class=\"wide\">\n\na\n  b\tc &lt;script&gt;\n\n&amp;\n"
                                     "</pre>\n<pre class=\"wide\">\n</pre>\n"));
}

TEST(Page, IsSelfContained) {
  std::string html = page().html();
  const std::string space = "xmlns=\"http://www.w3.org/2000/svg\"";
  for (std::size_t at = html.find(space); at != std::string::npos; at = html.find(space)) {
    html.erase(at, space.size());
  }
  for (const char* none : {"http", "<script", "<link", "<img", "url(", "@import", "\x01",
                           " id=", "javascript:", "onload"}) {
    EXPECT_THAT(html, Not(HasSubstr(none)));
  }
  EXPECT_THAT(html, testing::StartsWith("<!DOCTYPE html>\n<html lang=\"en\">"));
  EXPECT_THAT(html, HasSubstr("<meta charset=\"utf-8\">"));
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme: dark"));
  EXPECT_THAT(html, HasSubstr("<figcaption>again</figcaption>"));
}

TEST(Page, IsWellFormed) {
  std::string html = page().html();
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const std::size_t end = html.find('>', at);
    ASSERT_NE(end, std::string::npos);
    const std::string tag = html.substr(at + 1, end - at - 1);
    const std::string name = tag.substr(0, tag.find(' '));
    if (name == "!DOCTYPE" || name == "meta" || tag.back() == '/') continue;
    if (name[0] != '/') {
      open.push_back(name);
      continue;
    }
    ASSERT_FALSE(open.empty()) << name;
    ASSERT_EQ("/" + open.back(), name);
    open.pop_back();
  }
  EXPECT_THAT(open, IsEmpty());
}

TEST(Page, IsWrittenAtomically) {
  const Folder folder;
  const std::string path = folder / "reports/a.html";
  page().write(path);
  EXPECT_EQ(mhc_test::read_file(path), page().html());
  report::Page other("other");
  other.paragraph(std::string(5000, 'x'));
  {
    const mhc_test::FullDisk disk(100);
    EXPECT_THAT(mhc_test::refusal<std::runtime_error>([&] { other.write(path); }),
                mhc_test::says("mhc::files: ", path, "cannot be written"));
  }
  EXPECT_EQ(mhc_test::read_file(path), page().html());
}

TEST(Page, RejectsRowsOfTheWrongLength) {
  report::Page page("p");
  EXPECT_REFUSED(page.table({{"a", "b"}, {{"1", "2"}, {"3"}}}, "numbers"),
                 "report::Page::table: 'numbers': a row of 1 cells, expected 2");
}

}  // namespace
