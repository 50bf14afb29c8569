// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include <mhc/parameters.hpp>
#include <mhc/shapes.hpp>

MHC_NAMESPACE_BEGIN

// A learned weight w of the norm before the projection only scales the rows of phi:
//
//   (r x o (offset + w)) phi = r x phi',    phi'_kr = (offset + w_k) phi_kr
//
//   w (K): openPangu's norm_gamma (offset 0);  (C): lucidrains' gamma (offset 1)
//
// so it is folded into phi once, at load time. To train it, keep phi and w, fold before each
// forward, and compute both gradients from that of phi':
//
//   dphi_kr += (offset + w_k) dphi'_kr,     dw_k += sum_r phi_kr dphi'_kr

namespace detail {

template <class Parameters>
void check_norm_weight(const char* function, const char* name, const Parameters& parameters,
                       index channels) {
  if (parameters.data == nullptr || parameters.channels != channels) {
    refuse(function, name, " has ", parameters.channels, " channels",
           parameters.data == nullptr ? " and no data (null pointer)" : "", ", expected ",
           channels);
  }
}

}  // namespace detail

/// Assigns to `folded` the parameters with phi' in place of phi; it may be `parameters` itself.
/// `weight` has K numbers, one for each row of phi: K = N C, or C if each stream is normalised
/// separately. Throws std::invalid_argument for null pointers or different channels.
template <int N, class From, class Weight, class Scalar, class Connection>
void fold_norm_weight(ParametersView<N, From, Connection> parameters, const Weight* weight,
                      double offset, ParametersView<N, Scalar, Connection> folded) {
  constexpr const char* here = "fold_norm_weight";
  const index channels = parameters.channels;
  detail::check_norm_weight(here, "parameters", parameters, channels);
  detail::check_norm_weight(here, "folded", folded, channels);
  if (weight == nullptr) detail::refuse(here, "weight has no data (null pointer)");
  if (static_cast<const void*>(parameters.data) != static_cast<const void*>(folded.data)) {
    std::copy_n(parameters.data, parameters.size(channels), folded.data);
  }
  for (index k = 0; k < folded.phi().rows(); ++k) {
    folded.phi().row(k) *= static_cast<Scalar>(offset) + static_cast<Scalar>(weight[k]);
  }
}

/// ADDS to dparameters and dweight the gradients that follow from dfolded, those of the folded
/// parameters. dparameters must not be dfolded itself. Throws std::invalid_argument as
/// fold_norm_weight does.
template <int N, class From, class Folded, class Scalar, class Connection>
void fold_norm_weight_backward(ParametersView<N, From, Connection> parameters, const Scalar* weight,
                               double offset, ParametersView<N, Folded, Connection> dfolded,
                               ParametersView<N, Scalar, Connection> dparameters, Scalar* dweight) {
  constexpr const char* here = "fold_norm_weight_backward";
  const index channels = parameters.channels;
  detail::check_norm_weight(here, "parameters", parameters, channels);
  detail::check_norm_weight(here, "dfolded", dfolded, channels);
  detail::check_norm_weight(here, "dparameters", dparameters, channels);
  if (weight == nullptr) detail::refuse(here, "weight has no data (null pointer)");
  if (dweight == nullptr) detail::refuse(here, "dweight has no data (null pointer)");
  if (static_cast<const void*>(dfolded.data) == static_cast<const void*>(dparameters.data)) {
    detail::refuse(here, "dparameters is dfolded itself, expected separate memory");
  }
  for (index k = 0; k < dfolded.phi().rows(); ++k) {
    dparameters.phi().row(k) += (static_cast<Scalar>(offset) + weight[k]) * dfolded.phi().row(k);
    dweight[k] += parameters.phi().row(k).cwiseProduct(dfolded.phi().row(k)).sum();
  }
  dparameters.alpha() += dfolded.alpha();
  dparameters.b() += dfolded.b();
}

MHC_NAMESPACE_END
