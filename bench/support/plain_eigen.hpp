// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <Eigen/Core>

// The same operations as one would write them with Eigen alone: the baseline of the timings.
// Contiguous maps, products without temporaries, small matrices of fixed size, persistent buffers;
// compiled with -O3 for the processor at hand into a separate library, so that none of this code is
// linked into anything else. Includes nothing of mhc.
namespace plain_eigen {

using Index = std::ptrdiff_t;
using bf16 = Eigen::bfloat16;

constexpr int streams = 4;
constexpr int projections = streams * (streams + 2);

/// The saved record of a token, in floats; the layout of mhc::Saved<4>.
struct Record {
  static constexpr int inverse_rms = 0;
  static constexpr int raw = 1;
  static constexpr int logits = raw + projections;
  static constexpr int pre = logits + projections;
  static constexpr int post = pre + streams;
  static constexpr int res = post + streams;
  static constexpr int size = res + streams * streams;
};

/// phi (4 C, 24), alpha (3), b (24).
template <class Phi>
struct Parameters {
  Index channels;
  const Phi* phi;
  const float* alpha;
  const float* b;
  int iterations;
};

#define MHC_PLAIN_EIGEN __attribute__((visibility("default")))

template <int N>
MHC_PLAIN_EIGEN void sinkhorn_forward(const float* logits, Index count, int iterations, float* res);

template <int N>
MHC_PLAIN_EIGEN void sinkhorn_backward(const float* logits, const float* dres, Index count,
                                       int iterations, float* dlogits);

/// The operations of mhc::Block on float or bf16 streams.
template <class Element>
struct SiteCalls {
  void (*prepare)(const Parameters<float>& parameters, const Element* x, Index tokens, Element* u,
                  float* saved);

  /// With phi stored like the streams.
  void (*decode)(const Parameters<Element>& parameters, const Element* x, Index tokens, Element* u,
                 float* saved);

  void (*finish)(Index channels, const Element* x, const Element* v, const float* saved,
                 Index tokens, Element* x_next);

  void (*finish_backward)(Index channels, const Element* dx_next, const Element* x,
                          const Element* v, const float* saved, Index tokens, Element* dv,
                          float* dsaved);

  /// dx and the rest of dsaved; then, with the dsaved of all tokens, the parameters' gradients.
  void (*prepare_backward)(const Parameters<float>& parameters, const Element* x,
                           const Element* dx_next, const Element* du, const float* saved,
                           float* dsaved, Index tokens, Element* dx);

  /// Adds to rows [begin, end) of dphi, of 4 C.
  void (*phi_gradient)(Index channels, const Element* x, const float* dsaved, Index tokens,
                       float* dphi, Index begin, Index end);
};

// No templates: an Eigen type as argument would hide them too.
MHC_PLAIN_EIGEN SiteCalls<float> f32_calls();
MHC_PLAIN_EIGEN SiteCalls<bf16> bf16_calls();

/// Adds to dalpha and db.
MHC_PLAIN_EIGEN void gate_gradients(const float* saved, const float* dsaved, Index tokens,
                                    float* dalpha, float* db);

#undef MHC_PLAIN_EIGEN

}  // namespace plain_eigen
