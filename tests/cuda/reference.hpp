// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/parameters.hpp>
#include <mhc/saved.hpp>

namespace mhc_test {

/// mhc::Block of double on the host, compiled by the host's compiler, since nvcc does not take the
/// CPU's vector extensions. Instances: reference.cpp.
template <int N, class Connection>
void reference_prepare(mhc::ParametersView<N, const double, Connection> parameters,
                       const typename Connection::Options& options, mhc::StreamView<const double> x,
                       mhc::SavedView<N, double, Connection> saved);

/// mhc::Head of double. Instances: reference_calls.cpp.
template <int N>
void reference_head(mhc::ParametersView<N, const double, mhc::LearnedCollapse> parameters,
                    const mhc::LearnedCollapse::Options& options, mhc::StreamView<const double> x,
                    mhc::SavedView<N, double, mhc::LearnedCollapse> saved);

/// mhc::sinkhorn_knopp of double. Instances: reference_calls.cpp.
template <int N>
void reference_sinkhorn_knopp(mhc::StreamView<const double> logits,
                              const mhc::SinkhornKnoppOptions& options,
                              mhc::StreamView<double> res);

}  // namespace mhc_test
