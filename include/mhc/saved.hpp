// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>

#include <mhc/connection.hpp>
#include <mhc/storage.hpp>
#include <mhc/view.hpp>

MHC_NAMESPACE_BEGIN

/// A view of what a site saves for each token between its calls, owned elsewhere. A second instance
/// holds the gradients of the same quantities.
///
///   inverse_rms (tokens, groups)       r = 1 / sqrt(mean(x^2) + norm_eps), see NormEps
///   raw         (tokens, groups * R)   x phi, before the norm
///   logits      (tokens, 2n + L)       alpha r raw + b (mHC); alpha tanh(r raw) + b (HC)
///   pre, post   (tokens, n)            H_pre, H_post
///   res         (tokens, n, n)         H_res[out, in]
///
/// One token's record is contiguous (73 numbers for mHC with n = 4), so slices are views as well.
/// The learned collapse has no post and no res.
template <int N, class Scalar = float, class Connection = ManifoldConstrained>
struct SavedView {
  using Shape = typename Connection::template Shape<N>;
  static constexpr int raw_offset = Shape::groups;
  static constexpr int logits_offset = raw_offset + Shape::groups * Shape::projections;
  static constexpr int pre_offset = logits_offset + Shape::logits;
  static constexpr int post_offset = pre_offset + N;
  static constexpr int res_offset = post_offset + (Shape::merges ? N : 0);
  static constexpr int record = res_offset + (Shape::merges ? N * N : 0);

  Scalar* data = nullptr;
  Index tokens = 0;

  SavedView() = default;
  SavedView(Scalar* data_, Index tokens_) : data(data_), tokens(tokens_) {}
  template <class Other, detail::enable_if_adds_const<Other, Scalar> = 0>
  SavedView(const SavedView<N, Other, Connection>& other) : SavedView(other.data, other.tokens) {}

  static constexpr Index size(Index tokens) { return tokens * record; }

  Scalar* token(Index t) const { return data + t * record; }
  SavedView slice(Index begin, Index end) const { return {token(begin), end - begin}; }

  /// All records, (tokens, record).
  TokenView<Scalar> records() const { return part(0, record); }
  TokenView<Scalar> inverse_rms() const { return part(0, Shape::groups); }
  TokenView<Scalar> raw() const { return part(raw_offset, logits_offset - raw_offset); }
  TokenView<Scalar> logits() const { return part(logits_offset, Shape::logits); }
  TokenView<Scalar> pre() const { return part(pre_offset, N); }
  TokenView<Scalar> post() const { return part(post_offset, res_offset - post_offset); }
  StreamView<Scalar> res() const {
    return {data + res_offset, tokens, Shape::merges ? N : 0, N, record, N};
  }

 private:
  TokenView<Scalar> part(int offset, int size) const {
    return {data + offset, tokens, size, record};
  }
};

/// An owned SavedView; zero-filled.
template <int N, class Scalar = float, class Connection = ManifoldConstrained>
class Saved {
 public:
  using View = SavedView<N, Scalar, Connection>;
  using ConstView = SavedView<N, const Scalar, Connection>;

  Saved() = default;
  explicit Saved(Index tokens)
      : storage_(detail::checked_size<Scalar>("Saved", {tokens, View::record})), tokens_(tokens) {}

  View view() { return {storage_.data(), tokens_}; }
  ConstView view() const { return {storage_.data(), tokens_}; }
  operator View() { return view(); }
  operator ConstView() const { return view(); }

  auto inverse_rms() { return view().inverse_rms(); }
  auto inverse_rms() const { return view().inverse_rms(); }
  auto raw() { return view().raw(); }
  auto raw() const { return view().raw(); }
  auto logits() { return view().logits(); }
  auto logits() const { return view().logits(); }
  auto pre() { return view().pre(); }
  auto pre() const { return view().pre(); }
  auto post() { return view().post(); }
  auto post() const { return view().post(); }
  auto res() { return view().res(); }
  auto res() const { return view().res(); }
  Index tokens() const { return tokens_; }

 private:
  Storage<Scalar> storage_;
  detail::Extent tokens_;
};

MHC_NAMESPACE_END
