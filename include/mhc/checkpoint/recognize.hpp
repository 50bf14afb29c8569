// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <mhc/checkpoint/evidence.hpp>
#include <mhc/checkpoint/sites.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

/// A family that a file matches, and why.
struct Candidate {
  Family family;
  std::string reason;
};

/// The families that a file matches: one if the match is certain, several if the file does not
/// distinguish them, none if it has no site.
class Recognition {
 public:
  Recognition(std::string path, std::vector<Candidate> candidates)
      : path_(std::move(path)), candidates_(std::move(candidates)) {}

  const std::vector<Candidate>& candidates() const { return candidates_; }
  bool is_certain() const { return candidates_.size() == 1; }

  bool has(Family family) const {
    return std::any_of(candidates_.begin(), candidates_.end(),
                       [family](const Candidate& c) { return c.family == family; });
  }

  /// The family. Throws std::runtime_error, listing the candidates, unless it is certain.
  Family family() const {
    if (candidates_.empty()) detail::refuse(path_, "has no hyper-connection site");
    if (!is_certain()) {
      std::string names;
      for (const Candidate& c : candidates_) {
        names += (names.empty() ? "" : ", ") + std::string(name(c.family));
      }
      detail::refuse(path_, "the family is ambiguous, one of ", names,
                     ": nothing in the file distinguishes them, so name one");
    }
    return candidates_.front().family;
  }

 private:
  std::string path_;
  std::vector<Candidate> candidates_;
};

namespace detail {

/// Letters and digits in lower case: "DeepSeek-V4.1" and "deepseek_v41" both give "deepseekv41".
inline std::string letters_and_digits(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) result += static_cast<char>(std::tolower(byte));
  }
  return result;
}

/// The family of an architecture's name, if known.
inline std::optional<Family> family_of(std::string_view architecture) {
  constexpr std::pair<const char*, Family> known[] = {{"deepseekv41", Family::deepseek_v41},
                                                      {"deepseek41", Family::deepseek_v41},
                                                      {"deepseekv4", Family::deepseek_v4},
                                                      {"deepseek4", Family::deepseek_v4},
                                                      {"glm5next", Family::glm53_flash},
                                                      {"glm53", Family::glm53_flash},
                                                      {"openpangu", Family::openpangu2},
                                                      {"pangu", Family::openpangu2},
                                                      {"hyv4", Family::hy4},
                                                      {"hy4", Family::hy4},
                                                      {"hunyuanv4", Family::hy4},
                                                      {"qwen4exp", Family::gated_residual}};
  const std::string word = letters_and_digits(architecture);
  for (const auto& [begin, family] : known) {
    if (word.rfind(begin, 0) == 0) return family;
  }
  return {};
}

/// For the names that DeepSeek, GLM, Megatron-LM dev's exports and GGUF files share. A head means
/// V4; without one, the number of channels of V4.1-Flash means V4.1.
inline std::vector<Candidate> by_sizes(const std::vector<Site>& sites) {
  constexpr Index channels_of_v41 = 5120;
  const bool has_head = std::any_of(sites.begin(), sites.end(), [](const Site& site) {
    return site.role == Role::head && !site.is_mtp;
  });
  const Site& first = sites.front();
  const bool is_gguf = first.naming == Naming::gguf;
  const std::string names = "names as " + in_quotes(first.name);
  if (has_head) {
    std::vector<Candidate> found{{Family::deepseek_v4, names + " with a head"}};
    if (is_gguf) {
      found.push_back({Family::openpangu2, names + " with a head, its gamma folded into phi"});
    }
    return found;
  }
  const std::string depth = std::to_string(first.streams * first.channels) + " = " +
                            std::to_string(first.streams) + " x " + std::to_string(first.channels);
  if (first.channels == channels_of_v41) {
    return {{Family::deepseek_v41, names + " without a head, and " + depth + " as V4.1-Flash"}};
  }
  return {{Family::deepseek_v4, names + ", if its head is in a file that is not here"},
          {Family::deepseek_v41, names + " without a head"},
          {Family::glm53_flash, names + " without a head"}};
}

