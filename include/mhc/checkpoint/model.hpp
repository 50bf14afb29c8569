// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <mhc/checkpoint/load.hpp>
#include <mhc/checkpoint/recognize.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

/// A checkpoint of any published family and its hyper-connection sites:
///
///   const checkpoint::Model model("model.safetensors.index.json");
///   with_family(model.recognize().family(), [&](auto family) {
///     using Family = decltype(family);
///     Parameters<4, float, typename Family::Connection> parameters(model.sites[0].channels);
///     load<Family>(model.sites[0], parameters.view());
///     Block<4, bf16, typename Family::Connection> block(
///         parameters, options_of<Family>(parameters.channels(), model.evidence.settings));
///   });
///
/// Throws std::runtime_error if the file cannot be read or a site is incomplete. The sites point
/// into `file` and live as long as it does.
struct Model {
  explicit Model(const std::string& path, Access access = Access::map)
      : file(path, access), sites(find_sites(file)), evidence(find_evidence(file)) {}

  /// The families that match. Throws std::runtime_error if the metadata names one family and the
  /// tensors are those of another; to load the file as a family of your choice, skip this call.
  Recognition recognize() const { return checkpoint::recognize(file, sites, evidence); }

  Checkpoint file;
  std::vector<Site> sites;
  Evidence evidence;
};

}  // namespace checkpoint
MHC_NAMESPACE_END
