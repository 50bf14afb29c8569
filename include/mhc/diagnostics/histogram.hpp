// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <mhc/check.hpp>
#include <mhc/diagnostics/finite.hpp>
#include <mhc/element.hpp>
#include <mhc/view.hpp>

MHC_NAMESPACE_BEGIN

/// A histogram over [low, high] with `bins` bins of equal width; the last bin includes its upper
/// edge. Values outside the range and NaN are counted separately.
///
/// Throws std::invalid_argument unless low < high, high - low is finite and bins >= 1.
class Histogram {
 public:
  Histogram() : Histogram(0.0, 1.0, 10) {}
  Histogram(double low, double high, Index bins) : low_(low), high_(high) {
    const bool is_range = detail::is_finite(low) && detail::is_finite(high) && low < high;
    if (!is_range || !detail::is_finite(high - low)) {
      detail::refuse("Histogram", "the range is ", low, " to ", high,
                     ", expected finite, increasing bounds");
    }
    if (bins < 1) detail::refuse("Histogram", bins, " bins, expected at least 1");
    counts_.resize(static_cast<std::size_t>(bins));
  }

  void add(double value) {
    ++total_;
    if (detail::is_nan(value)) {
      ++not_a_number_;
      return;
    }
    // Under -ffast-math only the sign of an infinity may be compared.
    const bool is_finite = detail::is_finite(value);
    if (is_finite) {
      const Index seen = total_ - not_a_number_ - infinite_;
      mean_ += (value - mean_) / static_cast<double>(seen);
      least_ = seen == 1 ? value : (std::min)(least_, value);
      most_ = seen == 1 ? value : (std::max)(most_, value);
    } else {
      ++infinite_;
    }
    if (value < low_) {
      ++below_;
    } else if (!is_finite || value > high_) {
      ++above_;
    } else {
      const double place = (value - low_) / (high_ - low_) * static_cast<double>(counts_.size());
      ++counts_[(std::min)(static_cast<std::size_t>(place), counts_.size() - 1)];
    }
  }

  /// Adds every element of a view (tokens, C), such as pre or post of a site.
  template <class Scalar>
  void add(TokenView<Scalar> values) {
    for (Index t = 0; t < values.tokens; ++t) {
      for (Index c = 0; c < values.channels; ++c) add(static_cast<double>(values.row(t)[c]));
    }
  }

  double low() const { return low_; }
  double high() const { return high_; }
  Index bins() const { return static_cast<Index>(counts_.size()); }
  /// The lower edge of bin i; edge(bins()) is high.
  double edge(Index i) const {
    const double share = static_cast<double>(i) / static_cast<double>(bins());
    return i == bins() ? high_ : low_ + share * (high_ - low_);
  }
  const std::vector<Index>& counts() const { return counts_; }

  Index total() const { return total_; }                ///< all values
  Index below() const { return below_; }                ///< less than low, including -infinity
  Index above() const { return above_; }                ///< more than high, including infinity
  Index not_a_number() const { return not_a_number_; }  ///< NaN

  /// Mean, minimum and maximum of the finite values; 0 if there are none.
  double mean() const { return mean_; }
  double least() const { return least_; }
  double most() const { return most_; }

 private:
  double low_, high_;
  std::vector<Index> counts_;
  Index total_ = 0, below_ = 0, above_ = 0, not_a_number_ = 0, infinite_ = 0;
  double mean_ = 0, least_ = 0, most_ = 0;
};

MHC_NAMESPACE_END
