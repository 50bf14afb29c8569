// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <mhc/checkpoint/family.hpp>
#include <mhc/checkpoint/file.hpp>
#include <mhc/checkpoint/json.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

/// What a checkpoint says about its model, apart from its tensors:
///
///   GGUF         general.architecture A, A.attention.layer_norm_rms_epsilon,
///                A.hyper_connection.{count, sinkhorn_iterations, epsilon}
///   safetensors  config.json beside it: model_type, rms_norm_eps, hc_eps, hc_sinkhorn_iters, at
///                the top level or in text_config; and the key mhc.family, written by ModelWriter
struct Evidence {
  std::string architecture;  ///< "deepseek4", "glm5_next"; empty if unknown
  std::string source;        ///< where the architecture was found: "config.json"
  std::optional<Family> family;
  std::optional<std::int64_t> streams;
  Settings settings;
};

namespace detail {

inline std::optional<int> to_iterations(const std::string& path, std::optional<double> number) {
  constexpr int most = 1000;
  if (!number) return {};
  if (!(*number >= 1 && *number <= most && *number == std::floor(*number))) {
    refuse(path, "the number of Sinkhorn-Knopp iterations is ", *number,
           ", expected an integer from 1 to ", most);
  }
  return static_cast<int>(*number);
}

inline void read_gguf_keys(const Checkpoint& file, Evidence& evidence) {
  const Metadata& keys = file.metadata();
  const auto architecture = keys.text("general.architecture");
  if (!architecture) return;
  evidence.architecture = *architecture;
  evidence.source = "general.architecture";
  const std::string site = *architecture + ".hyper_connection.";
  evidence.streams = keys.integer(site + "count");
  evidence.settings.iterations =
      to_iterations(file.path(), keys.number(site + "sinkhorn_iterations"));
  evidence.settings.hc_eps = keys.number(site + "epsilon");
  evidence.settings.norm_eps = keys.number(*architecture + ".attention.layer_norm_rms_epsilon");
}

inline void read_config_members(const std::string& path, Json& json, Evidence& evidence,
                                bool is_inner) {
  Settings& settings = evidence.settings;
  const auto set = [&](auto& setting, auto value) {  // text_config wins, in whichever order
    if (value && (is_inner || !setting)) setting = value;
  };
  json.object([&](const std::string& key) {
    if (key == "model_type") {
      std::string type = json.string();
      if (is_inner || evidence.architecture.empty()) evidence.architecture = std::move(type);
    } else if (key == "rms_norm_eps") {
      set(settings.norm_eps, json.real());
    } else if (key == "hc_eps") {
      set(settings.hc_eps, json.real());
    } else if (key == "hc_sinkhorn_iters" || key == "mhc_recur_norm") {
      set(settings.iterations, to_iterations(path, json.real()));
    } else if (key == "text_config" && !is_inner) {
      read_config_members(path, json, evidence, true);
    } else {
      json.skip();
    }
  });
}

inline void read_config(const Checkpoint& file, Evidence& evidence) {
  const std::string path =
      (std::filesystem::path(file.path()).parent_path() / "config.json").string();
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return;
  constexpr std::uintmax_t most = 100'000'000;
  const std::uintmax_t size = std::filesystem::file_size(path, ignored);
  if (size > most) refuse(path, "has ", size, " bytes, expected at most ", most);
  const MappedFile config(path, Access::read);
  Json json(path, "the configuration", config.bytes().text());
  read_config_members(path, json, evidence, false);
  json.end();
  if (!evidence.architecture.empty()) evidence.source = "config.json";
}

}  // namespace detail

/// The evidence in a checkpoint and, for safetensors, in the config.json beside it. Throws
/// std::runtime_error if mhc.family is unknown or config.json exists and is invalid.
inline Evidence find_evidence(const Checkpoint& file) {
  Evidence evidence;
  if (file.format() == Format::gguf) {
    detail::read_gguf_keys(file, evidence);
    return evidence;
  }
  if (const auto name = file.metadata().text("mhc.family")) {
    evidence.family = family_named(*name);
    if (!evidence.family) {
      detail::refuse(file.path(), "mhc.family is ", detail::in_quotes(*name),
                     ", expected the name of a family");
    }
  }
  detail::read_config(file, evidence);
  return evidence;
}

}  // namespace checkpoint
MHC_NAMESPACE_END
