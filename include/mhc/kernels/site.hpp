// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/connection.hpp>
#include <mhc/parameters.hpp>

MHC_NAMESPACE_BEGIN
namespace kernels {

/// The numbers of one site, as every instruction set's kernels take them.
template <int N, class Scalar, class Connection>
struct Site {
  typename Connection::Options options;
  ParametersView<N, const Scalar, Connection> parameters;
};

}  // namespace kernels
MHC_NAMESPACE_END
