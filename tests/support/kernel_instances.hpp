// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/kernels/entry.hpp>
#include <mhc/kernels/gated_entry.hpp>

// The kernels that several tests use and mhc::compiled does not have: 1, 3, 5 and 16 streams, the
// less usual connections, and the gated residual. The library mhc_test_kernels (tests/kernels/)
// compiles each once, for every instruction set. A unit with other flags (instances.inl) compiles
// its own.

// NOLINTBEGIN(bugprone-macro-parentheses): types and words of the grammar
#define MHC_TEST_GRADIENT_INSTANCES(declare, N)               \
  MHC_SITE_INSTANCES(declare, N, double, ManifoldConstrained) \
  MHC_SITE_INSTANCES(declare, N, double, HyperConnections)    \
  MHC_SITE_INSTANCES(declare, N, double, OrdinaryResidual)
#define MHC_TEST_INSTANCES_1(declare)                     \
  MHC_TEST_GRADIENT_INSTANCES(declare, 1)                 \
  MHC_SITE_INSTANCES(declare, 1, double, LearnedCollapse) \
  MHC_SITE_INSTANCES(declare, 1, float, ManifoldConstrained)
#define MHC_TEST_INSTANCES_3(declare)                        \
  declare template struct StreamKernels<3, float>;           \
  MHC_SITE_INSTANCES(declare, 3, float, ManifoldConstrained) \
  MHC_SITE_INSTANCES(declare, 3, bf16, ManifoldConstrained)  \
  MHC_SITE_INSTANCES(declare, 3, f16, ManifoldConstrained)   \
  MHC_SITE_INSTANCES(declare, 3, float, OrdinaryResidual)    \
  MHC_SITE_INSTANCES(declare, 3, float, LearnedCollapse)     \
  MHC_ROUNDED_INSTANCES(declare, 3, float)                   \
  MHC_ROUNDED_INSTANCES(declare, 3, bf16)
#define MHC_TEST_INSTANCES_3_DOUBLE(declare)        \
  declare template struct StreamKernels<3, double>; \
  MHC_TEST_GRADIENT_INSTANCES(declare, 3)           \
  MHC_SITE_INSTANCES(declare, 3, double, LearnedCollapse)
#define MHC_TEST_INSTANCES_5(declare) MHC_TEST_GRADIENT_INSTANCES(declare, 5)
#define MHC_TEST_INSTANCES_16(declare) MHC_TEST_GRADIENT_INSTANCES(declare, 16)
#define MHC_TEST_MATRIX_INSTANCES(declare) \
  MHC_MATRIX_INSTANCES(declare, 1, float)  \
  MHC_MATRIX_INSTANCES(declare, 1, double) \
  MHC_MATRIX_INSTANCES(declare, 3, float)  \
  MHC_MATRIX_INSTANCES(declare, 3, double) \
  MHC_MATRIX_INSTANCES(declare, 5, float)  \
  MHC_MATRIX_INSTANCES(declare, 5, double)
#define MHC_TEST_MATRIX_INSTANCES_16(declare) \
  MHC_MATRIX_INSTANCES(declare, 16, float)    \
  MHC_MATRIX_INSTANCES(declare, 16, double)
#define MHC_TEST_PERMUTATION_INSTANCES(declare)                           \
  MHC_SITE_INSTANCES(declare, 1, double, Constrained<PermutationSoftmax>) \
  MHC_SITE_INSTANCES(declare, 3, double, Constrained<PermutationSoftmax>) \
  MHC_SITE_INSTANCES(declare, 4, double, Constrained<PermutationSoftmax>) \
  MHC_SITE_INSTANCES(declare, 5, double, Constrained<PermutationSoftmax>) \
  MHC_TEST_STATIC_INSTANCES(declare, PermutationSoftmax)
#define MHC_TEST_KRONECKER_INSTANCES(declare)                    \
  MHC_SITE_INSTANCES(declare, 1, double, Constrained<Kronecker>) \
  MHC_SITE_INSTANCES(declare, 2, double, Constrained<Kronecker>) \
  MHC_SITE_INSTANCES(declare, 4, double, Constrained<Kronecker>) \
  MHC_SITE_INSTANCES(declare, 8, double, Constrained<Kronecker>) \
  MHC_TEST_STATIC_INSTANCES(declare, Kronecker)
#define MHC_TEST_BIRKHOFF_INSTANCES(declare)                              \
  MHC_SITE_INSTANCES(declare, 1, double, Constrained<BirkhoffProjection>) \
  MHC_SITE_INSTANCES(declare, 3, double, Constrained<BirkhoffProjection>) \
  MHC_SITE_INSTANCES(declare, 4, double, Constrained<BirkhoffProjection>) \
  MHC_SITE_INSTANCES(declare, 8, double, Constrained<BirkhoffProjection>) \
  MHC_TEST_STATIC_INSTANCES(declare, BirkhoffProjection)
