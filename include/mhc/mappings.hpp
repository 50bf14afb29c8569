// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/check_options.hpp>
#include <mhc/connection.hpp>
#include <mhc/gates.hpp>
#include <mhc/projection.hpp>
#include <mhc/residuals.hpp>

MHC_NAMESPACE_BEGIN

// The mappings of one token, x (n, C) -> H_pre (1, n), H_post (1, n), H_res (n, n), for each
// connection. The kernels are in kernels/mappings.inl; a block calls them for many tokens
// (block.hpp).

namespace reference {

/// The projected values m, before the gates:
///
///   FromToken    m = r x phi, for the n C values x of the token                     (1, 2n + L)
///   FromStreams  T_j = r_j x_j phi for each stream j;  m = [T_j0 | T_j1 | T_j,2+i for (i, j)]
///   Static       zeros
template <class Source, class Options, class Scalar>
Row<Scalar> projected(const Options& options, const Matrix<Scalar>& x,
                      const Parameters<Scalar>& parameters) {
  if constexpr (std::is_same_v<Source, FromToken>) {
    return projection(flatten(x), parameters.phi, options.norm_eps, options.norm);
  } else if constexpr (std::is_same_v<Source, FromStreams>) {
    const Index n = x.rows();
    Matrix<Scalar> t(n, parameters.phi.cols());
    for (Index j = 0; j < n; ++j) {
      t.row(j) = projection(Row<Scalar>(x.row(j)), parameters.phi, options.norm_eps, options.norm);
    }
    Row<Scalar> m(t.size());
    for (Index r = 0; r < m.size(); ++r) m(r) = t(r % n, r / n);
    return m;
  } else {
    return Row<Scalar>::Zero(parameters.b.size());
  }
}

/// l = [alpha_pre m_pre | alpha_post m_post | alpha_res m_res] + b.
template <class Scalar>
Row<Scalar> gated(const Row<Scalar>& m, Index n, const Parameters<Scalar>& parameters) {
  Row<Scalar> logits = parameters.b;
  for (Index r = 0; r < m.size() && parameters.alpha.size() > 0; ++r) {
    logits(r) += parameters.alpha(r < n ? 0 : r < 2 * n ? 1 : 2) * m(r);
  }
  return logits;
}

/// pre = sigmoid(l) + pre_eps, divided by its sum if normalize_pre.
template <class Options, class Scalar>
Row<Scalar> pre_gates(const Options& options, const Row<Scalar>& logits) {
  using std::real;
  const Row<Scalar> pre = (sigmoid(logits).array() + options.pre_eps).matrix();
  if (!options.normalize_pre) return pre;
  return pre / (real(pre.sum()) > 1e-30 ? pre.sum() : Scalar(1e-30));
}

/// The formula of a connection.
template <class Connection>
struct MappingsOf;

/// mHC and its variants:  pre = sigmoid(l_pre) + pre_eps,  post = post_scale sigmoid(l_post) +
/// post_eps, res by the residual policy. Source: arXiv:2512.24880, eqs. (7)-(9).
template <class Residual, class Source>
struct MappingsOf<Constrained<Residual, Source>> {
  template <class Options, class Scalar>
  static Mappings<Scalar> of(const Options& options, const Matrix<Scalar>& x,
                             const Parameters<Scalar>& parameters) {
    const Index n = x.rows();
    const Row<Scalar> l = gated(projected<Source>(options, x, parameters), n, parameters);
    const Row<Scalar> post = l.segment(n, n);
    const Row<Scalar> res = l.tail(l.size() - 2 * n);
    return {pre_gates(options, Row<Scalar>(l.head(n))),
            (options.post_scale * sigmoid(post).array() + options.post_eps).matrix(),
            residual(options.residual, res, n)};
  }
};

/// HC:  [pre | post | res] = alpha tanh(m) + b. Source: arXiv:2512.24880, eq. (5); the original,
/// arXiv:2409.19606, stores H_res transposed.
template <class Source>
struct MappingsOf<Unconstrained<Source>> {
  template <class Options, class Scalar>
  static Mappings<Scalar> of(const Options& options, const Matrix<Scalar>& x,
                             const Parameters<Scalar>& parameters) {
    const Index n = x.rows();
    const Row<Scalar> l = gated(tanh(projected<Source>(options, x, parameters)), n, parameters);
    return {l.head(n), l.segment(n, n), square(Row<Scalar>(l.tail(n * n)), n)};
  }
};

/// The ordinary residual: pre = 1/n, post = 1, res = I.
template <>
struct MappingsOf<OrdinaryResidual> {
  template <class Scalar>
  static Mappings<Scalar> of(const OrdinaryResidual::Options& /*options*/, const Matrix<Scalar>& x,
                             const Parameters<Scalar>& /*parameters*/) {
    const Index n = x.rows();
    return {Row<Scalar>::Constant(n, Scalar(1.0 / static_cast<double>(n))), Row<Scalar>::Ones(n),
            Matrix<Scalar>::Identity(n, n)};
  }
};

/// The learned collapse:  pre = sigmoid(alpha m + b) + pre_eps; there is no post and no res.
template <>
struct MappingsOf<LearnedCollapse> {
  template <class Scalar>
  static Mappings<Scalar> of(const LearnedCollapse::Options& options, const Matrix<Scalar>& x,
                             const Parameters<Scalar>& parameters) {
    const Row<Scalar> m = projected<FromToken>(options, x, parameters);
    return {pre_gates(options, gated(m, x.rows(), parameters)), {}, {}};
  }
};

/// pre, post and res of one token for a connection.
template <class Connection, class Scalar>
Mappings<Scalar> mappings(const typename Connection::Options& options, const Matrix<Scalar>& x,
                          const Parameters<Scalar>& parameters) {
  return MappingsOf<Connection>::of(options, x, parameters);
}

}  // namespace reference
MHC_NAMESPACE_END
