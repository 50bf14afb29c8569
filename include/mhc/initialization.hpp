// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <type_traits>

#include <mhc/arguments.hpp>
#include <mhc/parameters.hpp>

MHC_NAMESPACE_BEGIN

// Initial parameters. Use `initialize` by default: with any policy the model starts as an ordinary
// residual, x' = x + F(.), if the streams start equal (expand_repeat). That holds iff every post is
// 1 and the rows of H_res sum to 1. A pre that does not sum to 1 only scales the sublayer's input,
// which the sublayer's own norm cancels.

namespace detail {

/// Samples of N(0, stddev^2), identical on all platforms (std::normal_distribution is not).
template <class Map>
void fill_normal(Map values, double stddev, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  const auto uniform = [&] { return (static_cast<double>(engine() >> 11) + 0.5) * 0x1p-53; };
  for (Index i = 0; i < values.rows(); ++i) {
    for (Index j = 0; j < values.cols(); ++j) {
      const double radius = std::sqrt(-2.0 * std::log(uniform()));
      const double angle = 6.283185307179586 * uniform();
      values(i, j) = static_cast<typename Map::Scalar>(stddev * radius * std::cos(angle));
    }
  }
}

/// Every value of a matrix or row.
template <class Map>
void fill(Map values, double value) {
  for (Index i = 0; i < values.rows(); ++i) {
    for (Index j = 0; j < values.cols(); ++j) {
      values(i, j) = static_cast<typename Map::Scalar>(value);
    }
  }
}

/// A square matrix: `diagonal` on it, `others` elsewhere.
template <class Map>
void fill_diagonal(Map matrix, double diagonal, double others) {
  fill(matrix, others);
  for (Index i = 0; i < matrix.rows(); ++i) {
    matrix(i, i) = static_cast<typename Map::Scalar>(diagonal);
  }
}

/// The logit of 1/n, -ln(n - 1); for n = 1 a logit whose sigmoid is 1 to rounding.
inline double mean_logit(int n) {
  return n > 1 ? -std::log(n - 1.0) : 40.0;
}

/// Sets b_pre to `home` at one stream and `others` at all others.
template <class Map>
void fill_home_stream(Map b_pre, Index stream, double home, double others) {
  fill(b_pre, others);
  b_pre(stream) = static_cast<typename Map::Scalar>(home);
}

/// H_res = I, as closely as the policy allows: 0 for the logits of the identity, -8 for all others.
template <int N, class Scalar, class Residual, class Source>
void fill_identity(ParametersView<N, Scalar, Constrained<Residual, Source>> parameters) {
  auto b_res = parameters.b_res();
  if constexpr (std::is_same_v<Residual, PermutationSoftmax>) {
    fill(b_res, -8);
    b_res(0, 0) = Scalar(0);
  } else if constexpr (std::is_same_v<Residual, Kronecker>) {
    fill(b_res, -8);
    for (Index i = 0; i < b_res.rows(); ++i) b_res(i, 0) = Scalar(0);
  } else {
    fill_diagonal(b_res, 0, -8);
  }
}

}  // namespace detail

// The constructors are written out, not defaulted: a defaulted one would leave an aggregate, which
// a braced number initialises.
// NOLINTBEGIN(modernize-use-equals-default)

/// What `initialize` leaves to the caller, beside the seed: a struct for each connection, each with
/// defaults. Its members are set by name (`options.phi_stddev = 0.01`), never by position, so that
/// a number keeps its meaning when the connection changes. Here: mHC, and the learned collapse.
template <class Connection>
struct InitializationOptions {
  double phi_stddev = 0.02;  ///< standard deviation of phi's values, >= 0
  InitializationOptions() {}
};

/// HC.
template <class Source>
struct InitializationOptions<Unconstrained<Source>> {
  Index stream = 0;  ///< the stream that the sublayer reads, 0 to n - 1
  InitializationOptions() {}
};

/// The ordinary residual has nothing to choose.
template <>
struct InitializationOptions<OrdinaryResidual> {
  InitializationOptions() {}
};

/// For the initialisations of mHC in which the sublayer reads one stream.
struct HomeStreamOptions {
  Index stream = 0;          ///< the stream that the sublayer reads, 0 to n - 1
  double phi_stddev = 0.02;  ///< standard deviation of phi's values, >= 0
  HomeStreamOptions() {}
};

// NOLINTEND(modernize-use-equals-default)

/// Initialises mHC, with any residual policy and source, as an ordinary residual: alpha = 0.01,
/// phi ~ N(0, phi_stddev^2), and
///
///   b_pre = -ln(n - 1)    pre = 1/n: the sublayer reads the mean of the streams
///   b_post = 0            post = 1
///   b_res = 0 and -8      H_res = I within 3e-4 (permutations: 0.994 on the diagonal for n = 4)
///
/// Only the random phi breaks the symmetry of the streams: with phi = 0, or a static site, they
/// stay equal forever.
template <int N, class Scalar, class Residual, class Source>
void initialize(ParametersView<N, Scalar, Constrained<Residual, Source>> parameters,
                std::uint64_t seed,
                const InitializationOptions<Constrained<Residual, Source>>& options = {}) {
  detail::fill_normal(parameters.phi(), options.phi_stddev, seed);
  detail::fill(parameters.alpha(), 0.01);
  detail::fill(parameters.b_pre(), detail::mean_logit(N));
  detail::fill(parameters.b_post(), 0);
  detail::fill_identity(parameters);
}

