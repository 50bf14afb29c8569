// SPDX-License-Identifier: MIT
#include "reference.hpp"

#include <mhc/block.hpp>

namespace mhc_test {

template <int N, class Connection>
void reference_prepare(mhc::ParametersView<N, const double, Connection> parameters,
                       const typename Connection::Options& options, mhc::StreamView<const double> x,
                       mhc::SavedView<N, double, Connection> saved) {
  mhc::Block<N, double, Connection>(parameters, options).prepare(x, {}, saved);
}

#define MHC_INSTANCE(N, ...)                                                          \
  template void reference_prepare<N, __VA_ARGS__>(                                    \
      mhc::ParametersView<N, const double, __VA_ARGS__>, const __VA_ARGS__::Options&, \
      mhc::StreamView<const double>, mhc::SavedView<N, double, __VA_ARGS__>)
MHC_INSTANCE(1, mhc::ManifoldConstrained);
MHC_INSTANCE(2, mhc::ManifoldConstrained);
MHC_INSTANCE(3, mhc::ManifoldConstrained);
MHC_INSTANCE(4, mhc::ManifoldConstrained);
MHC_INSTANCE(5, mhc::ManifoldConstrained);
MHC_INSTANCE(6, mhc::ManifoldConstrained);
MHC_INSTANCE(7, mhc::ManifoldConstrained);
MHC_INSTANCE(8, mhc::ManifoldConstrained);
MHC_INSTANCE(16, mhc::ManifoldConstrained);
MHC_INSTANCE(4, mhc::HyperConnections);
MHC_INSTANCE(4, mhc::Unconstrained<mhc::FromToken>);
MHC_INSTANCE(4, mhc::Unconstrained<mhc::Static>);
MHC_INSTANCE(4, mhc::OrdinaryResidual);
MHC_INSTANCE(4, mhc::Constrained<mhc::PermutationSoftmax>);
MHC_INSTANCE(5, mhc::Constrained<mhc::PermutationSoftmax>);
MHC_INSTANCE(8, mhc::Constrained<mhc::Kronecker>);
MHC_INSTANCE(4, mhc::Constrained<mhc::Kronecker>);
MHC_INSTANCE(4, mhc::Constrained<mhc::IdentityResidual>);
MHC_INSTANCE(4, mhc::Constrained<mhc::SinkhornKnopp, mhc::FromStreams>);
MHC_INSTANCE(4, mhc::Constrained<mhc::SinkhornKnopp, mhc::Static>);
MHC_INSTANCE(4, mhc::Constrained<mhc::BirkhoffProjection>);
MHC_INSTANCE(3, mhc::Constrained<mhc::BirkhoffProjection>);

}  // namespace mhc_test
