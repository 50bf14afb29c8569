// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/element.hpp>

// The timed calls of sinkhorn_knopp.hpp, compiled twice like block_calls.cpp.
namespace mhc_bench {

/// `count` contiguous matrices.
struct SinkhornKnoppCalls {
  void (*forward)(const float* logits, mhc::Index count, int iterations, float* res);
  void (*backward)(const float* logits, const float* dres, mhc::Index count, int iterations,
                   float* dlogits);
};

namespace baseline {
template <int N>
SinkhornKnoppCalls sinkhorn_knopp_calls();
}
namespace native {
template <int N>
__attribute__((visibility("default"))) SinkhornKnoppCalls sinkhorn_knopp_calls();
}

}  // namespace mhc_bench
