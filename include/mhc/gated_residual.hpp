// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/gated_reading.hpp>
#include <mhc/initialization.hpp>

MHC_NAMESPACE_BEGIN

// The gated residual (Qwen4Exp): each element of the normalised streams has a gate of its own, of
// low rank, and each stream takes the sublayer's output by a weight. H_res = I.
//
//   xhat_i = x_i / sqrt(mean(x_i^2) + norm_eps) (1 + w_i)     each stream's norm, (1, C)
//   [a | b] = [xhat_1 ... xhat_N] [down | inject] / N         (1, L + N)
//   gate = sigmoid(silu(a) up^T)                              (1, N C)
//   u = 1/N sum_i gate_i xhat_i                               prepare (elementwise)
//   v = F(u)                                                  the sublayer, without a norm
//   x'_i = x_i + 2 sigmoid(b_i) v                             finish
//
//   x, x' (tokens, N, C)    u, v (tokens, C)    w, down, inject, up: gated_parameters.hpp
//
// The calls are those of a Block, with its guarantees (block.hpp). Where it differs: the rank L is
// known at run time, and `saved` is sized by it. The collapse at the end is a site without inject,
// whose u is the hidden state, norm included: GatedCollapse.
//
// Source: Qwen4Exp in Hugging Face transformers (Qwen3.8-Flash-Next: N = 4, C = 2560, L = 320).

/// A site of a gated residual around one sublayer.
///
///   site.prepare(x, u, saved);                                             // x -> u
///   attention.forward(u, v);
///   site.finish(x, v, saved, x_next);                                      // v -> x_next
///
///   site.finish_backward(x, v, saved, dx_next, dv, dsaved);                // dx_next -> dv
///   attention.backward(dv, du);
///   site.prepare_backward(x, saved, dx_next, du, dsaved, dx, grads);       // du -> dx, grads
template <int N, class Element = float>
class GatedResidual : public GatedReading<N, Element, true> {
  using Base = GatedReading<N, Element, true>;

 public:
  using Scalar = typename Base::Scalar;
  using Options = typename Base::Options;
  using ParametersView = typename Base::ParametersView;
  using ConstParametersView = typename Base::ConstParametersView;
  using SavedView = typename Base::SavedView;
  using ConstSavedView = typename Base::ConstSavedView;

  /// Keeps a view of `parameters`, which must outlive the site. Throws for options out of range.
  explicit GatedResidual(ConstParametersView parameters, const Options& options = Options())
      : Base("GatedResidual", parameters, options) {}
  /// Parameters that die with the expression would leave the site with a view of dead memory.
  GatedResidual(const GatedParameters<N, Scalar, true>&&, const Options& = Options()) = delete;

  /// u and `saved`, both assigned. With u absent, `prepare(x, {}, saved)`, saved alone: half of the
  /// work.
  template <class Executor = Serial>
  void prepare(StreamView<const Element> x, TokenView<Element> u, SavedView saved,
               Executor&& exec = {}) const {
    this->read("GatedResidual::prepare", "u", x, u, saved, exec);
  }

  /// x_next_i = x_i + inject_i v (assigned; may be x itself). Reads inject of `saved`.
  template <class Executor = Serial>
  void finish(StreamView<const Element> x, TokenView<const Element> v, ConstSavedView saved,
              StreamView<Element> x_next, Executor&& exec = {}) const {
    detail::Arguments call("GatedResidual::finish");
    this->reads_streams(call, x);
    call.reads("v", v, x.channels);
    this->reads_saved(call, "saved", saved);
    call.writes("x_next", x_next, N, x.channels).or_is("x");
    call.check_memory();
    exec(x.tokens, detail::token_grain(x), [&](Index begin, Index end, int) {
      Base::Kernels::finish(x, v, saved, x_next, begin, end);
    });
  }

