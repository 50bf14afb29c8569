// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <vector>

#include <mhc/checkpoint/family.hpp>
#include <mhc/checkpoint/sites.hpp>
#include <mhc/norm_weight.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

namespace detail {

/// An element in a file, at any address; converts to compute_t.
template <class Element>
struct Stored {
  std::byte bytes[sizeof(Element)];
  operator compute_t<Element>() const {
    return static_cast<compute_t<Element>>(load<Element>(bytes));
  }
};

/// Calls use(pointer) with a pointer to the tensor's elements in the file, typed by their dtype.
template <class Use>
void with_elements(const Tensor& tensor, Use use) {
  switch (tensor.dtype) {
    case DType::f64:
      return use(reinterpret_cast<const Stored<double>*>(tensor.data));
    case DType::f32:
      return use(reinterpret_cast<const Stored<float>*>(tensor.data));
    case DType::f16:
      return use(reinterpret_cast<const Stored<f16>*>(tensor.data));
    default:
      return use(reinterpret_cast<const Stored<bf16>*>(tensor.data));
  }
}

/// The elements of small tensors, concatenated.
inline std::vector<double> numbers_of(const Site& site, std::initializer_list<Part> parts) {
  std::vector<double> numbers;
  for (const Part part : parts) {
    if (const Tensor* const tensor = site.find(part)) {
      tensor->for_each([&numbers](auto value) { numbers.push_back(static_cast<double>(value)); });
    }
  }
  return numbers;
}

template <class Connection>
inline constexpr bool is_head = std::is_same_v<Connection, LearnedCollapse>;

/// Throws unless the site has the sizes, the role and the layout of F and the parameters.
template <class F, int N, class Scalar, class Connection>
void check_site(const Site& site, const ParametersView<N, Scalar, Connection>& parameters) {
  constexpr const char* here = "checkpoint::load";
  const std::string name = "site " + in_quotes(site.name);
  static_assert(is_head<Connection> || std::is_same_v<Connection, typename F::Connection>,
                "mhc::checkpoint::load: parameters of the family's connection, or of its head");
  static_assert(!std::is_same_v<F, families::Paper> && !std::is_same_v<F, families::Liger>,
                "mhc::checkpoint::load: no file is known to store this family's sites");
  if (site.streams != N || site.channels != parameters.channels) {
    mhc::detail::refuse(here, name, " has ", site.streams, " streams of ", site.channels,
                        " channels, but the parameters have ", N, " of ", parameters.channels);
  }
  if (is_head<Connection> != (site.role == Role::head)) {
    mhc::detail::refuse(here, name, site.role == Role::head ? " is a head" : " is not a head",
                        ", but the parameters are those of ",
                        is_head<Connection> ? "a head" : "a site around a sublayer");
  }
  using Shape = typename Connection::template Shape<N>;
  constexpr bool is_from_streams = Shape::groups > 1;
  const bool has_streams = site.find(Part::dynamic_beta) != nullptr;
  const bool has_biases =
      has_streams || (site.find(Part::base) != nullptr && site[Part::base].size() == Shape::logits);
  if (is_from_streams != has_streams || !has_biases) {
    mhc::detail::refuse(here, name, " does not have the layout of ", F::name);
  }
}

template <class F, int N, class Scalar, class Connection>
void load_streams(const Site& site, ParametersView<N, Scalar, Connection> parameters) {
  const auto phi = numbers_of(site, {Part::phi});
  const auto beta = numbers_of(site, {Part::dynamic_beta});
  const auto static_alpha = numbers_of(site, {Part::base});
  const auto static_beta = numbers_of(site, {Part::static_beta});
  // If pre and res share one scale, it is alpha.
  const auto pre = numbers_of(site, {Part::alpha, Part::alpha_pre});
  const auto post = numbers_of(site, {Part::alpha_post});
  const auto res = numbers_of(site, {Part::alpha, Part::alpha_res});
  StoredAlphaBeta<const double> stored;
  stored.dynamic_alpha_fn = phi.data();
  stored.dynamic_beta_fn = beta.data();
  stored.static_alpha = static_alpha.data();
  stored.static_beta = static_beta.data();
  stored.scale_pre = pre.data();
  stored.scale_post = post.data();
  stored.scale_res = res.data();
  load_stored(stored, parameters);
}

}  // namespace detail

/// Assigns to `parameters` those of a site of the family F of families.hpp, or of its head. phi is
/// read directly from the file, and the weight of a norm is folded into it. Throws
/// std::invalid_argument if the site has other sizes, another role or another layout.
///
///   Parameters<4> parameters(site.channels);
///   checkpoint::load<families::DeepSeekV4>(site, parameters.view());
template <class F, int N, class Scalar, class Connection>
void load(const Site& site, ParametersView<N, Scalar, Connection> parameters) {
  detail::check_site<F>(site, parameters);
  constexpr bool is_from_streams = Connection::template Shape<N>::groups > 1;
  if constexpr (is_from_streams) {
    detail::load_streams<F>(site, parameters);
  } else {
    const auto alpha =
        detail::numbers_of(site, {Part::alpha, Part::alpha_pre, Part::alpha_post, Part::alpha_res});
    const auto b = detail::numbers_of(site, {Part::base});
    detail::with_elements(site[Part::phi], [&](const auto* phi) {
      load_stored(F::layout(), phi, alpha.data(), b.data(), parameters);
    });
  }
  if (site.find(Part::gamma) != nullptr) {
    const auto weight = detail::numbers_of(site, {Part::gamma});
    fold_norm_weight(ParametersView<N, const Scalar, Connection>(parameters), weight.data(),
                     is_from_streams ? 1.0 : 0.0, parameters);
  }
}

}  // namespace checkpoint
MHC_NAMESPACE_END
