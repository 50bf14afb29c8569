// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include <mhc/adapters/thread_pool.hpp>
#include <mhc/rounded_phi.hpp>

#include "support/problem.hpp"

// The timed calls of a block. block_calls.cpp is compiled twice: as users do, with -O2 for the
// baseline processor, and with -O3 -march=native into a separate library.
namespace mhc_bench {

/// The sites of a decoding model, each with its own phi, and one token.
template <class Element>
struct DecodeSites {
  explicit DecodeSites(mhc::Index channels) : token(1, channels) {}

  Problem<Element> token;
  std::vector<mhc::Parameters<4>> parameters;
  std::vector<mhc::RoundedPhi<4>> rounded;  ///< for bf16; f32 reads the parameters directly
};

template <class Element>
struct BlockCalls {
  using Site = Problem<Element>;
  using Call = void (*)(Site& site, const mhc::ThreadPool& pool);
  Call prepare;
  Call finish;
  Call fused;
  Call finish_backward;
  Call prepare_backward;
  Call forward_backward;
  void (*decode)(DecodeSites<Element>& sites, std::size_t site, const mhc::ThreadPool& pool);
};

// No templates: in a library with hidden symbols, an Eigen type as argument would hide them too.
namespace baseline {
BlockCalls<float> f32_calls();
BlockCalls<mhc::bf16> bf16_calls();
}  // namespace baseline
namespace native {
__attribute__((visibility("default"))) BlockCalls<float> f32_calls();
__attribute__((visibility("default"))) BlockCalls<mhc::bf16> bf16_calls();
}  // namespace native

}  // namespace mhc_bench
