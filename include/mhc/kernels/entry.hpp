// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include <mhc/connection.hpp>
#include <mhc/kernels/kernels.hpp>
#include <mhc/kernels/site.hpp>
#include <mhc/kernels/target.hpp>
#include <mhc/residual_mapping.hpp>
#include <mhc/saved.hpp>
#include <mhc/view.hpp>

// The seam between the calls and the arithmetic: every kernel that a Block, a Head or an operation
// on streams and matrices uses, each on a half-open range that an executor hands to one thread.
// A kernel is stateless, allocates nothing and throws nothing: its caller has checked the
// arguments. A token's result depends on that token alone. The instruction set is chosen here.
//
// They are members of templates and not inline, so that `extern template` keeps them out of a unit
// that links mhc::compiled (instances.inl). Those of the gated residual: gated_entry.hpp.

MHC_KERNELS_BEGIN

/// From the streams to the mappings and u, with phi in the compute type or rounded to bf16.
///
///   x (tokens, N, C)    u (tokens, C)    pre (tokens, N)    saved: a record for each token
template <int N, class Element, class Connection, class Phi = compute_t<Element>>
struct PrepareKernels {
  using Scalar = compute_t<Element>;

  /// The record of each token in [begin, end): r, raw = x phi, the logits and the mappings; and
  /// u = pre x unless u is absent. `pre` is what the streams are read with: that of `saved`, or in
  /// single-pass mHC that of the site before. N C elements are read and C written a token.
  static void prepare(const Site<N, Scalar, Connection>& site, const Phi* phi,
                      const StreamView<const Element>& x, const TokenView<const Scalar>& pre,
                      const TokenView<Element>& u, const SavedView<N, Scalar, Connection>& saved,
                      Index begin, Index end);

  /// For so few tokens that threads split the projection of each (split-K): the partial sums of the
  /// parts [begin, end) of all tokens, those of part p and token t at
  /// sums[(p * tokens + t) * part_size]. See parts.hpp.
  static void prepare_parts(const Site<N, Scalar, Connection>& site, const Phi* phi,
                            const StreamView<const Element>& x, Scalar* sums, Index begin,
                            Index end);
};

/// The other kernels of a site.
///
///   v, dv, du (tokens, C)    x_next, dx_next, dx (tokens, N, C)    dsaved: as saved
template <int N, class Element, class Connection>
struct SiteKernels {
  using Scalar = compute_t<Element>;
  using Saved = SavedView<N, Scalar, Connection>;
  using ConstSaved = SavedView<N, const Scalar, Connection>;
  using Parameters = ParametersView<N, Scalar, Connection>;

  /// After prepare_parts, from the sums of all parts: everything else that prepare does.
  static void prepare_from_parts(const Site<N, Scalar, Connection>& site,
                                 const StreamView<const Element>& x,
                                 const TokenView<const Scalar>& pre, const TokenView<Element>& u,
                                 const Saved& saved, const Scalar* sums);

  /// x_next = res x + post^T v for the tokens [begin, end); x_next may be x.
  static void finish(const StreamView<const Element>& x, const TokenView<const Element>& v,
                     const ConstSaved& saved, const StreamView<Element>& x_next, Index begin,
                     Index end);

  /// dv, and in dsaved the gradients of post and res, all else zero. dx_next may be absent.
  static void finish_backward(const StreamView<const Element>& dx_next,
                              const StreamView<const Element>& x, const TokenView<const Element>& v,
                              const ConstSaved& saved, const TokenView<Element>& dv,
                              const Saved& dsaved, Index begin, Index end);

  /// dx of the tokens [begin, end), and in dsaved the gradients of r, raw and the logits. dx_next
  /// and du may be absent. `delayed` is absent unless `pre` is another site's: in, the gradient of
  /// this site's pre, out, that of `pre`.
  static void prepare_backward(const Site<N, Scalar, Connection>& site,
                               const StreamView<const Element>& x,
                               const StreamView<const Element>& dx_next,
                               const TokenView<const Scalar>& pre, const TokenView<Scalar>& delayed,
                               const TokenView<const Element>& du, const ConstSaved& saved,
                               const Saved& dsaved, const StreamView<Element>& dx, Index begin,
                               Index end);

  /// dphi += x^T draw for the channels [begin, end) of each stream, all tokens in order.
  static void prepare_backward_phi(const StreamView<const Element>& x, const Saved& dsaved,
                                   const Parameters& dparameters, Index begin, Index end);

  /// dalpha and db += those of all tokens, in order.
  static void prepare_backward_gates(const ConstSaved& saved, const Saved& dsaved,
                                     const Parameters& dparameters);
};

