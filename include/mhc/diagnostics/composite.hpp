// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/arguments.hpp>
#include <mhc/diagnostics/gains.hpp>
#include <mhc/reference.hpp>
#include <mhc/storage.hpp>
#include <mhc/view.hpp>

MHC_NAMESPACE_BEGIN

/// The mean over tokens of `res` (tokens, n, n), as an (n, n) matrix [out, in]; zeros if there are
/// no tokens.
template <class Scalar>
reference::Matrix<double> mean_mapping(StreamView<Scalar> res) {
  detail::check_shape("mean_mapping", "res", res, res.tokens, res.streams, res.streams);
  reference::Matrix<double> mean = reference::Matrix<double>::Zero(res.streams, res.streams);
  for (Index t = 0; t < res.tokens; ++t) {
    mean += res.token(t).template cast<double>() / static_cast<double>(res.tokens);
  }
  return mean;
}

/// The composite mapping of several layers for each token, H_L ... H_2 H_1, with the last layer
/// leftmost; the identity before the first layer.
///
///   mhc::CompositeMapping composite(tokens, n);
///   for each site, in order:  composite.apply(saved.res());
///   composite.gains();        // averaged over the tokens, as in the paper's figure 3
///
/// Source: arXiv:2512.24880, section 5.4.
class CompositeMapping {
 public:
  CompositeMapping(Index tokens, Index streams) : products_(tokens, streams, streams) {
    for (Index t = 0; t < tokens; ++t) products_.token(t).setIdentity();
  }

  /// Multiplies by a later layer's H_res (tokens, n, n) from the left. Throws std::invalid_argument
  /// for other sizes.
  template <class Scalar>
  void apply(StreamView<Scalar> res) {
    check_product("CompositeMapping::apply", res);
    for (Index t = 0; t < res.tokens; ++t) {
      const reference::Matrix<double> later = res.token(t).template cast<double>();
      const reference::Matrix<double> product = later.lazyProduct(products_.token(t));
      products_.token(t) = product;
    }
  }

  /// Multiplies by an earlier layer's H_res (tokens, n, n) from the right. Called from the last
  /// layer to the first, it gives the products from each layer to the last. Throws
  /// std::invalid_argument for other sizes.
  template <class Scalar>
  void apply_before(StreamView<Scalar> res) {
    check_product("CompositeMapping::apply_before", res);
    for (Index t = 0; t < res.tokens; ++t) {
      const reference::Matrix<double> earlier = res.token(t).template cast<double>();
      const reference::Matrix<double> product = products_.token(t).lazyProduct(earlier);
      products_.token(t) = product;
    }
  }

  Gains gains() const { return mhc::gains(products_.view()); }

  /// The mean of the products over the tokens, (n, n).
  reference::Matrix<double> mean() const { return mean_mapping(products_.view()); }

  /// The product of one token, (n, n).
  auto token(Index t) const { return products_.token(t); }

 private:
  template <class Scalar>
  void check_product(const char* function, StreamView<Scalar> res) const {
    detail::check_shape(function, "res", res, products_.tokens(), products_.streams(),
                        products_.streams());
  }

  Streams<double> products_;
};

MHC_NAMESPACE_END
