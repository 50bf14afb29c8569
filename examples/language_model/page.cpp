// SPDX-License-Identifier: MIT
#include "page.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <mhc/diagnostics/recorder.hpp>

#include "../report/figure.hpp"
#include "../report/page.hpp"
#include "curve_statistics.hpp"
#include "language_model.hpp"
#include "outcome.hpp"
#include "run_table.hpp"
#include "run_tables.hpp"
#include "sampler.hpp"
#include "text.hpp"

namespace language_model {

namespace {

report::Figure learning_figure(const RunTables& tables, bool further) {
  constexpr std::size_t width = 20;
  const auto steps = tables.steps.column(0);
  report::LineChart loss{"Loss", {"step"}, {"bits per byte"}};
  loss.series.push_back(
      {"training, mean of 20 steps", steps, trailing_mean(tables.steps.column(2), width)});
  if (tables.evaluations && tables.evaluations->size() > 0) {
    loss.series.push_back(
        {"validation, a sample", tables.evaluations->column(0), tables.evaluations->column(1)});
  }
  if (further) {
    auto further_loss = trailing_mean(tables.steps.column(3), width);
    for (double& value : further_loss) value = bits(value);
    loss.series.push_back({"one byte further, training", steps, further_loss, true});
  }
  report::LineChart norm{"Gradient norm", {"step"}, {"norm before clipping", report::Scale::log}};
  norm.series.push_back({"gradient", steps, tables.steps.column(4)});
  report::Figure figure("Learning");
  figure.row({loss, norm}, 320);
  return figure;
}

mhc::Recorder record_sites(const LanguageModel& model) {
  // The ranges of mHC, or wider ones for unbounded hyper-connections.
  mhc::RecorderOptions options;
  for (Index i = 0; i < model.sites(); ++i) {
    const SiteView site = model.site(i);
    const auto pre = site.pre.matrix().template cast<double>();
    const auto post = site.post.matrix().template cast<double>();
    options.pre_low = std::min(options.pre_low, pre.minCoeff());
    options.pre_high = std::max(options.pre_high, pre.maxCoeff());
    options.post_low = std::min(options.post_low, post.minCoeff());
    options.post_high = std::max(options.post_high, post.maxCoeff());
  }
  mhc::Recorder recorder(options);
  for (Index i = 0; i < model.sites(); ++i) {
    const SiteView site = model.site(i);
    recorder.record(std::to_string(i / 2 + 1) + (i % 2 == 0 ? " attention" : " experts"), site.x,
                    site.pre, site.post, site.res);
  }
  recorder.finish();
  return recorder;
}

report::Figure depth_figure(const mhc::Recorder& recorder, const RunTables& tables) {
  std::vector<double> number, forward, backward, to_last, similarity, effective;
  for (const mhc::SiteRecord& site : recorder.sites()) {
    number.push_back(static_cast<double>(number.size() + 1));
    forward.push_back(site.composite.forward);
    backward.push_back(site.composite.backward);
    to_last.push_back(site.to_last.backward);
    similarity.push_back(site.mean_similarity);
    effective.push_back(site.effective_streams);
  }
  report::LineChart gains{"Composite gain", {"site"}, {"Amax gain"}};
  gains.series = {{"forward, up to the site", number, forward},
                  {"backward, up to the site", number, backward},
                  {"backward, from the last to the site", number, to_last, true}};
  report::LineChart streams{"Streams", {"site"}, {"cosine, or number of streams"}};
  streams.series = {{"mean cosine of two streams", number, similarity},
                    {"effective number of streams", number, effective}};
  report::Figure figure("The residual streams over depth");
  figure.row({gains, streams}, 300);
  if (tables.evaluations && tables.evaluations->size() > 0) {
    report::LineChart over_steps{
        "Composite gain of all sites while training", {"step"}, {"Amax gain"}};
    over_steps.series = {
        {"forward", tables.evaluations->column(0), tables.evaluations->column(2)},
        {"backward", tables.evaluations->column(0), tables.evaluations->column(3)}};
    figure.row({over_steps}, 240);
  }
  return figure;
}

// Of the first site, one in the middle and the last.
report::Figure gates_figure(const mhc::Recorder& recorder) {
  report::HistogramChart pre{"H_pre", {"weight of a stream in what the site reads"}, {"count"}};
  report::HistogramChart post{"H_post", {"weight of what it writes in a stream"}, {"count"}};
  const std::size_t sites = recorder.sites().size();
  for (const std::size_t i : {std::size_t{0}, sites / 2, sites - 1}) {
    const mhc::SiteRecord& site = recorder.sites()[i];
    if (!pre.bars.empty() && pre.bars.back().name == site.name) continue;  // of two sites
    pre.bars.push_back({site.name, site.pre});
    post.bars.push_back({site.name, site.post});
  }
  report::Figure figure("The gates of three sites");
  figure.row({pre, post}, 280);
  return figure;
}

report::Figure mappings_figure(const mhc::Recorder& recorder) {
  report::HeatMaps maps{"", "out", "in"};
  for (const mhc::SiteRecord& site : recorder.sites()) {
    maps.maps.push_back({site.name, site.mean_res});
  }
  maps.maps.push_back({"all of them", recorder.sites().back().mean_composite});
  const bool is_within_one =
      std::all_of(maps.maps.begin(), maps.maps.end(),
                  [](const report::HeatMap& map) { return map.values.cwiseAbs().maxCoeff() <= 1; });
  if (is_within_one) maps.limit = 1;  // so that the pages of several runs are comparable
  maps.in_row = 5;
  const std::size_t rows = (maps.maps.size() + maps.in_row - 1) / maps.in_row;
  report::Figure figure("H_res, mean over the tokens");
  figure.row({maps}, 30 + 175 * static_cast<double>(rows));
  return figure;
}

report::Figure experts_figure(const ExpertLoads& loads) {
  const Eigen::MatrixXd shares = loads.shares();
  report::HeatMaps maps{"", "layer", "expert"};
  maps.maps.push_back({"", shares});
  report::Figure figure("Each routed expert's share of its layer's slots");
  figure.row({maps}, 60 + 40 * static_cast<double>(shares.rows()));
  return figure;
}

}  // namespace

std::filesystem::path write_page(const std::filesystem::path& folder, const LanguageModel& model,
                                 const PageContent& content) {
  report::Page page("A language model: " + content.name);
  const auto add = [&](const char* what, const report::Figure& figure, const std::string& caption) {
    page.figure(figure, caption);
    report::write_svg((folder / (content.name + "_" + what + ".svg")).string(), figure);
  };
  page.paragraph("A byte-level decoder was trained from scratch on " + content.text.source +
                 "; held out for validation: " + content.text.split + ".");
  page.heading("Outcome");
  page.settings(lines_of(content.outcome));
  page.heading("Configuration");
  page.settings(content.settings);
  page.heading("Learning");
  if (content.tables.steps.size() > 0) {
    add("learning", learning_figure(content.tables, model.has_prediction_module()),
        "The loss of the next byte, and the norm of the whole gradient before it is clipped to 1.");
  }
  const mhc::Recorder recorder = record_sites(model);
  if (recorder.sites().front().mean_res.rows() > 1) {
    page.heading("Residual streams");
    add("depth", depth_figure(recorder, content.tables),
        "Amax gains of the product of H_res over depth, averaged over tokens from the beginning of "
        "the validation text, and the similarity of each site's streams.");
    add("gates", gates_figure(recorder),
        "H_pre and H_post of the first, a middle and the last site, over all streams of the same "
        "tokens.");
    add("mappings", mappings_figure(recorder),
        "H_res[out, in] of each site and of their product, averaged over the same tokens.");
  }
  page.heading("Experts");
  add("experts", experts_figure(content.outcome.validation.loads),
      "Over the validation text, in windows that overlap by half; balanced is 1 / " +
          std::to_string(model.experts()) + "." +
          (model.has_prediction_module() ? " The last row is the prediction module." : ""));
  if (!content.sample.empty()) {
    page.heading("Text");
    page.paragraph("What the model wrote after '" + printable(content.prompt) + "':");
    page.preformatted(printable(content.sample));
  }
  const std::filesystem::path path = folder / (content.name + ".html");
  page.write(path.string());
  return path;
}

}  // namespace language_model
