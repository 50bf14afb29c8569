// SPDX-License-Identifier: MIT
// The measurements of one site.
#pragma once

#include <mhc/checkpoint/sites.hpp>
#include <mhc/diagnostics.hpp>

namespace inspect_checkpoint {

using mhc::Index;
using mhc::checkpoint::Role;
using mhc::checkpoint::Site;

struct SiteStatistics {
  const Site* site = nullptr;
  mhc::Histogram pre;  // in tenths of its range
  // A head has none of the following.
  mhc::Histogram post;
  double row_error = 0, column_error = 0;   // largest over the tokens
  mhc::Gains gains, composite;              // averaged over the tokens
  mhc::reference::Matrix<double> mean_res;  // (n, n), [out, in], over the tokens

  bool is_head() const { return site->role == Role::head; }
};

// values: (tokens, n)
inline mhc::Histogram tenths(mhc::TokenView<const float> values, double low, double high) {
  mhc::Histogram histogram(low, high, 10);
  histogram.add(values);
  return histogram;
}

// res: (tokens, n, n)
inline void measure_res(mhc::StreamView<const float> res, SiteStatistics& s) {
  s.row_error = mhc::row_error(res);
  s.column_error = mhc::column_error(res);
  s.mean_res = mhc::mean_mapping(res);
  s.gains = mhc::gains(res);
}

}  // namespace inspect_checkpoint