inline std::vector<Candidate> candidates_of(const std::vector<Site>& sites) {
  const Site& first = sites.front();
  const std::string names = "names as " + in_quotes(first.name);
  switch (first.naming) {
    case Naming::openpangu:
      return {{Family::openpangu2, names + " with norm_gamma"}};
    case Naming::hy4:
      return {{Family::hy4, names}};
    case Naming::megatron:
      return {{Family::megatron_main, names + " with mapping_proj"},
              {Family::megatron_dev, names + " with mapping_proj"}};
    case Naming::lucidrains:
      return {{Family::lucidrains_hc, names + " with dynamic_alpha_scale"}};
    case Naming::lucidrains_manifold:
      return {{Family::lucidrains_mhc, names + " with pre_branch_scale"}};
    case Naming::gated_residual:
      return {{Family::gated_residual, names + " with input_mix_weight_down"}};
    case Naming::gguf:
      if (first.role != Role::head && first[Part::alpha].size() == 2) {
        return {{Family::hy4, names + " with two scales: it has no H_res"}};
      }
      return by_sizes(sites);
    case Naming::deepseek:
    case Naming::hugging_face:
      break;
  }
  return by_sizes(sites);
}

/// All families whose files use the site's names, regardless of sizes.
inline std::vector<Family> families_named_so(const Site& site) {
  switch (site.naming) {
    case Naming::deepseek:
    case Naming::hugging_face:
      return {Family::deepseek_v4, Family::deepseek_v41, Family::glm53_flash, Family::megatron_dev};
    case Naming::gguf:
      if (site.role != Role::head && site[Part::alpha].size() == 2) return {Family::hy4};
      return {Family::deepseek_v4, Family::deepseek_v41, Family::glm53_flash, Family::openpangu2};
    case Naming::openpangu:
      return {Family::openpangu2};
    case Naming::hy4:
      return {Family::hy4};
    case Naming::megatron:
      return {Family::megatron_main, Family::megatron_dev};
    case Naming::lucidrains:
      return {Family::lucidrains_hc};
    case Naming::lucidrains_manifold:
      return {Family::lucidrains_mhc};
    case Naming::gated_residual:
      break;
  }
  return {Family::gated_residual};
}

}  // namespace detail

/// The families that the sites match, with the reasons. The evidence decides between the families
/// that the names allow. Throws std::runtime_error if it contradicts the names or the number of
/// streams, or if the sites are named in two ways.
inline Recognition recognize(const Checkpoint& file, const std::vector<Site>& sites,
                             const Evidence& evidence) {
  if (sites.empty()) return {file.path(), {}};
  const auto mixed = std::find_if(sites.begin(), sites.end(), [&](const Site& site) {
    return site.naming != sites.front().naming;
  });
  if (mixed != sites.end()) {
    detail::refuse(file.path(), "sites ", detail::in_quotes(sites.front().name), " and ",
                   detail::in_quotes(mixed->name), " have the names of two different families");
  }
  if (evidence.streams && *evidence.streams != sites.front().streams) {
    detail::refuse(file.path(), "the metadata says ", *evidence.streams, " streams, but site ",
                   detail::in_quotes(sites.front().name), " has ", sites.front().streams);
  }
  std::vector<Candidate> found = detail::candidates_of(sites);
  std::string said;
  auto family = evidence.family;
  if (family) {
    said = "mhc.family says " + std::string(name(*family));
  } else {
    family = detail::family_of(evidence.architecture);
    said = evidence.source + " says " + detail::in_quotes(evidence.architecture);
  }
  if (!family) return {file.path(), std::move(found)};
  const std::string names = "names as " + detail::in_quotes(sites.front().name);
  const std::vector<Family> possible = detail::families_named_so(sites.front());
  if (std::find(possible.begin(), possible.end(), *family) == possible.end()) {
    detail::refuse(file.path(), said, ", but it has ", found.front().reason, ", of ",
                   name(found.front().family));
  }
  return {file.path(), {{*family, said + ", and it has " + names}}};
}

}  // namespace checkpoint
MHC_NAMESPACE_END
