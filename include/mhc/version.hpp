// SPDX-License-Identifier: MIT
#pragma once

// The version is defined only here; CMake reads it from this file.
#define MHC_VERSION_MAJOR 0
#define MHC_VERSION_MINOR 1
#define MHC_VERSION_PATCH 0
#define MHC_VERSION (MHC_VERSION_MAJOR * 10000 + MHC_VERSION_MINOR * 100 + MHC_VERSION_PATCH)
#define MHC_VERSION_STRING "0.1.0"

// All names are in the inline namespace mhc::v0_1, or another one if a macro excludes instruction
// sets, so that several versions and configurations of the library can coexist in one program.
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
