// SPDX-License-Identifier: MIT
#include "sinkhorn_knopp_calls.hpp"

#include <mhc/sinkhorn_knopp.hpp>

namespace mhc_bench {
namespace {

mhc::SinkhornKnoppOptions options(int iterations) {
  mhc::SinkhornKnoppOptions all;
  all.iterations = iterations;
  return all;
}

template <int N>
void forward(const float* logits, mhc::Index count, int iterations, float* res) {
  mhc::sinkhorn_knopp<N>(mhc::StreamView<const float>(logits, count, N, N), options(iterations),
                         mhc::StreamView<float>(res, count, N, N));
}

template <int N>
void backward(const float* logits, const float* dres, mhc::Index count, int iterations,
              float* dlogits) {
  mhc::sinkhorn_knopp_backward<N>(mhc::StreamView<const float>(logits, count, N, N),
                                  options(iterations),
                                  mhc::StreamView<const float>(dres, count, N, N),
                                  mhc::StreamView<float>(dlogits, count, N, N));
}

}  // namespace

namespace MHC_BUILD {

template <int N>
SinkhornKnoppCalls sinkhorn_knopp_calls() {
  return {forward<N>, backward<N>};
}

template SinkhornKnoppCalls sinkhorn_knopp_calls<2>();
template SinkhornKnoppCalls sinkhorn_knopp_calls<4>();
template SinkhornKnoppCalls sinkhorn_knopp_calls<8>();
template SinkhornKnoppCalls sinkhorn_knopp_calls<16>();

}  // namespace MHC_BUILD
}  // namespace mhc_bench
