// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <mhc/checkpoint/file.hpp>
#include <mhc/checkpoint/names.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

/// A hyper-connection site in a file: its tensors, which the checkpoint owns, and the sizes that
/// their shapes give.
struct Site {
  std::string name;  ///< "layers.0.hc_attn"
  Naming naming = Naming::deepseek;
  Role role = Role::unknown;
  int layer = -1;       ///< -1 if it belongs to no layer
  bool is_mtp = false;  ///< in a multi-token prediction layer; these are numbered separately
  Index streams = 0;    ///< n; 0 if no tensor determines it
  Index channels = 0;   ///< C
  std::array<const Tensor*, part_count> parts{};

  const Tensor* find(Part part) const { return parts[static_cast<std::size_t>(part)]; }
  /// The tensor of a part; the site must have it.
  const Tensor& operator[](Part part) const { return *find(part); }
};

namespace detail {

/// shape without its extents of one: (1, C, 5) and (C, 5), (1) and () are the same.
inline std::vector<Index> squeezed(std::vector<Index> shape) {
  shape.erase(std::remove(shape.begin(), shape.end(), Index{1}), shape.end());
  return shape;
}

/// Checks the types and shapes of one site's tensors, with errors that name the tensor.
class SiteShapes {
 public:
  SiteShapes(const std::string& path, Site& site) : path_(path), site_(site) {}

  void read() const {
    for (const Tensor* const tensor : site_.parts) {
      if (tensor != nullptr && !is_number(tensor->dtype)) {
        refuse_tensor(*tensor, "its elements are ", checkpoint::name(tensor->dtype),
                      ", expected F64, F32, F16 or BF16");
      }
    }
    switch (site_.naming) {
      case Naming::lucidrains:
      case Naming::lucidrains_manifold:
        return from_streams();
      case Naming::gated_residual:
        return gated();
      default:
        return from_token();
    }
  }

 private:
  template <class... What>
  [[noreturn]] void refuse_tensor(const Tensor& tensor, const What&... what) const {
    refuse(path_, "tensor ", in_quotes(tensor.name), ": ", what...);
  }

  void expect(Part part, const std::vector<Index>& shape, const char* why) const {
    const Tensor* const tensor = site_.find(part);
    if (tensor != nullptr && squeezed(tensor->shape) != squeezed(shape)) {
      refuse_tensor(*tensor, "it is ", to_text(tensor->shape), ", expected ", to_text(shape), " ",
                    why);
    }
  }

  /// The two extents, each at least 1, of a matrix; leading extents of one are ignored.
  std::pair<Index, Index> matrix(Part part, const char* meaning) const {
    const Tensor& tensor = site_[part];
    std::vector<Index> shape = tensor.shape;
    while (shape.size() > 2 && shape.front() == 1) shape.erase(shape.begin());
    if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1) {
      refuse_tensor(tensor, "it is ", to_text(tensor.shape), ", expected ", meaning);
    }
    return {shape[0], shape[1]};
  }

  /// phi (R, K) with R = n(n + 2), or 2n if there are two scales, or n for a head; K = n C.
  void from_token() const {
    const Tensor& phi = site_[Part::phi];
    const auto [rows, depth] = matrix(Part::phi, "R x K, a row for each coefficient");
    const bool is_head = site_.role == Role::head;
    const Tensor* const alpha = site_.find(Part::alpha);
    const bool is_short = site_.naming == Naming::gguf && alpha->size() == 2;
    const bool has_res = site_.naming != Naming::hy4 && !is_short;
    Index n = is_head ? rows : has_res ? 0 : rows / 2;
    if (!is_head && has_res) {
      while ((n + 1) * (n + 3) <= rows) ++n;
    }
    const Index expected = is_head ? n : has_res ? n * (n + 2) : 2 * n;
    if (n < 1 || expected != rows) {
      refuse_tensor(phi, "it has ", rows, " rows, expected ",
                    has_res ? "n(n + 2): 3, 8, 15, 24, 35, ..." : "2n for scales of two numbers");
    }
    if (depth % n != 0) {
      refuse_tensor(phi, "its rows have ", depth, " numbers, which do not divide into ", n,
                    " streams");
    }
    site_.streams = n;
    site_.channels = depth / n;
    expect(Part::alpha,
           {is_head   ? 1
            : has_res ? 3
                      : 2},
           is_head   ? "for the one gate of a head"
           : has_res ? "for the gates of pre, post and res"
                     : "for the gates of pre and post");
    for (const Part part : {Part::alpha_pre, Part::alpha_post, Part::alpha_res}) {
      expect(part, {1}, "for one gate");
    }
    expect(Part::base, {rows}, "for the rows of phi");
    expect(Part::gamma, {depth}, "for the columns of phi");
  }