/// Like `initialize`, but the sublayer reads only one stream: b_pre = 20 at `stream` and -20
/// elsewhere (pre = 1 and 2e-9). Layer l usually reads stream l mod n. Throws std::invalid_argument
/// unless 0 <= stream < n.
template <int N, class Scalar, class Residual, class Source>
void initialize_one_hot(ParametersView<N, Scalar, Constrained<Residual, Source>> parameters,
                        std::uint64_t seed, const HomeStreamOptions& options = {}) {
  detail::check_stream("initialize_one_hot", options.stream, N);
  InitializationOptions<Constrained<Residual, Source>> normal;
  normal.phi_stddev = options.phi_stddev;
  initialize(parameters, seed, normal);
  detail::fill_home_stream(parameters.b_pre(), options.stream, 20, -20);
}

/// The paper's initialisation: alpha = 0.01 (arXiv:2512.24880, table 5). The paper's text does not
/// give the biases; these are quoted by implementers from its appendix: b_pre = 3 at `stream`, the
/// layer's home stream, and -3 elsewhere, b_post = 0, b_res = 6 I - 3. Throws std::invalid_argument
/// unless 0 <= stream < n.
template <int N, class Scalar>
void initialize_paper(ParametersView<N, Scalar, ManifoldConstrained> parameters, std::uint64_t seed,
                      const HomeStreamOptions& options = {}) {
  detail::check_stream("initialize_paper", options.stream, N);
  InitializationOptions<ManifoldConstrained> normal;
  normal.phi_stddev = options.phi_stddev;
  initialize(parameters, seed, normal);
  detail::fill_home_stream(parameters.b_pre(), options.stream, 3, -3);
  detail::fill_diagonal(parameters.b_res(), 3, -3);
}

/// Initialises HC: alpha = 0.01, phi = 0, b_pre one-hot at `stream`, b_post = 1, b_res = I. This is
/// exactly an ordinary residual that reads one stream; the one-hot bias breaks the symmetry of the
/// streams. Nothing is random: the seed is there for code that initialises any connection. Throws
/// std::invalid_argument unless 0 <= stream < n. Source: arXiv:2409.19606, section 2.
template <int N, class Scalar, class Source>
void initialize(ParametersView<N, Scalar, Unconstrained<Source>> parameters, std::uint64_t /*seed*/,
                const InitializationOptions<Unconstrained<Source>>& options = {}) {
  detail::check_stream("initialize", options.stream, N);
  detail::fill(parameters.phi(), 0);
  detail::fill(parameters.alpha(), 0.01);
  detail::fill_home_stream(parameters.b_pre(), options.stream, 1, 0);
  detail::fill(parameters.b_post(), 1);
  detail::fill_diagonal(parameters.b_res(), 1, 0);
}

/// The ordinary residual has no parameters to initialise.
template <int N, class Scalar>
void initialize(ParametersView<N, Scalar, OrdinaryResidual> /*parameters*/, std::uint64_t /*seed*/,
                const InitializationOptions<OrdinaryResidual>& /*options*/ = {}) {}

/// Initialises the learned collapse as the mean of the streams: alpha = 0.01, b = -ln(n - 1),
/// phi ~ N(0, phi_stddev^2).
template <int N, class Scalar>
void initialize(ParametersView<N, Scalar, LearnedCollapse> parameters, std::uint64_t seed,
                const InitializationOptions<LearnedCollapse>& options = {}) {
  detail::fill_normal(parameters.phi(), options.phi_stddev, seed);
  detail::fill(parameters.alpha(), 0.01);
  detail::fill(parameters.b(), detail::mean_logit(N));
}

/// The same for owned parameters.
template <int N, class Scalar, class Connection>
void initialize(Parameters<N, Scalar, Connection>& parameters, std::uint64_t seed,
                const InitializationOptions<Connection>& options = {}) {
  initialize(parameters.view(), seed, options);
}
/// The same for owned parameters.
template <int N, class Scalar, class Connection>
void initialize_one_hot(Parameters<N, Scalar, Connection>& parameters, std::uint64_t seed,
                        const HomeStreamOptions& options = {}) {
  initialize_one_hot(parameters.view(), seed, options);
}
/// The same for owned parameters.
template <int N, class Scalar>
void initialize_paper(Parameters<N, Scalar, ManifoldConstrained>& parameters, std::uint64_t seed,
                      const HomeStreamOptions& options = {}) {
  initialize_paper(parameters.view(), seed, options);
}

MHC_NAMESPACE_END
