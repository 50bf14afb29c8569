// SPDX-License-Identifier: MIT
// Part of entry.hpp: the instances of the library mhc::compiled, which are 2, 4 and 8 streams of
// every element type and the usual connections. A unit compiled with MHC_COMPILED, which the CMake
// target defines, leaves them to the library; header-only, each unit compiles what it uses. Both
// give the same bits.
//
// The library is compiled for the baseline of its architecture, without -ffast-math, and has
// kernels for every instruction set. Units with other flags have kernels of other names
// (target.hpp), and compile their own. So do units that leave instruction sets out unless the
// library leaves out the same: MHC_COMPILED is 1, 2 if it was built with MHC_NO_AVX512, or 3 with
// MHC_GENERIC_ONLY.

#if defined(MHC_GENERIC_ONLY)
#define MHC_INSTANCE_SETS 3
#elif defined(MHC_NO_AVX512)
#define MHC_INSTANCE_SETS 2
#else
#define MHC_INSTANCE_SETS 1
#endif

// NOLINTBEGIN(bugprone-macro-parentheses): types and words of the grammar
// `declare` is extern, or nothing where the library defines them.
#define MHC_UNIFORM_INSTANCES(declare, Element) declare template struct UniformKernels<Element>;
#define MHC_STREAM_INSTANCES(declare, N, Element)              \
  declare template struct StreamKernels<N, Element>;           \
  MHC_SITE_INSTANCES(declare, N, Element, ManifoldConstrained) \
  MHC_SITE_INSTANCES(declare, N, Element, HyperConnections)    \
  MHC_SITE_INSTANCES(declare, N, Element, OrdinaryResidual)    \
  MHC_SITE_INSTANCES(declare, N, Element, LearnedCollapse)
#define MHC_SITE_INSTANCES(declare, N, Element, Connection)       \
  declare template struct PrepareKernels<N, Element, Connection>; \
  declare template struct SiteKernels<N, Element, Connection>;
#define MHC_ROUNDED_INSTANCES(declare, N, Element) \
  declare template struct PrepareKernels<N, Element, ManifoldConstrained, bf16>;
#define MHC_MATRIX_INSTANCES(declare, N, Scalar) declare template struct MatrixKernels<N, Scalar>;

#define MHC_INSTANCES(declare, N)          \
  MHC_STREAM_INSTANCES(declare, N, float)  \
  MHC_STREAM_INSTANCES(declare, N, double) \
  MHC_STREAM_INSTANCES(declare, N, bf16)   \
  MHC_STREAM_INSTANCES(declare, N, f16)    \
  MHC_ROUNDED_INSTANCES(declare, N, float) \
  MHC_ROUNDED_INSTANCES(declare, N, bf16)  \
  MHC_ROUNDED_INSTANCES(declare, N, f16)   \
  MHC_MATRIX_INSTANCES(declare, N, float)  \
  MHC_MATRIX_INSTANCES(declare, N, double)
// NOLINTEND(bugprone-macro-parentheses)

#if defined(MHC_COMPILED) && MHC_COMPILED == MHC_INSTANCE_SETS && !defined(__FAST_MATH__) && \
    !defined(__AVX__)
MHC_UNIFORM_INSTANCES(extern, float)
MHC_UNIFORM_INSTANCES(extern, double)
MHC_UNIFORM_INSTANCES(extern, bf16)
MHC_UNIFORM_INSTANCES(extern, f16)
MHC_INSTANCES(extern, 2)
MHC_INSTANCES(extern, 4)
MHC_INSTANCES(extern, 8)
#endif
