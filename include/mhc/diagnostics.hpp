// SPDX-License-Identifier: MIT
#pragma once

#include <Eigen/Core>
#include <Eigen/SVD>

#include <mhc/reference.hpp>
#include <mhc/shapes.hpp>
#include <mhc/storage.hpp>

MHC_NAMESPACE_BEGIN

// What one looks at to see whether the streams are healthy. In double precision, for looking, not
// for hot loops. H is a residual mapping (n, n), [out, in].

/// The Amax gain of the forward signal, the largest absolute row sum: max_i |sum_j H_ij|. It is
/// |row sum|, not the norm max_i sum_j |H_ij|. Source: arXiv:2512.24880, section 5.4.
template <class Derived>
double forward_gain(const Eigen::MatrixBase<Derived>& H) {
  return H.template cast<double>().rowwise().sum().cwiseAbs().maxCoeff();
}

/// The Amax gain of the backward signal, the largest absolute column sum: max_j |sum_i H_ij|.
template <class Derived>
double backward_gain(const Eigen::MatrixBase<Derived>& H) {
  return H.template cast<double>().colwise().sum().cwiseAbs().maxCoeff();
}

/// How far the rows are from summing to one: max_i |1 - sum_j H_ij|.
template <class Derived>
double row_error(const Eigen::MatrixBase<Derived>& H) {
  return (H.template cast<double>().rowwise().sum().array() - 1.0).abs().maxCoeff();
}

/// How far the columns are from summing to one: max_j |1 - sum_i H_ij|.
template <class Derived>
double column_error(const Eigen::MatrixBase<Derived>& H) {
  return (H.template cast<double>().colwise().sum().array() - 1.0).abs().maxCoeff();
}

/// How far the matrices of a site are from doubly stochastic: the largest row or column error of
/// `res` (tokens, n, n), a site's saved.res(). Zero tokens have no error.
template <class Scalar>
double marginal_error(StreamView<Scalar> res) {
  detail::check_shape("marginal_error", "res", res, res.tokens, res.streams, res.streams);
  double error = 0.0;
  for (index t = 0; t < res.tokens; ++t) {
    for (const double here : {row_error(res.token(t)), column_error(res.token(t))}) {
      if (!(here <= error)) error = here;
      if (error != error) return error;  // not a number
    }
  }
  return error;
}

/// The largest singular value; at most 1 for a doubly stochastic matrix.
template <class Derived>
double spectral_norm(const Eigen::MatrixBase<Derived>& H) {
  const Eigen::MatrixXd dense = H.template cast<double>();
  return Eigen::JacobiSVD<Eigen::MatrixXd>(dense).singularValues()(0);
}

/// Forward and backward gain, averaged over tokens.
struct Gains {
  double forward = 1.0;
  double backward = 1.0;
};

/// The gains of one layer: `res` is (tokens, n, n), a site's saved.res().
template <class Scalar>
Gains gains(StreamView<Scalar> res) {
  detail::check_shape("gains", "res", res, res.tokens, res.streams, res.streams);
  Gains mean{0.0, 0.0};
  for (index t = 0; t < res.tokens; ++t) {
    mean.forward += forward_gain(res.token(t)) / static_cast<double>(res.tokens);
    mean.backward += backward_gain(res.token(t)) / static_cast<double>(res.tokens);
  }
  return mean;
}

/// The composite of layers, H_L ... H_2 H_1, the latest leftmost, for each token of a sequence.
///
///   mhc::CompositeMapping composite(tokens, n);
///   for each site, in order:  composite.apply(saved.res());
///   composite.gains();        // averaged over the tokens, as the paper's figure 3
class CompositeMapping {
 public:
  CompositeMapping(index tokens, index streams) : products_(tokens, streams, streams) {
    for (index t = 0; t < tokens; ++t) products_.token(t).setIdentity();
  }

  /// Puts a later layer's H_res (tokens, n, n) on the left.
  template <class Scalar>
  void apply(StreamView<Scalar> res) {
    detail::check_shape("CompositeMapping::apply", "res", res, products_.tokens(),
                        products_.streams(), products_.streams());
    for (index t = 0; t < res.tokens; ++t) {
      const reference::Matrix<double> later = res.token(t).template cast<double>();
      const reference::Matrix<double> product = later * products_.token(t);
      products_.token(t) = product;
    }
  }

  /// Puts an earlier layer's H_res (tokens, n, n) on the right.
  template <class Scalar>
  void apply_before(StreamView<Scalar> res) {
    detail::check_shape("CompositeMapping::apply_before", "res", res, products_.tokens(),
                        products_.streams(), products_.streams());
    for (index t = 0; t < res.tokens; ++t) {
      const reference::Matrix<double> earlier = res.token(t).template cast<double>();
      const reference::Matrix<double> product = products_.token(t) * earlier;
      products_.token(t) = product;
    }
  }

  Gains gains() const { return mhc::gains(products_.view()); }

  /// The product of one token, (n, n).
  auto token(index t) const { return products_.token(t); }

 private:
  Streams<double> products_;
};

MHC_NAMESPACE_END
