// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/cuda/block.hpp>

MHC_NAMESPACE_BEGIN
namespace cuda {

/// mhc::Head on a GPU, the learned collapse at the end of the streams (DeepSeek-V4's hc_head), with
/// views of device memory, and a stream in the executor's place:
///
///   w = sigmoid(alpha r x phi + b) + pre_eps      (1, n)       h = w x      (1, C)
///
///   phi (n C, n),  alpha (1),  b (n);  the weights are not normalised to sum to one.
///
/// A site that reads its streams and writes nothing back, with the guarantees of cuda::Block.
template <int N, class Element = float>
class Head {
  using Site = Block<N, Element, LearnedCollapse>;

 public:
  using ElementType = Element;
  using ConnectionType = LearnedCollapse;
  using Scalar = typename Site::Scalar;
  using Options = typename Site::Options;
  using Shape = typename Site::Shape;
  using ConstParametersView = typename Site::ConstParametersView;
  using SavedView = typename Site::SavedView;
  using ConstSavedView = typename Site::ConstSavedView;
  static constexpr int streams = N;

  /// Keeps a view of `parameters`, device memory that must outlive the head; values that are
  /// updated in place are seen. Throws for options out of range.
  explicit Head(ConstParametersView parameters, const Options& options = Options())
      : site_("cuda::Head", parameters, options) {}

  const Options& options() const { return site_.options(); }
  ConstParametersView parameters() const { return site_.parameters(); }
  Index channels() const { return site_.channels(); }

  /// What a call for so many tokens needs: the n + 1 sums of each part of 256 channels, 320 bytes a
  /// token for n = 4, C = 4096. At any alignment of Scalar.
  std::size_t workspace_bytes(Index tokens) const {
    if (tokens < 0) mhc::detail::refuse("cuda::Head::workspace_bytes", tokens, " tokens");
    return site_.workspace_bytes(tokens);
  }

  /// h = w x (assigned); w is pre of `saved` (assigned). h may be absent.
  void forward(StreamView<const Element> x, TokenView<Element> h, SavedView saved,
               Workspace workspace, cudaStream_t stream) const {
    constexpr const char* here = "cuda::Head::forward";
    site_.check_read(here, "h", x, h, saved, workspace);
    site_.read(here, x, saved.pre(), h, saved, workspace, stream);
  }

 private:
  Site site_;
};

}  // namespace cuda
MHC_NAMESPACE_END
