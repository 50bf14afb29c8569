// SPDX-License-Identifier: MIT
// The figure, H_res of every site by depth and the gains over depth, and the page around it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "../report/page.hpp"
#include "text.hpp"

namespace inspect_checkpoint {

// "3 attn", "mtp 0 mlp"; if the role is unknown, the last two words of the name: "3.0".
inline std::string short_name(const Site& site) {
  if (site.role == Role::unknown) {
    const std::size_t last = site.name.rfind('.');
    if (last == std::string::npos || last == 0) return site.name;
    return site.name.substr(site.name.rfind('.', last - 1) + 1);
  }
  const std::string layer = site.layer < 0 ? "" : std::to_string(site.layer) + " ";
  const char* const roles[] = {"attn", "mlp", "head"};
  return (site.is_mtp ? "mtp " : "") + layer + roles[static_cast<int>(site.role)];
}

// Four maps per row if there are few, else eight, so that attention is below attention.
inline report::HeatMaps heat_maps(const std::vector<SiteStatistics>& sites) {
  report::HeatMaps maps{"", "out", "in"};
  double limit = 1;
  for (const SiteStatistics& s : sites) {
    if (s.is_head()) continue;
    maps.maps.push_back({short_name(*s.site), s.mean_res});
    for (const double value : s.mean_res.reshaped()) {
      if (mhc::detail::is_finite(value)) limit = std::max(limit, std::abs(value));
    }
  }
  maps.limit = limit;
  maps.in_row = maps.maps.size() <= 4 ? 4 : 8;
  return maps;
}

inline report::LineChart gain_chart(const std::vector<SiteStatistics>& sites) {
  report::LineChart chart{"Gain over depth", {}, {"Amax gain"}};
  chart.series = {{"forward"}, {"backward"}, {"composite fwd"}, {"composite bwd"}};
  double least = 1;
  double most = 1;
  for (const SiteStatistics& s : sites) {
    if (s.is_head()) continue;
    const auto place = static_cast<double>(chart.series[0].x.size());
    chart.x.ticks.push_back({place, short_name(*s.site)});
    const double gains[] = {s.gains.forward, s.gains.backward, s.composite.forward,
                            s.composite.backward};
    for (std::size_t i = 0; i < 4; ++i) {
      chart.series[i].x.push_back(place);
      chart.series[i].y.push_back(gains[i]);
      if (!mhc::detail::is_finite(gains[i])) continue;
      least = std::min(least, gains[i]);
      most = std::max(most, gains[i]);
    }
  }
  chart.series[0].is_dashed = chart.series[1].is_dashed = true;
  if (most > 100 && least > 0) chart.y.scale = report::Scale::log;
  // A doubly stochastic matrix's gain is 1 up to rounding, which should not fill the chart.
  if (least >= 0.9) chart.y.low = 0.9;
  if (most <= 1.1) chart.y.high = 1.1;
  chart.x.low = -0.5;
  chart.x.high = static_cast<double>(chart.series[0].x.size()) - 0.5;
  return chart;
}

inline report::Figure figure(const std::string& title, const std::vector<SiteStatistics>& sites,
                             Index tokens) {
  const report::HeatMaps maps = heat_maps(sites);
  const std::size_t rows = (maps.maps.size() + maps.in_row - 1) / maps.in_row;
  const double each = maps.in_row == 4 ? 190 : 108;
  report::Figure figure(title);
  figure.subtitle("H_res of each site, averaged over " + std::to_string(tokens) +
                  " random tokens: rows are the streams written, columns those read");
  figure.row({maps}, each * static_cast<double>(rows) + 18).row({gain_chart(sites)}, 240);
  return figure;
}

// The numbers of every site, as on the terminal.
inline report::Table page_table(const std::vector<SiteStatistics>& sites) {
  report::Table table;
  table.header = {"site",          "role",          "row error",     "column error", "forward gain",
                  "backward gain", "composite fwd", "composite bwd", "mean pre",     "mean post"};
  for (const SiteStatistics& s : sites) {
    std::vector<std::string> row{printable(s.site->name), name(s.site->role)};
    if (s.is_head()) {
      row.resize(8);
    } else {
      for (const double error : {s.row_error, s.column_error}) row.push_back(format("%.1e", error));
      for (const double gain :
           {s.gains.forward, s.gains.backward, s.composite.forward, s.composite.backward}) {
        row.push_back(format("%.5g", gain));
      }
    }
    row.push_back(format("%.3f", s.pre.mean()));
    row.push_back(s.is_head() ? "" : format("%.3f", s.post.mean()));
    table.rows.push_back(row);
  }
  return table;
}

using Settings = std::vector<std::pair<std::string, std::string>>;

inline report::Page page(const report::Figure& figure, const std::vector<SiteStatistics>& sites,
                         const Settings& settings) {
  report::Page page(figure.title());
  page.paragraph(
      "The effect of a checkpoint's mappings on random streams: each token starts as N(0, 1), "
      "repeated to all streams, and the output of every sublayer, which is not computed, is "
      "another "
      "vector of N(0, 1).");
  page.settings(settings);
  page.heading("Mappings and gains");
  page.figure(figure,
              "Above, H_res of each site. Below, the largest absolute row sum (forward) and column "
              "sum (backward) of each site's H_res, and of the product of all up to it "
              "(composite); 1 where they are doubly stochastic.");
  page.heading("Numbers");
  page.table(page_table(sites),
             "Errors are the largest of all tokens; gains, pre and post are means over them.");
  return page;
}

}  // namespace inspect_checkpoint
