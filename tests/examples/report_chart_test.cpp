// SPDX-License-Identifier: MIT
// Figures as SVG: well-formed, with every point in its frame, gaps for missing values, and errors
// for invalid arguments.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "../support/files.hpp"
#include "../support/full_disk.hpp"
#include "../support/refused.hpp"
#include "../support/xml.hpp"
#include "report/figure.hpp"

namespace {

using mhc_test::Xml;
using testing::HasSubstr;
using testing::Not;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

std::string svg(const report::Chart& chart, double width = 860) {
  report::Figure figure("title", width);
  figure.row({chart});
  return figure.svg();
}

report::LineChart chart_of(std::vector<report::Series> series) {
  return {"curves", {"step"}, {"loss"}, std::move(series)};
}

// The points of every polyline that is a curve, one vector for each.
std::vector<std::vector<report::Point>> curves(const Xml& xml) {
  std::vector<std::vector<report::Point>> curves;
  for (const Xml::Element& line : xml.named("polyline")) {
    std::istringstream stream(line.attributes.at("points"));
    curves.emplace_back();
    char comma = 0;
    for (report::Point p; stream >> p.x >> comma >> p.y;) curves.back().push_back(p);
  }
  return curves;
}

// The frame, from the two thin lines of the axes, which begin in its lower left corner.
report::Box frame(const Xml& xml) {
  report::Box box{1e9, 1e9, 0, 0};
  double right = 0;
  double bottom = 0;
  for (const Xml::Element& line : xml.named("line")) {
    if (line.attributes.at("stroke") != "#8c959f") continue;
    box.x = std::min(box.x, line.number("x1"));
    box.y = std::min(box.y, line.number("y1"));
    right = std::max(right, line.number("x2"));
    bottom = std::max(bottom, std::min(line.number("y1"), line.number("y2")) > box.y + 10
                                  ? line.number("y1")
                                  : 0.0);
  }
  box.width = right - box.x;
  box.height = bottom - box.y;
  return box;
}

TEST(LineChart, TextIsEscaped) {
  const std::string markup = std::string("</svg><script>alert(1)</script>&\" \x01\xff") + '\0';
  report::LineChart lines{markup, {markup}, {markup}, {{markup, {1, 2}, {1, 2}}}, {{1.5, markup}}};
  report::HeatMaps maps{markup, markup, markup, {{markup, Eigen::MatrixXd::Ones(2, 2)}}};
  report::HistogramChart bars{markup, {markup}, {markup}, {{markup, mhc::Histogram()}}};
  report::Figure figure(markup);
  figure.subtitle(markup).row({lines, maps, bars});
  const Xml xml(figure.svg());
  EXPECT_EQ(xml.error(), "");
  EXPECT_EQ(xml.elements().front().name, "svg");
  for (const char* name : {"script", "style", "a", "image", "foreignObject"}) {
    EXPECT_TRUE(xml.named(name).empty()) << name;
  }
  for (const Xml::Element& element : xml.elements()) {
    EXPECT_EQ(element.attributes.count("id"), 0u);  // so that figures in one page do not clash
  }
}

TEST(LineChart, CurvesStayInTheFrameUpToTheirEnds) {
  const Xml xml(svg(chart_of({{"a", {0, 10, 20, 30}, {5, -3, 8, 100}}, {"b", {5, 25}, {0, 1}}})));
  ASSERT_EQ(xml.error(), "");
  const auto drawn = curves(xml);
  ASSERT_EQ(drawn.size(), 2u);
  EXPECT_EQ(drawn[0].size(), 4u);
  const report::Box box = frame(xml);
  EXPECT_GT(box.width, 400);
  for (const auto& curve : drawn) {
    for (const report::Point& p : curve) {
      EXPECT_GE(p.x, box.x);
      EXPECT_LE(p.x, box.right());
      EXPECT_GE(p.y, box.y);
      EXPECT_LE(p.y, box.bottom());
    }
  }
  // Larger values are higher, later ones further right.
  EXPECT_LT(drawn[0][3].y, drawn[0][0].y);
  EXPECT_LT(drawn[0][0].y, drawn[0][1].y);
  EXPECT_LT(drawn[0][0].x, drawn[0][1].x);
}

TEST(LineChart, CurvesAreClippedToTheGivenLimits) {
  report::LineChart chart = chart_of({{"a", {0, 1, 2, 3, 4}, {0, 10, 0, -10, 0}}});
  chart.y.low = -1;
  chart.y.high = 5;
  chart.series[0].low = {-20, 5, -5, -20, 0};
  chart.series[0].high = {1, 20, 5, -8, 1};
  const Xml xml(svg(chart));
  ASSERT_EQ(xml.error(), "");
  const report::Box box = frame(xml);
  const auto drawn = curves(xml);
  EXPECT_EQ(drawn.size(), 3u);  // up, down, and from below again
  for (const auto& curve : drawn) {
    for (const report::Point& p : curve) {
      EXPECT_GE(p.y, box.y - 0.01);
      EXPECT_LE(p.y, box.bottom() + 0.01);
    }
  }
  ASSERT_EQ(xml.named("polygon").size(), 1u);
  std::istringstream corners(xml.named("polygon")[0].attributes.at("points"));
  char comma = 0;
  for (report::Point p; corners >> p.x >> comma >> p.y;) {
    EXPECT_GE(p.y, box.y - 0.01);
    EXPECT_LE(p.y, box.bottom() + 0.01);
  }
}

TEST(LineChart, MissingValuesLeaveGapsAndAreReported) {
  const Xml gap(svg(chart_of({{"a", {1, 2, 3, 4, 5}, {1, 2, nan, 2, 3}}})));
  EXPECT_EQ(curves(gap).size(), 2u);
  const std::string diverged =
      svg(chart_of({{"HC", {100, 110, 120, 130}, {1, 2, nan, nan}}, {"mHC", {100, 130}, {1, 2}}}));
  EXPECT_THAT(diverged, HasSubstr(">HC (NaN from x = 120)<"));
  EXPECT_THAT(diverged, HasSubstr(">mHC<"));
  EXPECT_THAT(svg(chart_of({{"a", {1, 2, 3}, {1, infinity, 3}}})),
              HasSubstr(">a (infinite at 1 of 3)<"));
  EXPECT_THAT(svg(chart_of({{"a", {1, 2, 3}, {nan, infinity, 3}}})),
              HasSubstr(">a (nothing to draw at 2 of 3)<"));
  report::LineChart chart = chart_of({{"a", {1, 2, 3, 4}, {1, 10, 0, -1}}});
  chart.y.scale = report::Scale::log;
  EXPECT_THAT(svg(chart), HasSubstr(">a (\xe2\x89\xa4 0 from x = 3)<"));
  EXPECT_THAT(svg(chart), Not(HasSubstr("nan")));
}

TEST(LineChart, AllNaNSeriesIsReported) {
  for (const report::Scale scale : {report::Scale::linear, report::Scale::log}) {
    report::LineChart chart = chart_of({{"a", {1, 2}, {nan, nan}}});
    chart.y.scale = scale;
    const std::string drawn = svg(chart);
    EXPECT_EQ(Xml(drawn).error(), "");
    EXPECT_THAT(drawn, HasSubstr(">a (NaN from x = 1)<"));
  }
}

TEST(LineChart, DrawsAnyRange) {
  const double ranges[][2] = {
      {1, 1},         {0, 0},   {-1e300, 1e300},  {1e-300, 2e-300}, {-1.7e308, 1.7e308},
      {1e9, 1e9 + 1}, {-3, -2}, {5e-324, 1.7e308}};
  for (const auto& range : ranges) {
    for (const report::Scale scale : {report::Scale::linear, report::Scale::log}) {
      if (scale == report::Scale::log && range[0] <= 0) continue;
      report::LineChart chart = chart_of({{"a", {range[0], range[1]}, {range[0], range[1]}}});
      chart.x.scale = chart.y.scale = scale;
      const std::string drawn = svg(chart);
      const Xml xml(drawn);
      ASSERT_EQ(xml.error(), "") << range[0];
      EXPECT_EQ(drawn.find("nan"), std::string::npos) << range[0] << " to " << range[1];
      EXPECT_EQ(drawn.find("inf"), std::string::npos) << range[0] << " to " << range[1];
      const report::Box box = frame(xml);
      for (const Xml::Element& dot : xml.named("circle")) {
        EXPECT_GE(dot.number("cx"), box.x);
        EXPECT_LE(dot.number("cx"), box.right());
        EXPECT_GE(dot.number("cy"), box.y);
        EXPECT_LE(dot.number("cy"), box.bottom());
      }
      EXPECT_EQ(xml.named("circle").size(), 2u) << range[0] << " to " << range[1];
    }
  }
}

TEST(LineChart, LegendIsOutsideTheFrame) {
  for (const double width : {300.0, 860.0}) {
    std::vector<report::Series> series;
    for (int i = 0; i < 9; ++i) {
      series.push_back({"a series " + std::to_string(i), {0, 1}, {0.0, 1.0 * i}});
    }
    const Xml xml(svg(chart_of(series), width));
    const report::Box box = frame(xml);
    int found = 0;
    for (const Xml::Element& text : xml.named("text")) {
      if (text.text.find("a series") == std::string::npos) continue;
      ++found;
      EXPECT_TRUE(text.number("x") > box.right() || text.number("y") > box.bottom() + 20);
      EXPECT_LT(text.number("y"), xml.elements().front().number("height"));
    }
    EXPECT_EQ(found, 9);
  }
}

TEST(LineChart, MarksAreLinesDotsOrBoth) {
  report::Series series{"a", {1, 2, 3}, {1, 3, 2}};
  const auto marks = [&](report::Marks of) {
    series.marks = of;
    const Xml xml(svg(chart_of({series})));
    return std::make_pair(curves(xml).size(), xml.named("circle").size());
  };
  EXPECT_EQ(marks(report::Marks::automatic), std::make_pair(std::size_t{1}, std::size_t{3}));
  EXPECT_EQ(marks(report::Marks::line), std::make_pair(std::size_t{1}, std::size_t{0}));
  EXPECT_EQ(marks(report::Marks::dots), std::make_pair(std::size_t{0}, std::size_t{3}));
  for (int i = 4; i <= 30; ++i) {
    series.x.push_back(i);
    series.y.push_back(2);
  }
  EXPECT_EQ(marks(report::Marks::automatic), std::make_pair(std::size_t{1}, std::size_t{0}));
  EXPECT_EQ(marks(report::Marks::both), std::make_pair(std::size_t{1}, std::size_t{30}));
}

TEST(LineChart, UnnamedSeriesAreNotInTheLegend) {
  const auto lines = [](const char* second) {
    const Xml xml(svg(chart_of({{"a", {1, 2}, {1, 2}}, {second, {1, 2}, {2, 1}}})));
    return xml.named("line").size();
  };
  EXPECT_EQ(lines("b"), lines("") + 1);  // its swatch
}

TEST(LineChart, LevelsAreNamedAndInRange) {
  report::LineChart chart = chart_of({{"a", {1, 60}, {1, 2}}});
  chart.y.scale = report::Scale::log;
  chart.levels = {{3000, "paper's HC, 3000"}, {1.6, "paper's mHC, 1.6"}};
  const std::string drawn = svg(chart);
  EXPECT_THAT(drawn, HasSubstr(">paper&#39;s HC, 3000<"));
  EXPECT_THAT(drawn, HasSubstr(">paper&#39;s mHC, 1.6<"));
  chart.y.high = 100;
  EXPECT_THAT(svg(chart), HasSubstr("paper&#39;s HC, 3000 (beyond the axis)"));
}

TEST(LineChart, ThinningKeepsPeaks) {
  report::Series series{"a"};
  for (int i = 0; i < 200000; ++i) {
    series.x.push_back(i);
    series.y.push_back(i == 123456 ? 9.0 : std::sin(0.01 * i));
  }
  const std::string drawn = svg(chart_of({series}));
  EXPECT_LT(drawn.size(), 200000u);
  const Xml xml(drawn);
  double top = 1e9;
  const auto drawn_points = curves(xml);
  ASSERT_EQ(drawn_points.size(), 1u);
  for (const report::Point& p : drawn_points[0]) top = std::min(top, p.y);
  const report::Box box = frame(xml);
  EXPECT_LT(top, box.y + 0.1 * box.height);
}

TEST(LineChart, RejectsInvalidArguments) {
  EXPECT_REFUSED(svg(chart_of({})), "report::LineChart: 'curves' has no points");
  EXPECT_REFUSED(svg(chart_of({{"a", {}, {}}})), "'curves' has no points");
  EXPECT_REFUSED(svg(chart_of({{"a", {1, 2}, {1}}})),
                 "report::LineChart: 'curves': series 'a' has 2 x and 1 y");
  report::LineChart chart = chart_of({{"a", {1, 2}, {1, 2}}});
  chart.series[0].low = {0};
  EXPECT_REFUSED(svg(chart), "the band of series 'a' has 1 low and 0 high, expected 2 of each");
  chart.series[0].low = {};
  chart.y.low = 2;
  chart.y.high = 2;
  EXPECT_REFUSED(svg(chart),
                 "'curves': the y axis goes from 2 to 2, expected the first to be less");
  chart.y.low = 0;
  chart.y.scale = report::Scale::log;
  EXPECT_REFUSED(svg(chart), "the y axis ends at 0, expected a finite number above 0");
  chart.y = {};
  chart.x.high = nan;
  EXPECT_REFUSED(svg(chart), "the x axis ends at NaN, expected a finite number");
}

TEST(HeatMaps, DrawsNumbersColoursAndOneBar) {
  Eigen::MatrixXd values(2, 2);
  values << 0.25, 0.75, 1, 0;
  const std::string plain = svg(report::HeatMaps{"H_res", "out", "in", {{"layer 1", values}}});
  EXPECT_EQ(Xml(plain).error(), "");
  for (const char* number : {">0.25<", ">0.75<", ">1.00<", ">layer 1<", ">out<", ">in<"}) {
    EXPECT_THAT(plain, HasSubstr(number));
  }
  EXPECT_THAT(plain, HasSubstr(report::sequential(0.75).hex()));
  values(0, 0) = -2;
  values(1, 1) = nan;
  const std::string with_signs = svg(report::HeatMaps{"H_res", "out", "in", {{"", values}}});
  EXPECT_THAT(with_signs, HasSubstr(report::diverging(-1).hex()));
  EXPECT_THAT(with_signs, HasSubstr(report::diverging(0.375).hex()));
  EXPECT_THAT(with_signs, HasSubstr(">\xe2\x88\x92"
                                    "2.00<"));
  EXPECT_THAT(with_signs, HasSubstr(">NaN<"));
  EXPECT_THAT(with_signs, HasSubstr(">no value<"));
}

TEST(HeatMaps, RowsGoDownAndColumnsRight) {
  Eigen::MatrixXd values = Eigen::MatrixXd::Zero(2, 3);
  values(0, 2) = 1;
  const Xml xml(svg(report::HeatMaps{"", "row", "column", {{"", values}}}));
  std::vector<Xml::Element> cells;
  Xml::Element full;
  for (const Xml::Element& rectangle : xml.named("rect")) {
    if (rectangle.number("width") < 30) continue;
    if (rectangle.attributes.at("fill") == report::sequential(1).hex()) full = rectangle;
    if (rectangle.attributes.at("fill") == report::sequential(0).hex()) cells.push_back(rectangle);
  }
  ASSERT_EQ(cells.size(), 5u);
  for (const Xml::Element& cell : cells) {
    EXPECT_LE(full.number("y"), cell.number("y"));
    EXPECT_GE(full.number("x"), cell.number("x"));
  }
}

TEST(HeatMaps, RejectsInvalidArguments) {
  report::HeatMaps maps{"H"};
  EXPECT_REFUSED(svg(maps), "report::HeatMaps: 'H' has no maps");
  maps.maps = {{"a", {}}};
  EXPECT_REFUSED(svg(maps), "report::HeatMaps: 'H': the map 'a' has no values");
  maps.maps[0].values = Eigen::MatrixXd::Ones(1, 1);
  maps.limit = 0;
  EXPECT_REFUSED(svg(maps), "'H': the limit is 0, expected a finite number above 0");
}

TEST(HistogramChart, ReportsValuesOutsideTheRange) {
  mhc::Histogram histogram(0, 1, 4);
  for (const double value : {0.1, 0.2, 0.9, -1.0, 2.0, 3.0, nan}) histogram.add(value);
  for (const report::Scale scale : {report::Scale::linear, report::Scale::log}) {
    report::HistogramChart chart{"H_pre", {"value"}, {"count", scale}, {{"site 1", histogram}}};
    const std::string drawn = svg(chart);
    EXPECT_EQ(Xml(drawn).error(), "");
    EXPECT_THAT(drawn, HasSubstr(">site 1 (1 below 0, 2 above 1, 1 NaN)<"));
  }
  EXPECT_REFUSED(svg(report::HistogramChart{"H"}), "report::HistogramChart: 'H' has no histograms");
}

TEST(Figure, RejectsInvalidArguments) {
  EXPECT_REFUSED(report::Figure("f").svg(), "report::Figure: 'f' has no charts");
  EXPECT_REFUSED(report::Figure("f", nan), "report::Figure: the width is");
  EXPECT_REFUSED(report::Figure("f").row({}), "report::Figure::row: there is no chart");
  EXPECT_REFUSED(report::Figure("f").row({chart_of({})}, 5), "the height is 5");
}

TEST(WriteSvg, IsAtomic) {
  const mhc_test::Folder folder;
  report::Figure figure("f");
  figure.row({chart_of({{"a", {1, 2}, {1, 2}}})});
  const std::string path = folder / "a/b/figure.svg";  // missing folders are created
  report::write_svg(path, figure);
  EXPECT_EQ(mhc_test::read_file(path), figure.svg());
  report::Figure other("another");
  other.row({chart_of({{"a", {1, 2}, {1, 2}}})});
  {
    const mhc_test::FullDisk disk(1000);
    EXPECT_THAT(mhc_test::refusal<std::runtime_error>([&] { report::write_svg(path, other); }),
                mhc_test::says("mhc::files: ", path, "cannot be written: File too large"));
  }
  EXPECT_EQ(mhc_test::read_file(path), figure.svg());
  mhc_test::write_file(folder / "file", "");
  EXPECT_THAT(mhc_test::refusal<std::runtime_error>(
                  [&] { report::write_svg(folder / "file/figure.svg", figure); }),
              mhc_test::says("report: ", "file/figure.svg: its folder cannot be created"));
}

}  // namespace
