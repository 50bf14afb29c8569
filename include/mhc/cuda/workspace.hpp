// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include <mhc/version.hpp>

MHC_NAMESPACE_BEGIN
namespace cuda {

/// Device memory that a call may use until the work it has put on its stream is done; what is in it
/// does not matter. Calls on one stream may share it, calls on two streams must not.
struct Workspace {
  void* data = nullptr;
  std::size_t bytes = 0;
};

}  // namespace cuda
MHC_NAMESPACE_END
