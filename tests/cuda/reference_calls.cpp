// SPDX-License-Identifier: MIT
#include "reference.hpp"

#include <mhc/head.hpp>
#include <mhc/sinkhorn_knopp.hpp>

namespace mhc_test {

template <int N>
void reference_head(mhc::ParametersView<N, const double, mhc::LearnedCollapse> parameters,
                    const mhc::LearnedCollapse::Options& options, mhc::StreamView<const double> x,
                    mhc::SavedView<N, double, mhc::LearnedCollapse> saved) {
  mhc::Head<N, double>(parameters, options).forward(x, {}, saved);
}

template <int N>
void reference_sinkhorn_knopp(mhc::StreamView<const double> logits,
                              const mhc::SinkhornKnoppOptions& options,
                              mhc::StreamView<double> res) {
  mhc::sinkhorn_knopp<N>(logits, options, res);
}

#define MHC_INSTANCE(N)                                                                       \
  template void reference_head<N>(mhc::ParametersView<N, const double, mhc::LearnedCollapse>, \
                                  const mhc::LearnedCollapse::Options&,                       \
                                  mhc::StreamView<const double>,                              \
                                  mhc::SavedView<N, double, mhc::LearnedCollapse>);           \
  template void reference_sinkhorn_knopp<N>(                                                  \
      mhc::StreamView<const double>, const mhc::SinkhornKnoppOptions&, mhc::StreamView<double>)
MHC_INSTANCE(1);
MHC_INSTANCE(2);
MHC_INSTANCE(3);
MHC_INSTANCE(4);
MHC_INSTANCE(5);
MHC_INSTANCE(8);
MHC_INSTANCE(16);

}  // namespace mhc_test
