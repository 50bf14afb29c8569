// SPDX-License-Identifier: MIT
#pragma once

// The one place that holds the version; CMake reads it from here.
#define MHC_VERSION_MAJOR 0
#define MHC_VERSION_MINOR 1
#define MHC_VERSION_PATCH 0
#define MHC_VERSION (MHC_VERSION_MAJOR * 10000 + MHC_VERSION_MINOR * 100 + MHC_VERSION_PATCH)
#define MHC_VERSION_STRING "0.1.0"

// Two versions of the library in one program keep apart: every name lives in mhc::v0_1.
#define MHC_NAMESPACE_BEGIN \
  namespace mhc {           \
  inline namespace v0_1 {
#define MHC_NAMESPACE_END \
  }                       \
  }
