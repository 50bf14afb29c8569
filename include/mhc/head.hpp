// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/site.hpp>

MHC_NAMESPACE_BEGIN

/// The learned collapse at the end of the streams (DeepSeek-V4's hc_head):
///
///   w = sigmoid(alpha r x phi + b) + pre_eps      (1, n)       h = w x      (1, C)
///
///   phi (n C, n),  alpha (1),  b (n);  the weights are not normalised to sum to one.
///
/// A site that reads its streams and writes nothing back, with the guarantees of block.hpp.
template <int N, class Element = float>
class Head : public ReadingSite<N, Element, LearnedCollapse> {
  using Base = ReadingSite<N, Element, LearnedCollapse>;

 public:
  using ElementType = Element;
  using ConnectionType = LearnedCollapse;
  using Scalar = typename Base::Scalar;
  using Options = typename Base::Options;
  using ParametersView = typename Base::ParametersView;
  using ConstParametersView = typename Base::ConstParametersView;
  using SavedView = typename Base::SavedView;
  using ConstSavedView = typename Base::ConstSavedView;

  /// Keeps a view of `parameters`, which must outlive the head. Throws for options out of range.
  explicit Head(ConstParametersView parameters, const Options& options = Options())
      : Base("Head", parameters, options) {}
  /// Parameters that die with the expression would leave the head with a view of dead memory.
  Head(const mhc::Parameters<N, Scalar, LearnedCollapse>&&, const Options& = Options()) = delete;

  /// h = w x (assigned); w is pre of `saved` (assigned).
  template <class Executor = Serial>
  void forward(StreamView<const Element> x, TokenView<Element> h, SavedView saved,
               Executor&& exec = {}) const {
    this->read("Head::forward", "h", x, h, saved, exec);
  }

  /// dx (assigned) and grads (accumulated) from dh; inverse_rms, raw and logits of `dsaved` are
  /// assigned.
  template <class Executor = Serial>
  void backward(StreamView<const Element> x, ConstSavedView saved, TokenView<const Element> dh,
                SavedView dsaved, StreamView<Element> dx, ParametersView grads,
                Executor&& exec = {}) const {
    this->read_backward("Head::backward", "dh", x, {saved.pre(), {}}, saved, {}, dh, dsaved, dx,
                        grads, exec);
  }
};

MHC_NAMESPACE_END
