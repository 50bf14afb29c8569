// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include <type_traits>

#include <mhc/check.hpp>
#include <mhc/parameters.hpp>

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
                       Index channels) {
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
template <class Parameters, class Weight, class Folded>
void fold_norm_weight(const Parameters& parameters, const Weight* weight, double offset,
                      Folded&& folded) {
  constexpr const char* here = "fold_norm_weight";
  const auto from = detail::view_of(parameters);
  const auto to = detail::view_of(folded);
  static_assert(from.streams == to.streams && from.projections == to.projections,
                "mhc::fold_norm_weight: both are parameters of one kind of site");
  using Scalar = std::decay_t<decltype(*to.data)>;
  const Index channels = from.channels;
  detail::check_norm_weight(here, "parameters", from, channels);
  detail::check_norm_weight(here, "folded", to, channels);
  if (weight == nullptr) detail::refuse(here, "weight has no data (null pointer)");
  if (static_cast<const void*>(from.data) != static_cast<const void*>(to.data)) {
    std::copy_n(from.data, from.size(channels), to.data);
  }
  for (Index k = 0; k < to.phi().rows(); ++k) {
    to.phi().row(k) *= static_cast<Scalar>(offset) + static_cast<Scalar>(weight[k]);
  }
}

/// ADDS to dparameters and dweight the gradients that follow from dfolded, those of the folded
/// parameters. dparameters must not be dfolded itself. Throws std::invalid_argument as
/// fold_norm_weight does.
template <class Parameters, class Scalar, class Folded, class Gradients>
void fold_norm_weight_backward(const Parameters& parameters, const Scalar* weight, double offset,
                               const Folded& dfolded, Gradients&& dparameters, Scalar* dweight) {
  constexpr const char* here = "fold_norm_weight_backward";
  const auto values = detail::view_of(parameters);
  const auto from = detail::view_of(dfolded);
  const auto to = detail::view_of(dparameters);
  static_assert(values.streams == from.streams && values.projections == from.projections &&
                    from.streams == to.streams && from.projections == to.projections,
                "mhc::fold_norm_weight_backward: all three are parameters of one kind of site");
  const Index channels = values.channels;
  detail::check_norm_weight(here, "parameters", values, channels);
  detail::check_norm_weight(here, "dfolded", from, channels);
  detail::check_norm_weight(here, "dparameters", to, channels);
  if (weight == nullptr) detail::refuse(here, "weight has no data (null pointer)");
  if (dweight == nullptr) detail::refuse(here, "dweight has no data (null pointer)");
  if (static_cast<const void*>(from.data) == static_cast<const void*>(to.data)) {
    detail::refuse(here, "dparameters is dfolded itself, expected separate memory");
  }
  for (Index k = 0; k < from.phi().rows(); ++k) {
    to.phi().row(k) += (static_cast<Scalar>(offset) + weight[k]) * from.phi().row(k);
    dweight[k] += values.phi().row(k).cwiseProduct(from.phi().row(k)).sum();
  }
  to.alpha() += from.alpha();
  to.b() += from.b();
}

MHC_NAMESPACE_END
