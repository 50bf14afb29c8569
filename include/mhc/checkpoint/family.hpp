// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include <mhc/families.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

/// The families of families.hpp that have tensor names of their own.
enum class Family {
  deepseek_v4,
  deepseek_v41,
  glm53_flash,
  openpangu2,
  hy4,
  megatron_main,
  megatron_dev,
  lucidrains_hc,
  lucidrains_mhc,
  gated_residual,  ///< Qwen4Exp's; not a hyper-connection: see load_gated.hpp
};

/// The values of mhc.family in a file's metadata, in the order of Family.
inline constexpr std::array<const char*, 10> family_names = {
    "deepseek_v4",   "deepseek_v41", "glm53_flash",   "openpangu2",     "hy4",
    "megatron_main", "megatron_dev", "lucidrains_hc", "lucidrains_mhc", "gated_residual"};

/// The name of a family, as in mhc.family.
constexpr const char* name(Family family) {
  return family_names[static_cast<std::size_t>(family)];
}

/// The family with this name, or nothing.
inline std::optional<Family> family_named(std::string_view name) {
  for (std::size_t i = 0; i < family_names.size(); ++i) {
    if (name == family_names[i]) return static_cast<Family>(i);
  }
  return {};
}

/// Calls f with a value of the family's type (families::DeepSeekV4{} and so on) and returns its
/// result. This turns a family known at run time into a template argument.
///
///   with_family(family, [&](auto type) { run<decltype(type)>(...); });
///
/// Throws std::invalid_argument for Family::gated_residual, which is not a connection: use
/// load_gated.hpp.
template <class Function>
decltype(auto) with_family(Family family, Function&& f) {
  switch (family) {
    case Family::deepseek_v4:
      return std::forward<Function>(f)(families::DeepSeekV4());
    case Family::deepseek_v41:
      return std::forward<Function>(f)(families::DeepSeekV41());
    case Family::glm53_flash:
      return std::forward<Function>(f)(families::Glm53Flash());
    case Family::openpangu2:
      return std::forward<Function>(f)(families::OpenPangu2());
    case Family::hy4:
      return std::forward<Function>(f)(families::Hy4());
    case Family::megatron_main:
      return std::forward<Function>(f)(families::MegatronMain());
    case Family::megatron_dev:
      return std::forward<Function>(f)(families::MegatronDev());
    case Family::lucidrains_hc:
      return std::forward<Function>(f)(families::LucidrainsHyperConnections());
    case Family::lucidrains_mhc:
      return std::forward<Function>(f)(families::LucidrainsManifold());
    case Family::gated_residual:
      break;
  }
  mhc::detail::refuse("checkpoint::with_family", "family is ", name(family),
                      ", expected a family of connections (load_gated loads gated residuals)");
}

/// The numbers that a file may set; a family's defaults apply where it sets none.
struct Settings {
  std::optional<double> norm_eps;  ///< rms_norm_eps
  std::optional<double> hc_eps;    ///< added to pre, and used in Sinkhorn-Knopp
  std::optional<int> iterations;   ///< Sinkhorn-Knopp iterations, 1 to 1000
};

namespace detail {

template <class F, class = void>
struct HasHead : std::false_type {};
template <class F>
struct HasHead<F, std::void_t<decltype(F::head_options())>> : std::true_type {};

template <class F>
auto own_options(Index channels) {
  if constexpr (std::is_invocable_v<decltype(&F::options), Index>) {
    return F::options(channels);
  } else {
    static_cast<void>(channels);
    return F::options();
  }
}

/// True for families whose files set eps and iterations. openPangu's norm uses hc_eps.
template <class F>
inline constexpr bool takes_settings =
    std::is_same_v<F, families::DeepSeekV4> || std::is_same_v<F, families::DeepSeekV41> ||
    std::is_same_v<F, families::Glm53Flash> || std::is_same_v<F, families::OpenPangu2> ||
    std::is_same_v<F, families::Hy4>;

template <class F, class Options>
void set_eps(const Settings& settings, Options& options) {
  constexpr bool is_openpangu = std::is_same_v<F, families::OpenPangu2>;
  options.pre_eps = settings.hc_eps.value_or(options.pre_eps);
  options.norm_eps =
      (is_openpangu ? settings.hc_eps : settings.norm_eps).value_or(options.norm_eps);
}

}  // namespace detail

/// True if this family's models end in a learned collapse (a head).
template <class F>
inline constexpr bool has_head = detail::HasHead<F>::value;

/// A family's options for sites of `channels` channels, overridden by the settings of a file.
template <class F>
typename F::Connection::Options options_of(Index channels, const Settings& settings = {}) {
  auto options = detail::own_options<F>(channels);
  if constexpr (detail::takes_settings<F>) {
    detail::set_eps<F>(settings, options);
    if constexpr (std::is_same_v<F, families::Hy4>) {
      options.post_eps = settings.hc_eps.value_or(options.post_eps);
    } else {
      options.residual.iterations = settings.iterations.value_or(options.residual.iterations);
      options.residual.start_eps = settings.hc_eps.value_or(options.residual.start_eps);
      options.residual.divisor_eps = settings.hc_eps.value_or(options.residual.divisor_eps);
    }
  }
  return options;
}

/// The same for the family's head.
template <class F>
LearnedCollapse::Options head_options_of(const Settings& settings = {}) {
  static_assert(has_head<F>, "mhc::checkpoint: this family has no learned collapse");
  LearnedCollapse::Options options = F::head_options();
  if constexpr (detail::takes_settings<F>) detail::set_eps<F>(settings, options);
  return options;
}

}  // namespace checkpoint
MHC_NAMESPACE_END