/// The ninth of a site's kernels: finish of one site and prepare of the next, tile by tile while
/// x_next is in the cache. 10 C instead of 14 C elements of traffic a token.
template <int N, class Element, class Connection, class NextConnection>
void finish_and_prepare(const StreamView<const Element>& x, const TokenView<const Element>& v,
                        const SavedView<N, const compute_t<Element>, Connection>& saved,
                        const StreamView<Element>& x_next,
                        const Site<N, compute_t<Element>, NextConnection>& next,
                        const TokenView<const compute_t<Element>>& pre, const TokenView<Element>& u,
                        const SavedView<N, compute_t<Element>, NextConnection>& next_saved,
                        Index begin, Index end) {
  constexpr Index tile = 32;  // tokens: 2 MiB of x_next where n = 4, C = 4096, in f32
  for (Index t = begin; t < end; t += tile) {
    const Index last = (std::min)(t + tile, end);
    SiteKernels<N, Element, Connection>::finish(x, v, saved, x_next, t, last);
    PrepareKernels<N, Element, NextConnection>::prepare(next, next.parameters.phi_data(), x_next,
                                                        pre, u, next_saved, t, last);
  }
}

/// Aggregate and merge with coefficients in views: aggregate.hpp and merge.hpp.
template <int N, class Element>
struct StreamKernels {
  using Scalar = compute_t<Element>;

  /// u = pre x.
  static void aggregate(const StreamView<const Element>& x, const TokenView<const Scalar>& pre,
                        const TokenView<Element>& u, Index begin, Index end);

  /// dx = pre^T du, dpre = <du, x>.
  static void aggregate_backward(const StreamView<const Element>& x,
                                 const TokenView<const Scalar>& pre,
                                 const TokenView<const Element>& du, const StreamView<Element>& dx,
                                 const TokenView<Scalar>& dpre, Index begin, Index end);

  /// x_next = res x + post^T v; x_next may be x.
  static void merge(const StreamView<const Element>& x, const TokenView<const Element>& v,
                    const TokenView<const Scalar>& post, const StreamView<const Scalar>& res,
                    const StreamView<Element>& x_next, Index begin, Index end);

  /// dx = res^T dx_next, dv = post dx_next, dpost = <dx_next, v>, dres = <dx_next, x>.
  static void merge_backward(const StreamView<const Element>& dx_next,
                             const StreamView<const Element>& x, const TokenView<const Element>& v,
                             const TokenView<const Scalar>& post,
                             const StreamView<const Scalar>& res, const StreamView<Element>& dx,
                             const TokenView<Element>& dv, const TokenView<Scalar>& dpost,
                             const StreamView<Scalar>& dres, Index begin, Index end);
};

/// Expand and collapse, any number of streams: expand.hpp and collapse.hpp.
template <class Element>
struct UniformKernels {
  using Scalar = compute_t<Element>;

  /// out = scale sum_i x_i.
  static void sum(const StreamView<const Element>& x, Scalar scale, const TokenView<Element>& out,
                  Index begin, Index end);

  /// x_i = scale in.
  static void repeat(const TokenView<const Element>& in, Scalar scale, const StreamView<Element>& x,
                     Index begin, Index end);
};

/// The projections onto the doubly stochastic matrices alone, for the matrices [begin, end) of a
/// view (count, N, N): sinkhorn_knopp.hpp and birkhoff_projection.hpp.
template <int N, class Scalar>
struct MatrixKernels {
  static void sinkhorn_knopp(const StreamView<const Scalar>& logits,
                             const SinkhornKnoppOptions& options, const StreamView<Scalar>& res,
                             Index begin, Index end);
  static void sinkhorn_knopp_backward(const StreamView<const Scalar>& logits,
                                      const SinkhornKnoppOptions& options,
                                      const StreamView<const Scalar>& dres,
                                      const StreamView<Scalar>& dlogits, Index begin, Index end);
  static void birkhoff_projection(const StreamView<const Scalar>& logits,
                                  const BirkhoffProjection::Options& options,
                                  const StreamView<Scalar>& res, Index begin, Index end);

  /// `error` may be absent.
  static void implicit_backward(const StreamView<const Scalar>& res,
                                const StreamView<const Scalar>& dres,
                                const StreamView<Scalar>& dlogits, const TokenView<Scalar>& error,
                                Index begin, Index end);
};

#include <mhc/kernels/entry.inl>
#include <mhc/kernels/instances.inl>

MHC_KERNELS_END