#define MHC_TEST_CONNECTION_INSTANCES(declare)                          \
  MHC_SITE_INSTANCES(declare, 1, double, Constrained<IdentityResidual>) \
  MHC_SITE_INSTANCES(declare, 4, double, Constrained<IdentityResidual>) \
  MHC_TEST_STREAMS_INSTANCES(declare, 3, double, IdentityResidual)      \
  MHC_TEST_STREAMS_INSTANCES(declare, 4, double, SinkhornKnopp)         \
  MHC_TEST_STREAMS_INSTANCES(declare, 2, float, SinkhornKnopp)          \
  MHC_TEST_STATIC_INSTANCES(declare, IdentityResidual)                  \
  MHC_TEST_STATIC_INSTANCES(declare, SinkhornKnopp)                     \
  MHC_SITE_INSTANCES(declare, 4, double, Unconstrained<Static>)         \
  MHC_SITE_INSTANCES(declare, 3, double, Unconstrained<FromToken>)
// A comma in an argument of a macro ends it: these spell the two arguments out.
#define MHC_TEST_STATIC_INSTANCES(declare, Residual)                                \
  declare template struct PrepareKernels<4, double, Constrained<Residual, Static>>; \
  declare template struct SiteKernels<4, double, Constrained<Residual, Static>>;
#define MHC_TEST_STREAMS_INSTANCES(declare, N, Element, Residual)                         \
  declare template struct PrepareKernels<N, Element, Constrained<Residual, FromStreams>>; \
  declare template struct SiteKernels<N, Element, Constrained<Residual, FromStreams>>;
// Without the weights of v there is no finish.
#define MHC_TEST_COLLAPSE_INSTANCES(declare, N, Element)                                      \
  declare template void GatedKernels<N, Element, false>::project(                             \
      const Site&, const StreamView<const Element>&, const Saved&, Index, int, Index, Index); \
  declare template void GatedKernels<N, Element, false>::map(                                 \
      const Site&, const StreamView<const Element>&, const Saved&, Index, Index);             \
  declare template void GatedKernels<N, Element, false>::mix(                                 \
      const Site&, const StreamView<const Element>&, const TokenView<Element>&, const Saved&, \
      Index, int, Index, Index);                                                              \
  declare template void GatedKernels<N, Element, false>::backward_tokens(                     \
      const Site&, const StreamView<const Element>&, const TokenView<const Element>&,         \
      const ConstSaved&, const Saved&, Index, Index);                                         \
  declare template void GatedKernels<N, Element, false>::backward_channels(                   \
      const Site&, const StreamView<const Element>&, const StreamView<const Element>&,        \
      const TokenView<const Element>&, const ConstSaved&, const Saved&,                       \
      const StreamView<Element>&, const Parameters&, Index, Index);
#define MHC_TEST_GATED_INSTANCES(declare)               \
  declare template struct GatedKernels<1, float, true>; \
  declare template struct GatedKernels<2, float, true>; \
  declare template struct GatedKernels<3, float, true>; \
  declare template struct GatedKernels<4, float, true>; \
  MHC_TEST_COLLAPSE_INSTANCES(declare, 4, float)        \
  declare template struct GatedKernels<3, bf16, true>;  \
  declare template struct GatedKernels<4, bf16, true>;  \
  declare template struct GatedKernels<4, f16, true>;
#define MHC_TEST_GATED_INSTANCES_DOUBLE(declare)         \
  declare template struct GatedKernels<1, double, true>; \
  MHC_TEST_COLLAPSE_INSTANCES(declare, 1, double)        \
  declare template struct GatedKernels<2, double, true>; \
  declare template struct GatedKernels<3, double, true>; \
  MHC_TEST_COLLAPSE_INSTANCES(declare, 3, double)        \
  declare template struct GatedKernels<4, double, true>; \
  MHC_TEST_COLLAPSE_INSTANCES(declare, 4, double)
// NOLINTEND(bugprone-macro-parentheses)

#if defined(MHC_TEST_KERNELS) && MHC_TEST_KERNELS == MHC_INSTANCE_SETS && \
    !defined(__FAST_MATH__) && !defined(__AVX__)
MHC_KERNELS_BEGIN
MHC_TEST_INSTANCES_1(extern)
MHC_TEST_INSTANCES_3(extern)
MHC_TEST_INSTANCES_3_DOUBLE(extern)
MHC_TEST_INSTANCES_5(extern)
MHC_TEST_INSTANCES_16(extern)
MHC_TEST_MATRIX_INSTANCES(extern)
MHC_TEST_MATRIX_INSTANCES_16(extern)
MHC_TEST_PERMUTATION_INSTANCES(extern)
MHC_TEST_KRONECKER_INSTANCES(extern)
MHC_TEST_BIRKHOFF_INSTANCES(extern)
MHC_TEST_CONNECTION_INSTANCES(extern)
MHC_TEST_GATED_INSTANCES(extern)
MHC_TEST_GATED_INSTANCES_DOUBLE(extern)
MHC_KERNELS_END
#endif
