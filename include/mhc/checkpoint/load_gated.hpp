// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/checkpoint/load.hpp>
#include <mhc/gated_parameters.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

/// The rank L of a gated residual's site: the number of rows of input_mix_weight_down. Throws
/// std::invalid_argument if the site is not a gated residual.
inline Index rank_of(const Site& site) {
  if (site.naming != Naming::gated_residual) {
    mhc::detail::refuse("checkpoint::rank_of", "site ", detail::in_quotes(site.name),
                        " is not a gated residual");
  }
  const auto& shape = site[Part::phi].shape;
  return shape[shape.size() - 2];  // leading extents of one are allowed
}

/// Assigns to `parameters` those of a gated residual's site, or of the final mixer: hc_norm.weight
/// and input_mix_weight_up (K, L) unchanged, input_mix_weight_down (L, K) and block_inject_weight
/// (n, K) transposed. Throws std::invalid_argument if the site is of another kind or size.
///
///   GatedParameters<4> parameters(site.channels, checkpoint::rank_of(site));
///   checkpoint::load_gated(site, parameters.view());
template <int N, class Scalar, bool Injects>
void load_gated(const Site& site, GatedParametersView<N, Scalar, Injects> parameters) {
  constexpr const char* here = "checkpoint::load_gated";
  const std::string name = "site " + detail::in_quotes(site.name);
  const Index rank = rank_of(site);
  const Index depth = site[Part::phi].shape.back();
  if (site.streams != 0 && site.streams != N) {
    mhc::detail::refuse(here, name, " has ", site.streams, " streams, but the parameters have ", N);
  }
  if (depth != parameters.depth() || rank != parameters.rank) {
    mhc::detail::refuse(here, name, " has ", depth, " numbers per token and rank ", rank,
                        ", but the parameters have ", parameters.depth(), " and ", parameters.rank);
  }
  if (Injects == (site.role == Role::head)) {
    mhc::detail::refuse(here, name, Injects ? " is a mixer" : " is not a mixer",
                        ", but the parameters are those of ",
                        Injects ? "a site around a sublayer" : "a mixer");
  }
  if (parameters.data == nullptr) {
    mhc::detail::refuse(here, "parameters have no data (null pointer)");
  }
  const auto copy = [&](Part part, auto to) {  // to(k): the destination of stored number k
    detail::with_elements(site[part], [&](const auto* from) {
      for (Index k = 0; k < site[part].size(); ++k) to(k) = static_cast<Scalar>(from[k]);
    });
  };
  const Index R = parameters.projections();
  copy(Part::gamma, [&](Index k) -> Scalar& { return parameters.norm_data()[k]; });
  copy(Part::phi,
       [&](Index k) -> Scalar& { return parameters.phi_data()[k % depth * R + k / depth]; });
  copy(Part::gate_up, [&](Index k) -> Scalar& { return parameters.up_data()[k]; });
  if constexpr (Injects) {
    copy(Part::inject, [&](Index k) -> Scalar& {
      return parameters.phi_data()[k % depth * R + rank + k / depth];
    });
  }
}

}  // namespace checkpoint
MHC_NAMESPACE_END