  /// dv = inject dx_next (assigned), and in `dsaved` (assigned) the gradient of inject, with all
  /// else zero. To put a loss on inject itself, add its gradient to dsaved's before
  /// prepare_backward. With dx_next absent all of these are zero. x only says the shape.
  template <class Executor = Serial>
  void finish_backward(StreamView<const Element> x, TokenView<const Element> v,
                       ConstSavedView saved, StreamView<const Element> dx_next,
                       TokenView<Element> dv, SavedView dsaved, Executor&& exec = {}) const {
    detail::Arguments call("GatedResidual::finish_backward");
    this->reads_streams(call, x);
    call.reads("v", v, x.channels);
    this->reads_saved(call, "saved", saved);
    call.reads_if("dx_next", dx_next, N, x.channels);
    this->writes_saved(call, "dsaved", dsaved);
    call.writes("dv", dv, x.channels);
    call.check_memory();
    exec(x.tokens, detail::token_grain(x), [&](Index begin, Index end, int) {
      Base::Kernels::finish_backward(dx_next, v, saved, dv, dsaved, begin, end);
    });
  }

  /// dx (assigned; may be dx_next itself), all of its terms summed before one rounding. grads +=
  /// the gradients of norm, down, inject and up. Reads dsaved's inject as a cotangent and assigns
  /// its inverse_rms, raw and hidden. dx_next and du may be absent.
  template <class Executor = Serial>
  void prepare_backward(StreamView<const Element> x, ConstSavedView saved,
                        StreamView<const Element> dx_next, TokenView<const Element> du,
                        SavedView dsaved, StreamView<Element> dx, ParametersView grads,
                        Executor&& exec = {}) const {
    this->read_backward("GatedResidual::prepare_backward", "du", x, saved, dx_next, du, dsaved, dx,
                        grads, exec);
  }
};

/// The end of the streams: h is the u of a site without inject, the hidden state with its norm.
template <int N, class Element = float>
class GatedCollapse : public GatedReading<N, Element, false> {
  using Base = GatedReading<N, Element, false>;

 public:
  using Scalar = typename Base::Scalar;
  using Options = typename Base::Options;
  using ParametersView = typename Base::ParametersView;
  using ConstParametersView = typename Base::ConstParametersView;
  using SavedView = typename Base::SavedView;
  using ConstSavedView = typename Base::ConstSavedView;

  /// Keeps a view of `parameters`, which must outlive it. Throws for options out of range.
  explicit GatedCollapse(ConstParametersView parameters, const Options& options = Options())
      : Base("GatedCollapse", parameters, options) {}
  /// Parameters that die with the expression would leave it with a view of dead memory.
  GatedCollapse(const GatedParameters<N, Scalar, false>&&, const Options& = Options()) = delete;

  /// h and `saved`, both assigned.
  template <class Executor = Serial>
  void forward(StreamView<const Element> x, TokenView<Element> h, SavedView saved,
               Executor&& exec = {}) const {
    this->read("GatedCollapse::forward", "h", x, h, saved, exec);
  }

  /// dx and `dsaved` (assigned) and grads (accumulated) from dh.
  template <class Executor = Serial>
  void backward(StreamView<const Element> x, ConstSavedView saved, TokenView<const Element> dh,
                SavedView dsaved, StreamView<Element> dx, ParametersView grads,
                Executor&& exec = {}) const {
    this->read_backward("GatedCollapse::backward", "dh", x, saved, {}, dh, dsaved, dx, grads, exec);
  }
};

/// What `initialize` leaves to the caller for a gated residual, beside the seed.
struct GatedInitializationOptions {
  double stddev = 0.02;  ///< standard deviation of down and up, >= 0
  GatedInitializationOptions() {}
};

/// norm and inject zero, down and up ~ N(0, stddev^2): every inject is 1, and the gates are near a
/// half, so that u is half the mean of the normalised streams. Only the random `up` tells apart
/// streams that start equal.
template <int N, class Scalar, bool Injects>
void initialize(GatedParametersView<N, Scalar, Injects> parameters, std::uint64_t seed,
                const GatedInitializationOptions& options = {}) {
  detail::fill(parameters.norm(), 0);
  detail::fill(parameters.inject(), 0);
  detail::fill_normal(parameters.down(), options.stddev, seed);
  detail::fill_normal(parameters.up(), options.stddev, ~seed);
}

/// Owned parameters: the same.
template <int N, class Scalar, bool Injects>
void initialize(GatedParameters<N, Scalar, Injects>& parameters, std::uint64_t seed,
                const GatedInitializationOptions& options = {}) {
  initialize(parameters.view(), seed, options);
}

MHC_NAMESPACE_END