  /// dynamic_alpha_fn (C, 1 + n): for a stream, its weight in pre, then its n weights in H_res.
  void from_streams() const {
    const auto [channels, columns] = matrix(Part::phi, "C x (1 + n)");
    const Index n = columns - 1;
    if (n < 1) refuse_tensor(site_[Part::phi], "it has one column, expected 1 + n");
    site_.streams = n;
    site_.channels = channels;
    expect(Part::base, {n, 1 + n}, "for the columns of dynamic_alpha_fn");
    expect(Part::static_beta, {n}, "for the streams");
    expect(Part::dynamic_beta, {channels}, "for the rows of dynamic_alpha_fn");
    expect(Part::gamma, {channels}, "for the rows of dynamic_alpha_fn");
    for (const Part part : {Part::alpha, Part::alpha_pre, Part::alpha_post, Part::alpha_res}) {
      expect(part, {1}, "for one gate");
    }
  }

  /// hc_norm (n C), down (r, n C), up (n C, r), inject (n, n C).
  void gated() const {
    const auto [rank, depth] = matrix(Part::phi, "r x K");
    expect(Part::gamma, {depth}, "for the columns of input_mix_weight_down");
    expect(Part::gate_up, {depth, rank}, "for the transpose of input_mix_weight_down");
    if (site_.find(Part::inject) == nullptr) return;
    site_.streams = matrix(Part::inject, "n x K").first;
    expect(Part::inject, {site_.streams, depth}, "for the columns of input_mix_weight_down");
    if (depth % site_.streams != 0) {
      refuse_tensor(site_[Part::phi], "its rows have ", depth,
                    " numbers, which do not divide into ", site_.streams, " streams");
    }
    site_.channels = depth / site_.streams;
  }

  const std::string& path_;
  Site& site_;
};

inline Site find_site(const Checkpoint& file, const NameMatch& match, const Tensor& sign) {
  const SiteNames& names = *match.names;
  const LayerName layer = layer_of(match.prefix);
  Site site;
  site.naming = names.naming;
  site.role = names.role == Role::unknown ? role_of(match.prefix) : names.role;
  site.layer = layer.layer;
  site.is_mtp = layer.is_mtp;
  site.name = match.prefix + names.stem;
  for (const PartName& part : names.parts) {
    const Tensor* tensor = file.find(site.name + part.name);
    if (tensor == nullptr && part.other != nullptr) tensor = file.find(site.name + part.other);
    if (tensor == nullptr) {
      refuse(file.path(), "tensor ", in_quotes(site.name + part.name), " is missing, but ",
             in_quotes(sign.name), " is present");
    }
    site.parts[static_cast<std::size_t>(part.part)] = tensor;
  }
  while (!site.name.empty() && (site.name.back() == '.' || site.name.back() == '_')) {
    site.name.pop_back();
  }
  SiteShapes(file.path(), site).read();
  return site;
}

}  // namespace detail

/// All sites in a file: by layer, attention before mlp, then the head, and last those of the
/// multi-token prediction layers. Throws std::runtime_error, naming the tensor, if one of a site's
/// tensors is missing or has the wrong shape or element type.
inline std::vector<Site> find_sites(const Checkpoint& file) {
  std::vector<Site> sites;
  std::set<std::pair<std::string, const detail::SiteNames*>> seen;
  for (const Tensor& tensor : file.tensors()) {
    const auto match = detail::match_name(tensor.name);
    if (match && seen.emplace(match->prefix, match->names).second) {
      sites.push_back(detail::find_site(file, *match, tensor));
    }
  }
  const auto place = [](const Site& site) {
    return std::tuple(site.is_mtp, site.is_mtp ? site.layer : 0, site.role == Role::head,
                      site.layer, site.role, site.name);
  };
  std::sort(sites.begin(), sites.end(),
            [&place](const Site& a, const Site& b) { return place(a) < place(b); });
  // No tensor of a gated residual's mixer determines n: it has the streams of the other sites.
  for (Site& site : sites) {
    const Site& first = sites.front();
    if (site.streams == 0 && first.streams > 0) {
      const Index depth = site[Part::phi].shape.back();
      if (depth != first.streams * first.channels) {
        detail::refuse(file.path(), "site ", detail::in_quotes(site.name), " has rows of ", depth,
                       " numbers, expected ", first.streams * first.channels, " as in ",
                       detail::in_quotes(first.name));
      }
      site.streams = first.streams;
      site.channels = first.channels;
    }
  }
  return sites;
}

}  // namespace checkpoint
MHC_NAMESPACE_END
