// SPDX-License-Identifier: MIT
#pragma once

// The one place that holds the version; CMake reads it from here.
#define MHC_VERSION_MAJOR 0
#define MHC_VERSION_MINOR 1
#define MHC_VERSION_PATCH 0
#define MHC_VERSION (MHC_VERSION_MAJOR * 10000 + MHC_VERSION_MINOR * 100 + MHC_VERSION_PATCH)
#define MHC_VERSION_STRING "0.1.0"

// Two versions of the library in one program keep apart, and so do two ways to compile it: every
// name lives in mhc::v0_1, or in a namespace of its own where a macro leaves instruction sets out.
#if defined(MHC_GENERIC_ONLY)
#define MHC_INLINE_NAMESPACE v0_1_generic
#elif defined(MHC_NO_AVX512)
#define MHC_INLINE_NAMESPACE v0_1_no_avx512
#else
#define MHC_INLINE_NAMESPACE v0_1
#endif
#define MHC_NAMESPACE_BEGIN \
  namespace mhc {           \
  inline namespace MHC_INLINE_NAMESPACE {
#define MHC_NAMESPACE_END \
  }                       \
  }
