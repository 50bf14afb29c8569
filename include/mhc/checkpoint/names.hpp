// SPDX-License-Identifier: MIT
#pragma once

#include <cctype>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <mhc/checkpoint/errors.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

// The names of a site's tensors in published checkpoints:
//
//   PREFIX STEM PART      layers.0. hc_attn_ fn      model.layers.0. attn_mhc_module. phi.weight
//
// The prefix is arbitrary and contains the layer's number.

/// The sublayer that a site wraps; `head` is the final collapse of the streams.
enum class Role { attention, mlp, head, unknown };

/// The naming scheme of a site's tensors.
enum class Naming {
  deepseek,
  hugging_face,
  gguf,
  openpangu,
  hy4,
  megatron,
  lucidrains,           ///< hyper-connections
  lucidrains_manifold,  ///< mHC
  gated_residual,
};

/// The part that a tensor plays in its site.
enum class Part {
  phi,
  alpha,
  alpha_pre,
  alpha_post,
  alpha_res,
  base,
  gamma,         ///< the learned weight of the norm
  dynamic_beta,  ///< lucidrains: the column of phi for post
  static_beta,   ///< lucidrains: the bias for post
  gate_up,       ///< gated residual: input_mix_weight_up (its phi is input_mix_weight_down)
  inject,        ///< gated residual: block_inject_weight, how much output each stream gets
};
/// The number of parts.
inline constexpr std::size_t part_count = static_cast<std::size_t>(Part::inject) + 1;

/// "attention", "mlp", "head" or "unknown".
constexpr const char* name(Role role) {
  constexpr const char* names[] = {"attention", "mlp", "head", "unknown"};
  return names[static_cast<int>(role)];
}

