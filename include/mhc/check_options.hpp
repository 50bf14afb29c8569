// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/check.hpp>
#include <mhc/connection.hpp>
#include <mhc/residual_mapping.hpp>

MHC_NAMESPACE_BEGIN

// Checks of the options of residual policies and connections.
namespace detail {

/// Throws unless an option is finite and not negative.
inline void check_not_negative(const char* function, const char* option, double value) {
  if (!(value >= 0.0 && value <= 1e300)) {
    refuse(function, "option ", option, " is ", value, ", expected a finite number >= 0");
  }
}

inline void check_finite(const char* function, const char* option, double value) {
  if (!(value >= -1e300 && value <= 1e300)) {
    refuse(function, "option ", option, " is ", value, ", expected a finite number");
  }
}

inline void check_options(const char* function, const SinkhornKnoppOptions& options) {
  if (options.iterations < 1) {
    refuse(function, "option sinkhorn iterations is ", options.iterations, ", expected at least 1");
  }
  check_not_negative(function, "sinkhorn start_eps", options.start_eps);
  check_not_negative(function, "sinkhorn divisor_eps", options.divisor_eps);
  if (options.divisor == Divisor::at_least_eps && options.divisor_eps > 0.01) {
    refuse(function, "option sinkhorn divisor_eps is ", options.divisor_eps,
           ", expected at most 0.01 if divisors are max(s, eps)");
  }
}

inline void check_options(const char* function, const BirkhoffProjection::Options& options) {
  if (!(options.tolerance > 0.0 && options.tolerance <= 0.1)) {
    refuse(function, "option birkhoff tolerance is ", options.tolerance,
           ", expected more than 0 and at most 0.1");
  }
}

inline void check_options(const char* /*function*/, const PermutationSoftmax::Options&) {}
inline void check_options(const char* /*function*/, const Kronecker::Options&) {}
inline void check_options(const char* /*function*/, const IdentityResidual::Options&) {}

/// Throws unless the options of a connection are in range.
template <class Connection>
struct CheckOptions;
template <class Residual, class Source>
struct CheckOptions<Constrained<Residual, Source>> {
  template <class Options>
  static void check_all(const char* function, const Options& options) {
    check_not_negative(function, "norm_eps", options.norm_eps);
    check_finite(function, "pre_eps", options.pre_eps);
    check_finite(function, "post_scale", options.post_scale);
    check_finite(function, "post_eps", options.post_eps);
    check_options(function, options.residual);
  }
};
template <class Source>
struct CheckOptions<Unconstrained<Source>> {
  template <class Options>
  static void check_all(const char* function, const Options& options) {
    check_not_negative(function, "norm_eps", options.norm_eps);
  }
};
template <>
struct CheckOptions<LearnedCollapse> {
  static void check_all(const char* function, const LearnedCollapse::Options& options) {
    check_not_negative(function, "norm_eps", options.norm_eps);
    check_finite(function, "pre_eps", options.pre_eps);
  }
};
template <>
struct CheckOptions<OrdinaryResidual> {
  static void check_all(const char* /*function*/, const OrdinaryResidual::Options& /*options*/) {}
};

}  // namespace detail
MHC_NAMESPACE_END
