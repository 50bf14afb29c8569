// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/gated_parameters.hpp>
#include <mhc/kernels/kernels.hpp>

// The seam of the gated residual: the kernels that its calls use, on half-open ranges, with the
// promises of entry.hpp. `count` <= gated_tokens tokens from t share the rows of a matrix.

MHC_KERNEL_WARNINGS_BEGIN
MHC_KERNELS_BEGIN

/// The numbers of one gated residual, as every instruction set's kernels take them.
template <int N, class Scalar, bool Injects>
struct GatedSite {
  Scalar norm_eps;
  GatedParametersView<N, const Scalar, Injects> parameters;
};

/// A site with (Injects) or without the weights of v; the formula: gated_residual.hpp.
template <int N, class Element, bool Injects>
struct GatedKernels {
  using Scalar = compute_t<Element>;
  using Site = GatedSite<N, Scalar, Injects>;
  using Saved = GatedSavedView<N, Scalar, Injects>;
  using ConstSaved = GatedSavedView<N, const Scalar, Injects>;
  using Parameters = GatedParametersView<N, Scalar, Injects>;

  /// raw = x (1 + w) [down | inject] for the columns [begin, end).
  static void project(const Site& site, const StreamView<const Element>& x, const Saved& saved,
                      Index t, int count, Index begin, Index end);

  /// r, hidden = silu(a) and inject = 2 sigmoid(b) of the tokens [begin, end).
  static void map(const Site& site, const StreamView<const Element>& x, const Saved& saved,
                  Index begin, Index end);

  /// u for the channels [begin, end).
  static void mix(const Site& site, const StreamView<const Element>& x, const TokenView<Element>& u,
                  const Saved& saved, Index t, int count, Index begin, Index end);

  /// inverse_rms, raw and hidden of dsaved for the tokens [begin, end). du may be absent.
  static void backward_tokens(const Site& site, const StreamView<const Element>& x,
                              const TokenView<const Element>& du, const ConstSaved& saved,
                              const Saved& dsaved, Index begin, Index end);

  /// dx and the gradients of the parameters for the channels [begin, end), all tokens in order.
  static void backward_channels(const Site& site, const StreamView<const Element>& x,
                                const StreamView<const Element>& dx_next,
                                const TokenView<const Element>& du, const ConstSaved& saved,
                                const Saved& dsaved, const StreamView<Element>& dx,
                                const Parameters& dparameters, Index begin, Index end);

  /// x_next_i = x_i + inject_i v.
  static void finish(const StreamView<const Element>& x, const TokenView<const Element>& v,
                     const ConstSaved& saved, const StreamView<Element>& x_next, Index begin,
                     Index end);

  /// dv = inject dx_next, and the gradient of inject. dx_next may be absent.
  static void finish_backward(const StreamView<const Element>& dx_next,
                              const TokenView<const Element>& v, const ConstSaved& saved,
                              const TokenView<Element>& dv, const Saved& dsaved, Index begin,
                              Index end);
};

#if MHC_HAS_CPU_KERNELS
// NOLINTNEXTLINE(bugprone-macro-parentheses): the name of a file
#define MHC_KERNELS <mhc/kernels/gated.inl>
#include <mhc/kernels/each_instruction_set.inl>
#endif

// The dispatch.

template <int N, class Element, bool Injects>
void GatedKernels<N, Element, Injects>::project(const Site& site,
                                                const StreamView<const Element>& x,
                                                const Saved& saved, Index t, int count, Index begin,
                                                Index end) {
  MHC_DISPATCH(gated_project(site, x, saved, t, count, begin, end));
}

template <int N, class Element, bool Injects>
void GatedKernels<N, Element, Injects>::map(const Site& site, const StreamView<const Element>& x,
                                            const Saved& saved, Index begin, Index end) {
  MHC_DISPATCH(gated_map(site, x, saved, begin, end));
}

template <int N, class Element, bool Injects>
void GatedKernels<N, Element, Injects>::mix(const Site& site, const StreamView<const Element>& x,
                                            const TokenView<Element>& u, const Saved& saved,
                                            Index t, int count, Index begin, Index end) {
  MHC_DISPATCH(gated_mix(site, x, u, saved, t, count, begin, end));
}

template <int N, class Element, bool Injects>
void GatedKernels<N, Element, Injects>::backward_tokens(
    const Site& site, const StreamView<const Element>& x, const TokenView<const Element>& du,
    const ConstSaved& saved, const Saved& dsaved, Index begin, Index end) {
  MHC_DISPATCH(gated_backward_tokens(site, x, du, saved, dsaved, begin, end));
}

template <int N, class Element, bool Injects>
void GatedKernels<N, Element, Injects>::backward_channels(
    const Site& site, const StreamView<const Element>& x, const StreamView<const Element>& dx_next,
    const TokenView<const Element>& du, const ConstSaved& saved, const Saved& dsaved,
    const StreamView<Element>& dx, const Parameters& dparameters, Index begin, Index end) {
  MHC_DISPATCH(
      gated_backward_channels(site, x, dx_next, du, saved, dsaved, dx, dparameters, begin, end));
}

template <int N, class Element, bool Injects>
void GatedKernels<N, Element, Injects>::finish(const StreamView<const Element>& x,
                                               const TokenView<const Element>& v,
                                               const ConstSaved& saved,
                                               const StreamView<Element>& x_next, Index begin,
                                               Index end) {
  MHC_DISPATCH(gated_finish(x, v, saved, x_next, begin, end));
}

template <int N, class Element, bool Injects>
void GatedKernels<N, Element, Injects>::finish_backward(const StreamView<const Element>& dx_next,
                                                        const TokenView<const Element>& v,
                                                        const ConstSaved& saved,
                                                        const TokenView<Element>& dv,
                                                        const Saved& dsaved, Index begin,
                                                        Index end) {
  MHC_DISPATCH(gated_finish_backward(dx_next, v, saved, dv, dsaved, begin, end));
}

MHC_KERNELS_END
MHC_KERNEL_WARNINGS_END
