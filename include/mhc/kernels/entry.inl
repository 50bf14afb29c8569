// SPDX-License-Identifier: MIT
// Part of entry.hpp: the dispatch to the kernels of the instruction set in use. What a connection
// does not have (a projection, parameters, a merge) has no kernel.

template <int N, class Element, class Connection, class Phi>
void PrepareKernels<N, Element, Connection, Phi>::prepare(
    const Site<N, Scalar, Connection>& site, const Phi* phi, const StreamView<const Element>& x,
    const TokenView<const Scalar>& pre, const TokenView<Element>& u,
    const SavedView<N, Scalar, Connection>& saved, Index begin, Index end) {
  MHC_DISPATCH(prepare(site, phi, x, pre, u, saved, begin, end));
}

template <int N, class Element, class Connection, class Phi>
void PrepareKernels<N, Element, Connection, Phi>::prepare_parts(
    const Site<N, Scalar, Connection>& site, const Phi* phi, const StreamView<const Element>& x,
    Scalar* sums, Index begin, Index end) {
  if constexpr (Connection::template Shape<N>::projections > 0) {
    MHC_DISPATCH(prepare_parts(site, phi, x, sums, begin, end));
  }
}

template <int N, class Element, class Connection>
void SiteKernels<N, Element, Connection>::prepare_from_parts(
    const Site<N, Scalar, Connection>& site, const StreamView<const Element>& x,
    const TokenView<const Scalar>& pre, const TokenView<Element>& u, const Saved& saved,
    const Scalar* sums) {
  if constexpr (Connection::template Shape<N>::projections > 0) {
    MHC_DISPATCH(prepare_from_parts(site, x, pre, u, saved, sums));
  }
}

template <int N, class Element, class Connection>
void SiteKernels<N, Element, Connection>::finish(const StreamView<const Element>& x,
                                                 const TokenView<const Element>& v,
                                                 const ConstSaved& saved,
                                                 const StreamView<Element>& x_next, Index begin,
                                                 Index end) {
  if constexpr (Connection::template Shape<N>::merges) {
    MHC_DISPATCH(finish<N, Scalar, Connection>(x, v, saved, x_next, begin, end));
  }
}

template <int N, class Element, class Connection>
void SiteKernels<N, Element, Connection>::finish_backward(
    const StreamView<const Element>& dx_next, const StreamView<const Element>& x,
    const TokenView<const Element>& v, const ConstSaved& saved, const TokenView<Element>& dv,
    const Saved& dsaved, Index begin, Index end) {
  if constexpr (Connection::template Shape<N>::merges) {
    MHC_DISPATCH(finish_backward(dx_next, x, v, saved, dv, dsaved, begin, end));
  }
}

template <int N, class Element, class Connection>
void SiteKernels<N, Element, Connection>::prepare_backward(
    const Site<N, Scalar, Connection>& site, const StreamView<const Element>& x,
    const StreamView<const Element>& dx_next, const TokenView<const Scalar>& pre,
    const TokenView<Scalar>& delayed, const TokenView<const Element>& du, const ConstSaved& saved,
    const Saved& dsaved, const StreamView<Element>& dx, Index begin, Index end) {
  MHC_DISPATCH(prepare_backward(site, x, dx_next, pre, delayed, du, saved, dsaved, dx, begin, end));
}

template <int N, class Element, class Connection>
void SiteKernels<N, Element, Connection>::prepare_backward_phi(const StreamView<const Element>& x,
                                                               const Saved& dsaved,
                                                               const Parameters& dparameters,
                                                               Index begin, Index end) {
  if constexpr (Connection::template Shape<N>::projections > 0) {
    MHC_DISPATCH(prepare_backward_phi(x, dsaved, dparameters, begin, end));
  }
}

template <int N, class Element, class Connection>
void SiteKernels<N, Element, Connection>::prepare_backward_gates(const ConstSaved& saved,
                                                                 const Saved& dsaved,
                                                                 const Parameters& dparameters) {
  if constexpr (Connection::template Shape<N>::logits > 0) {
    MHC_DISPATCH(prepare_backward_gates(saved, dsaved, dparameters));
  }
}

