// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <mhc/diagnostics/composite.hpp>
#include <mhc/diagnostics/gains.hpp>
#include <mhc/diagnostics/histogram.hpp>
#include <mhc/diagnostics/marginals.hpp>
#include <mhc/diagnostics/similarity.hpp>
#include <mhc/storage.hpp>

MHC_NAMESPACE_BEGIN

/// The diagnostics of one site of a forward pass; means are over its tokens.
struct SiteRecord {
  std::string name = {};
  Gains gains = {};      ///< of H_res
  Gains composite = {};  ///< of the product from the first site to this one
  Gains to_last = {};    ///< of the product from this site to the last; set by finish()
  double row_error = 0, column_error = 0;         ///< of H_res, the largest over the tokens
  reference::Matrix<double> mean_res = {};        ///< (n, n), [out, in]
  reference::Matrix<double> mean_composite = {};  ///< (n, n), of the product up to this site
  Histogram pre = {}, post = {};                  ///< over tokens and streams
  reference::Matrix<double> similarity = {};      ///< (n, n), of the site's input streams
  double mean_similarity = 0;                     ///< over pairs of different streams
  double effective_streams = 0;                   ///< 1 to n
};

/// The ranges of a recorder's histograms. For mHC, pre is in (0, 1) and post in (0, 2).
struct RecorderOptions {
  double pre_low = 0, pre_high = 1;
  double post_low = 0, post_high = 2;
  Index bins = 20;
};

/// Records each site of a forward pass, in order, as a SiteRecord.
///
///   mhc::Recorder recorder;
///   for each site:  recorder.record("3 attn", x, saved.pre(), saved.post(), saved.res());
///   recorder.finish();
///   for (const mhc::SiteRecord& site : recorder.sites()) ...
///
/// Model code that is a template on its recorder can take a NoRecorder instead, at no cost. Until
/// clear(), a Recorder keeps every H_res in double: tokens x n x n values per site.
class Recorder {
 public:
  static constexpr bool is_recording = true;

  explicit Recorder(RecorderOptions options = {}) : options_(options) {}

  /// Records a site: x (tokens, n, C), the streams before it; pre, post (tokens, n); res (tokens,
  /// n, n). Throws std::invalid_argument if the sizes do not match each other or the first site's.
  template <class X, class Pre, class Post, class Res>
  void record(std::string name, StreamView<X> x, TokenView<Pre> pre, TokenView<Post> post,
              StreamView<Res> res) {
    constexpr const char* function = "Recorder::record";
    const Index tokens = res_.empty() ? x.tokens : res_.front().tokens();
    const Index n = res_.empty() ? x.streams : res_.front().streams();
    detail::check_shape(function, "x", x, tokens, n, x.channels);
    detail::check_shape(function, "pre", pre, tokens, n);
    detail::check_shape(function, "post", post, tokens, n);
    detail::check_shape(function, "res", res, tokens, n, n);
    SiteRecord site;
    site.name = std::move(name);
    site.gains = mhc::gains(res);
    site.row_error = mhc::row_error(res);
    site.column_error = mhc::column_error(res);
    site.mean_res = mean_mapping(res);
    site.pre = Histogram(options_.pre_low, options_.pre_high, options_.bins);
    site.pre.add(pre);
    site.post = Histogram(options_.post_low, options_.post_high, options_.bins);
    site.post.add(post);
    site.similarity = stream_similarity(x);
    site.mean_similarity = mean_off_diagonal(site.similarity);
    site.effective_streams = mhc::effective_streams(x);

    // Last, so that a rejected site does not enter the product.
    Streams<double> kept(tokens, n, n);
    for (Index t = 0; t < tokens; ++t) kept.token(t) = res.token(t).template cast<double>();
    if (!composite_) composite_.emplace(tokens, n);
    composite_->apply(std::as_const(kept).view());
    site.composite = composite_->gains();
    site.mean_composite = composite_->mean();
    sites_.push_back(std::move(site));
    res_.push_back(std::move(kept));
  }

  /// Computes SiteRecord::to_last of every site. Call it after the last site.
  void finish() {
    if (res_.empty()) return;
    CompositeMapping product(res_.front().tokens(), res_.front().streams());
    for (std::size_t i = res_.size(); i-- > 0;) {
      product.apply_before(std::as_const(res_[i]).view());
      sites_[i].to_last = product.gains();
    }
  }

  /// Discards all records, for the next forward pass.
  void clear() {
    sites_.clear();
    res_.clear();
    composite_.reset();
  }

  const std::vector<SiteRecord>& sites() const { return sites_; }

 private:
  RecorderOptions options_;
  std::vector<SiteRecord> sites_;
  std::vector<Streams<double>> res_;
  std::optional<CompositeMapping> composite_;
};

/// A recorder that records nothing: an empty class with empty functions. Guard arguments that are
/// expensive to compute with `if constexpr (R::is_recording)`.
class NoRecorder {
 public:
  static constexpr bool is_recording = false;

  template <class... Arguments>
  constexpr void record(const Arguments&...) const noexcept {}
  constexpr void finish() const noexcept {}
  constexpr void clear() const noexcept {}
};

MHC_NAMESPACE_END