namespace detail {

struct PartName {
  Part part;
  const char* name;
  const char* other = nullptr;  ///< an alternative spelling
  bool is_common = false;       ///< also used by other modules, so not evidence of a site
};

struct PartNames {
  const PartName* first;
  std::size_t count;
  const PartName* begin() const { return first; }
  const PartName* end() const { return first + count; }
};

template <std::size_t Count>
constexpr PartNames all(const PartName (&names)[Count]) {
  return {names, Count};
}

inline constexpr PartName deepseek_parts[] = {
    {Part::phi, "fn"}, {Part::alpha, "scale"}, {Part::base, "base"}};
inline constexpr PartName hc_parts[] = {
    {Part::phi, "hc_fn"}, {Part::alpha, "hc_scale"}, {Part::base, "hc_base"}};
inline constexpr PartName hc_head_parts[] = {
    {Part::phi, "hc_head_fn"}, {Part::alpha, "hc_head_scale"}, {Part::base, "hc_head_base"}};
inline constexpr PartName gguf_parts[] = {
    {Part::phi, "fn.weight"}, {Part::alpha, "scale.weight"}, {Part::base, "base.weight"}};
inline constexpr PartName openpangu_parts[] = {{Part::phi, "phi.weight"},
                                               {Part::gamma, "norm_gamma"},
                                               {Part::alpha, "branch_alpha", "branch_alpha_pre"},
                                               {Part::base, "branch_beta", "branch_beta_pre"}};
inline constexpr PartName megatron_parts[] = {{Part::phi, "mapping_proj.weight"},
                                              {Part::alpha_pre, "alpha_pre", nullptr, true},
                                              {Part::alpha_post, "alpha_post", nullptr, true},
                                              {Part::alpha_res, "alpha_res", nullptr, true},
                                              {Part::base, "bias", nullptr, true}};
inline constexpr PartName lucidrains_parts[] = {
    {Part::phi, "dynamic_alpha_fn", nullptr, true},
    {Part::dynamic_beta, "dynamic_beta_fn", nullptr, true},
    {Part::base, "static_alpha", nullptr, true},
    {Part::static_beta, "static_beta", nullptr, true},
    {Part::gamma, "norm.gamma", nullptr, true},
    {Part::alpha, "dynamic_alpha_scale"},
    {Part::alpha_post, "dynamic_beta_scale"}};
inline constexpr PartName lucidrains_manifold_parts[] = {
    {Part::phi, "dynamic_alpha_fn", nullptr, true},
    {Part::dynamic_beta, "dynamic_beta_fn", nullptr, true},
    {Part::base, "static_alpha", nullptr, true},
    {Part::static_beta, "static_beta", nullptr, true},
    {Part::gamma, "norm.gamma", nullptr, true},
    {Part::alpha_pre, "pre_branch_scale"},
    {Part::alpha_post, "h_post_scale"},
    {Part::alpha_res, "residual_scale", nullptr, true}};
inline constexpr PartName gated_parts[] = {{Part::gamma, "hc_norm.weight"},
                                           {Part::phi, "input_mix_weight_down.weight"},
                                           {Part::gate_up, "input_mix_weight_up.weight"},
                                           {Part::inject, "block_inject_weight.weight"}};
inline constexpr PartName mixer_parts[] = {{Part::gamma, "hc_norm.weight"},
                                           {Part::phi, "input_mix_weight_down.weight"},
                                           {Part::gate_up, "input_mix_weight_up.weight"}};

/// The names of one kind of site. An empty stem means that the module's name is arbitrary; the role
/// is then derived from the prefix.
struct SiteNames {
  Naming naming;
  Role role;
  const char* stem;
  PartNames parts;
};

inline constexpr SiteNames site_names[] = {
    {Naming::deepseek, Role::attention, "hc_attn_", all(deepseek_parts)},
    {Naming::deepseek, Role::mlp, "hc_ffn_", all(deepseek_parts)},
    {Naming::deepseek, Role::head, "hc_head_", all(deepseek_parts)},
    {Naming::hugging_face, Role::attention, "attn_hc.", all(deepseek_parts)},
    {Naming::hugging_face, Role::mlp, "ffn_hc.", all(deepseek_parts)},
    {Naming::hugging_face, Role::head, "hc_head.", all(hc_parts)},
    {Naming::gguf, Role::attention, "hc_attn_", all(gguf_parts)},
    {Naming::gguf, Role::mlp, "hc_ffn_", all(gguf_parts)},
    {Naming::gguf, Role::head, "output_hc_", all(gguf_parts)},
    {Naming::gguf, Role::head, "hc_head_", all(gguf_parts)},
    {Naming::openpangu, Role::attention, "attn_mhc_module.", all(openpangu_parts)},
    {Naming::openpangu, Role::mlp, "mlp_mhc_module.", all(openpangu_parts)},
    {Naming::openpangu, Role::head, "merge_mhc_module.", all(openpangu_parts)},
    {Naming::hy4, Role::attention, "hc_attn_layer.hc_pre.", all(hc_parts)},
    {Naming::hy4, Role::mlp, "hc_mlp_layer.hc_pre.", all(hc_parts)},
    {Naming::hy4, Role::head, "hc_head.", all(hc_head_parts)},
    {Naming::megatron, Role::unknown, "", all(megatron_parts)},
    {Naming::lucidrains, Role::unknown, "", all(lucidrains_parts)},
    {Naming::lucidrains_manifold, Role::unknown, "", all(lucidrains_manifold_parts)},
    {Naming::gated_residual, Role::attention, "attn_hyper_connection.", all(gated_parts)},
    {Naming::gated_residual, Role::mlp, "mlp_hyper_connection.", all(gated_parts)},
    {Naming::gated_residual, Role::head, "hyper_connection_mixer.", all(mixer_parts)},
};

/// The prefix of `tensor` if the rest is stem + part and starts at a '.' or at the beginning.
inline std::optional<std::string_view> prefix_of(std::string_view tensor, std::string_view stem,
                                                 std::string_view part) {
  const auto drop = [&tensor](std::string_view end) {
    if (tensor.size() < end.size() || tensor.substr(tensor.size() - end.size()) != end)
      return false;
    tensor.remove_suffix(end.size());
    return true;
  };
  if (!drop(part) || !drop(stem)) return {};
  if (!tensor.empty() && tensor.back() != '.') return {};
  return tensor;
}

/// The site names that a tensor's name matches, and its prefix.
struct NameMatch {
  const SiteNames* names = nullptr;
  std::string prefix;
};

/// The kind of site that the tensor belongs to, if any. The longest match wins, since
/// "hc_head.hc_head_fn" also ends with "hc_head_fn".
inline std::optional<NameMatch> match_name(std::string_view tensor) {
  std::optional<NameMatch> best;
  for (const SiteNames& names : site_names) {
    for (const PartName& part : names.parts) {
      if (part.is_common) continue;
      for (const char* spelling : {part.name, part.other}) {
        if (spelling == nullptr) continue;
        const auto prefix = prefix_of(tensor, names.stem, spelling);
        if (prefix && (!best || prefix->size() < best->prefix.size())) {
          best = NameMatch{&names, std::string(*prefix)};
        }
      }
    }
  }
  return best;
}

/// The layer that a prefix names: layers.3. or blk.3., or mtp.0. or mtp.layers.0. for multi-token
/// prediction; -1 for none.
struct LayerName {
  int layer = -1;
  bool is_mtp = false;
};

inline LayerName layer_of(std::string_view prefix) {
  constexpr std::size_t most_digits = 6;
  LayerName result;
  while (!prefix.empty()) {
    const std::size_t dot = prefix.find('.');
    const std::string_view word = prefix.substr(0, dot);
    prefix.remove_prefix(dot == prefix.npos ? prefix.size() : dot + 1);
    if (word == "mtp") result.is_mtp = true;
    const bool is_number = !word.empty() && word.size() <= most_digits &&
                           word.find_first_not_of("0123456789") == word.npos;
    if (is_number && result.layer < 0) result.layer = std::stoi(std::string(word));
  }
  return result;
}

/// The role that a module's name indicates.
inline Role role_of(std::string_view prefix) {
  const auto has = [prefix](const char* word) { return prefix.find(word) != prefix.npos; };
  if (has("attention") || has("attn")) return Role::attention;
  if (has("mlp") || has("ffn") || has("feed_forward") || has("moe")) return Role::mlp;
  return Role::unknown;
}

}  // namespace detail
}  // namespace checkpoint
MHC_NAMESPACE_END