template <int N, class Element>
void StreamKernels<N, Element>::aggregate(const StreamView<const Element>& x,
                                          const TokenView<const Scalar>& pre,
                                          const TokenView<Element>& u, Index begin, Index end) {
  MHC_DISPATCH(aggregate_tokens<N>(x, pre, u, begin, end));
}

template <int N, class Element>
void StreamKernels<N, Element>::aggregate_backward(const StreamView<const Element>& x,
                                                   const TokenView<const Scalar>& pre,
                                                   const TokenView<const Element>& du,
                                                   const StreamView<Element>& dx,
                                                   const TokenView<Scalar>& dpre, Index begin,
                                                   Index end) {
  MHC_DISPATCH(aggregate_backward_tokens<N>(x, pre, du, dx, dpre, begin, end));
}

template <int N, class Element>
void StreamKernels<N, Element>::merge(const StreamView<const Element>& x,
                                      const TokenView<const Element>& v,
                                      const TokenView<const Scalar>& post,
                                      const StreamView<const Scalar>& res,
                                      const StreamView<Element>& x_next, Index begin, Index end) {
  MHC_DISPATCH(merge_tokens<N>(x, v, post, res, x_next, begin, end));
}

template <int N, class Element>
void StreamKernels<N, Element>::merge_backward(
    const StreamView<const Element>& dx_next, const StreamView<const Element>& x,
    const TokenView<const Element>& v, const TokenView<const Scalar>& post,
    const StreamView<const Scalar>& res, const StreamView<Element>& dx,
    const TokenView<Element>& dv, const TokenView<Scalar>& dpost, const StreamView<Scalar>& dres,
    Index begin, Index end) {
  MHC_DISPATCH(merge_backward_tokens<N>(dx_next, x, v, post, res, dx, dv, dpost, dres, begin, end));
}

template <class Element>
void UniformKernels<Element>::sum(const StreamView<const Element>& x, Scalar scale,
                                  const TokenView<Element>& out, Index begin, Index end) {
  MHC_DISPATCH(sum_streams(x, scale, out, begin, end));
}

template <class Element>
void UniformKernels<Element>::repeat(const TokenView<const Element>& in, Scalar scale,
                                     const StreamView<Element>& x, Index begin, Index end) {
  MHC_DISPATCH(repeat_token(in, scale, x, begin, end));
}

template <int N, class Scalar>
void MatrixKernels<N, Scalar>::sinkhorn_knopp(const StreamView<const Scalar>& logits,
                                              const SinkhornKnoppOptions& options,
                                              const StreamView<Scalar>& res, Index begin,
                                              Index end) {
  MHC_DISPATCH(sinkhorn_knopp_batch<N>(logits, options, res, begin, end));
}

template <int N, class Scalar>
void MatrixKernels<N, Scalar>::sinkhorn_knopp_backward(const StreamView<const Scalar>& logits,
                                                       const SinkhornKnoppOptions& options,
                                                       const StreamView<const Scalar>& dres,
                                                       const StreamView<Scalar>& dlogits,
                                                       Index begin, Index end) {
  MHC_DISPATCH(sinkhorn_knopp_backward_batch<N>(logits, options, dres, dlogits, begin, end));
}

template <int N, class Scalar>
void MatrixKernels<N, Scalar>::birkhoff_projection(const StreamView<const Scalar>& logits,
                                                   const BirkhoffProjection::Options& options,
                                                   const StreamView<Scalar>& res, Index begin,
                                                   Index end) {
  MHC_DISPATCH(birkhoff_projection_batch<N>(logits, options, res, begin, end));
}

template <int N, class Scalar>
void MatrixKernels<N, Scalar>::implicit_backward(const StreamView<const Scalar>& res,
                                                 const StreamView<const Scalar>& dres,
                                                 const StreamView<Scalar>& dlogits,
                                                 const TokenView<Scalar>& error, Index begin,
                                                 Index end) {
  MHC_DISPATCH(implicit_backward_batch<N>(res, dres, dlogits, error, begin, end));
}
