// SPDX-License-Identifier: MIT
// Text, numbers, ticks and colours of reports.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>
#include <Eigen/Core>

#include "report/colour.hpp"
#include "report/text.hpp"
#include "report/ticks.hpp"

namespace {

using testing::ElementsAre;

TEST(Escaped, ReplacesMarkupAndUnprintableCharacters) {
  EXPECT_EQ(report::escaped("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(report::escaped("H_res \xe2\x89\xa4 1"), "H_res \xe2\x89\xa4 1");
  EXPECT_EQ(report::escaped("a\tb\nc"), "a b c");
  const std::string none = "\xef\xbf\xbd";
  EXPECT_EQ(report::escaped(std::string("a\0b", 3)), "a" + none + "b");
  EXPECT_EQ(report::escaped("\x1b[31m\x7f"), none + "[31m" + none);
  EXPECT_EQ(report::escaped("\xc2\x85"), none);  // a control of U+0080 to U+009F
  EXPECT_EQ(report::escaped("\xff\xc3(\xe2\x89"), none + none + "(" + none + none);
  EXPECT_EQ(report::escaped("\xe2\x80\xae"
                            "abc"),
            none + "abc");                           // right to left
  EXPECT_EQ(report::escaped("\xef\xbf\xbf"), none);  // U+FFFF, which XML forbids
}

TEST(Shortened, CutsBetweenCharacters) {
  EXPECT_EQ(report::shortened("abcd", 4), "abcd");
  EXPECT_EQ(report::shortened("abcde", 4), "abc\xe2\x80\xa6");
  EXPECT_EQ(report::shortened("\xc3\xa4\xc3\xb6\xc3\xbc", 2), "\xc3\xa4\xe2\x80\xa6");
}

TEST(Exact, RoundTrips) {
  for (const double value : {0.1, 1.0 / 3, 1e300, -5e-324, 123456789.0, 0.0}) {
    EXPECT_EQ(std::strtod(report::exact(value).c_str(), nullptr), value);
  }
  EXPECT_EQ(report::exact(0.1), "0.1");
  EXPECT_EQ(report::exact(0.1F), "0.1");
  EXPECT_EQ(report::exact(42), "42");
  EXPECT_EQ(report::number(1234.5678), "1235");
  EXPECT_EQ(report::number(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(report::number(-std::numeric_limits<double>::infinity()), "-infinite");
  EXPECT_EQ(report::power_of_ten(-12), "10\xe2\x81\xbb\xc2\xb9\xc2\xb2");
}

std::vector<std::string> labels(const std::vector<report::Tick>& ticks) {
  std::vector<std::string> labels;
  for (const report::Tick& tick : ticks) labels.push_back(tick.label);
  return labels;
}

TEST(LinearTicks, AreRoundNumbers) {
  EXPECT_THAT(labels(report::linear_ticks(0, 1, 5)),
              ElementsAre("0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(labels(report::linear_ticks(-3, 9, 5)),
              ElementsAre("0", "5"));  // steps of 2.4 go up to 5
  EXPECT_THAT(labels(report::linear_ticks(-2.5, -0.5, 4)), ElementsAre("\xe2\x88\x92"
                                                                       "2.5",
                                                                       "\xe2\x88\x92"
                                                                       "2.0",
                                                                       "\xe2\x88\x92"
                                                                       "1.5",
                                                                       "\xe2\x88\x92"
                                                                       "1.0",
                                                                       "\xe2\x88\x92"
                                                                       "0.5"));
  EXPECT_THAT(labels(report::linear_ticks(0, 4e7, 2)), ElementsAre("0",
                                                                   "2\xc3\x97"
                                                                   "10\xe2\x81\xb7",
                                                                   "4\xc3\x97"
                                                                   "10\xe2\x81\xb7"));
}

// Ticks are in order, inside the range, not too many, and have distinct labels.
void expect_valid(const std::vector<report::Tick>& ticks, double low, double high, int most) {
  SCOPED_TRACE(report::exact(low) + " to " + report::exact(high));
  ASSERT_GE(ticks.size(), 1u);
  std::vector<std::string> seen;
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    const double slack = 1e-6 * (high / 2 - low / 2);
    EXPECT_GE(ticks[i].value, low - slack);
    EXPECT_LE(ticks[i].value, high + slack);
    if (i > 0) {
      EXPECT_GT(ticks[i].value, ticks[i - 1].value);
    }
    if (!ticks[i].label.empty()) seen.push_back(ticks[i].label);
  }
  EXPECT_LE(seen.size(), static_cast<std::size_t>(most) + 1);
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
}

TEST(LinearTicks, AreValidForAnyRange) {
  const double ranges[][2] = {{0, 1e-12},          {1e-300, 3e-300}, {-1e300, 1e300},
                              {-1.7e308, 1.7e308}, {1e9, 1e9 + 7},   {1000.001, 1000.0021},
                              {-5, -4.99},         {0, 60},          {0.9, 1.1}};
  for (const auto& range : ranges) {
    for (const int most : {3, 6, 10}) {
      expect_valid(report::linear_ticks(range[0], range[1], most), range[0], range[1], most);
    }
  }
}

TEST(LogTicks, ArePowersOfTenWith2And5IfFew) {
  EXPECT_THAT(labels(report::log_ticks(1, 100, 8)),
              ElementsAre("1", "2", "5", "10", "20", "50", "100"));
  EXPECT_THAT(labels(report::log_ticks(0.009, 11, 5)), ElementsAre("0.01", "0.1", "1", "10"));
  EXPECT_THAT(labels(report::log_ticks(1e-7, 1e-5, 3)),
              ElementsAre("10\xe2\x81\xbb\xe2\x81\xb7", "10\xe2\x81\xbb\xe2\x81\xb6",
                          "10\xe2\x81\xbb\xe2\x81\xb5"));
}

// No power of ten, and too many of 1, 2, 5.
TEST(LogTicks, FallBackToLinear) {
  EXPECT_THAT(labels(report::log_ticks(1.5, 9, 2)), labels(report::linear_ticks(1.5, 9, 2)));
  expect_valid(report::log_ticks(1.5, 9, 2), 1.5, 9, 2);
}

TEST(LogTicks, AreValidForAnyRange) {
  const double ranges[][2] = {{1e-150, 1e150}, {1e-300, 1e300}, {3.1, 3.4},  {0.2, 0.3},
                              {1, 10},         {7e5, 3e6},      {1e-9, 1e9}, {2, 2.0001}};
  for (const auto& range : ranges) {
    for (const int most : {3, 6, 10}) {
      expect_valid(report::log_ticks(range[0], range[1], most), range[0], range[1], most);
    }
  }
}

// ---- colours: CIE L*a*b* as perceived with full colour vision or without one kind of cone
// (Machado, Oliveira and Fernandes 2009, severity 1)

Eigen::Vector3d linear(report::Colour c) {
  const auto part = [](int value) {
    const double share = value / 255.0;
    return share <= 0.04045 ? share / 12.92 : std::pow((share + 0.055) / 1.055, 2.4);
  };
  return {part(c.red), part(c.green), part(c.blue)};
}

double luminance(report::Colour c) {
  return Eigen::Vector3d(0.2126, 0.7152, 0.0722).dot(linear(c));
}

Eigen::Vector3d lab(const Eigen::Vector3d& rgb) {
  Eigen::Matrix3d to_xyz;
  to_xyz << 0.4124, 0.3576, 0.1805, 0.2126, 0.7152, 0.0722, 0.0193, 0.1192, 0.9505;
  const Eigen::Vector3d xyz = (to_xyz * rgb).cwiseQuotient(Eigen::Vector3d(0.9505, 1, 1.089));
  const auto f = [](double t) { return t > 0.008856 ? std::cbrt(t) : 7.787 * t + 16 / 116.0; };
  return {116 * f(xyz(1)) - 16, 500 * (f(xyz(0)) - f(xyz(1))), 200 * (f(xyz(1)) - f(xyz(2)))};
}

TEST(Palette, IsLegibleOnWhiteAndForTheColourBlind) {
  std::vector<Eigen::Matrix3d> eyes(4);
  eyes[0].setIdentity();
  eyes[1] << 0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116,
      1.051998;
  eyes[2] << 0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940,
      0.968881;
  eyes[3] << 1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367,
      0.303900;
  EXPECT_GE(report::palette.size(), 8u);
  for (std::size_t i = 0; i < report::palette.size(); ++i) {
    EXPECT_GE(1.05 / (luminance(report::palette[i]) + 0.05), 3) << report::palette[i].hex();
    for (std::size_t j = 0; j < i; ++j) {
      for (std::size_t eye = 0; eye < eyes.size(); ++eye) {
        const auto seen = [&](std::size_t k) {
          const Eigen::Vector3d rgb = eyes[eye] * linear(report::palette[k]);
          return lab(rgb.cwiseMax(0).cwiseMin(1));
        };
        EXPECT_GE((seen(i) - seen(j)).norm(), 15) << i << " and " << j << ", eye " << eye;
      }
    }
  }
}

TEST(ColourMaps, DarkenAwayFromZero) {
  for (int i = 0; i < 20; ++i) {
    const double near = i / 20.0;
    const double far = near + 0.05;
    EXPECT_GT(luminance(report::sequential(near)), luminance(report::sequential(far)));
    EXPECT_GT(luminance(report::diverging(near)), luminance(report::diverging(far)));
    EXPECT_GT(luminance(report::diverging(-near)), luminance(report::diverging(-far)));
  }
  EXPECT_EQ(report::sequential(7).hex(), report::sequential(1).hex());
  EXPECT_EQ(report::diverging(-7).hex(), report::diverging(-1).hex());
  EXPECT_GT(report::diverging(1).blue, report::diverging(1).red);
  EXPECT_GT(report::diverging(-1).red, report::diverging(-1).blue);
}

}  // namespace
