// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>

#include <mhc/parameters.hpp>

MHC_NAMESPACE_BEGIN

// The parameters of a gated residual (gated_residual.hpp) and what it saves per token. `Injects` is
// false for the final collapse, which writes nothing back.
//
//   N streams, C channels, K = N C,  L = rank,  R = L + N columns of phi (L for the collapse)

/// A view of one site's parameters, in one contiguous array owned elsewhere:
///
///   norm   (N, C)   w; the weight of the norm is 1 + w
///   phi    (K, R)   the projection of xhat, columns packed [down L | inject N]
///   up     (K, L)   from the low rank to the gates
///
/// Rows are in the order of x (stream, channel), so that all coefficients of one channel are
/// contiguous. Checkpoints store up in this layout and the other two transposed, (L, K) and (N, K):
///
///   parameters.down() = input_mix_weight_down.transpose();
///   parameters.inject() = block_inject_weight.transpose();
///
/// Gradients have the same type.
template <int N, class Scalar = float, bool Injects = true>
struct GatedParametersView {
  static_assert(N >= 1, "mhc::GatedParametersView: the number of streams N must be at least 1");
  static constexpr int streams = N;
  static constexpr int injects = Injects ? N : 0;

  Scalar* data = nullptr;
  Index channels = 0;
  Index rank = 0;

  GatedParametersView() = default;
  GatedParametersView(Scalar* data_, Index channels_, Index rank_)
      : data(data_), channels(channels_), rank(rank_) {}
  template <class Other, detail::enable_if_adds_const<Other, Scalar> = 0>
  GatedParametersView(const GatedParametersView<N, Other, Injects>& other)
      : GatedParametersView(other.data, other.channels, other.rank) {}

  /// The number of parameters of a site with this many channels and this rank.
  static constexpr Index size(Index channels, Index rank) {
    return N * channels * (1 + rank + injects + rank);
  }

  Index depth() const { return N * channels; }          ///< K
  Index projections() const { return rank + injects; }  ///< R
  Span<Scalar> span() const { return {data, size(channels, rank)}; }

  /// w as an Eigen::Map, (N, C).
  auto norm() const { return columns(norm_data(), N, channels, channels); }
  /// phi as an Eigen::Map, (K, R), and its parts, (K, L) and (K, N).
  auto phi() const { return columns(phi_data(), depth(), projections(), projections()); }
  auto down() const { return columns(phi_data(), depth(), rank, projections()); }
  auto inject() const { return columns(phi_data() + rank, depth(), injects, projections()); }
  /// up as an Eigen::Map, (K, L).
  auto up() const { return columns(up_data(), depth(), rank, rank); }

  Scalar* norm_data() const { return data; }
  Scalar* phi_data() const { return data + depth(); }
  Scalar* up_data() const { return phi_data() + depth() * projections(); }

 private:
  static auto columns(Scalar* from, Index rows, Index size, Index stride) {
    return detail::MatrixMap<Scalar>(from, rows, size, Eigen::OuterStride<>(stride));
  }
};

/// Owned parameters of a gated residual, or their gradients; zero-filled.
template <int N, class Scalar = float, bool Injects = true>
class GatedParameters {
 public:
  using View = GatedParametersView<N, Scalar, Injects>;
  using ConstView = GatedParametersView<N, const Scalar, Injects>;

  GatedParameters(Index channels, Index rank)
      : storage_(size_of(channels, rank)), channels_(channels), rank_(rank) {}

  View view() { return {storage_.data(), channels_, rank_}; }
  ConstView view() const { return {storage_.data(), channels_, rank_}; }
  operator View() { return view(); }
  operator ConstView() const { return view(); }

  auto norm() { return view().norm(); }
  auto norm() const { return view().norm(); }
  auto phi() { return view().phi(); }
  auto phi() const { return view().phi(); }
  auto down() { return view().down(); }
  auto down() const { return view().down(); }
  auto inject() { return view().inject(); }
  auto inject() const { return view().inject(); }
  auto up() { return view().up(); }
  auto up() const { return view().up(); }
  auto span() { return view().span(); }
  auto span() const { return view().span(); }
  Index channels() const { return channels_; }
  Index rank() const { return rank_; }

 private:
  static std::size_t size_of(Index channels, Index rank) {
    if (channels < 1 || rank < 1) {
      detail::refuse("GatedParameters", "channels is ", channels, " and rank is ", rank,
                     ", expected at least 1");
    }
    detail::checked_size<Scalar>("GatedParameters", {rank, N, N + 3});
    return detail::checked_size<Scalar>("GatedParameters", {channels, View::size(1, rank)});
  }

  Storage<Scalar> storage_;
  detail::Extent channels_;
  detail::Extent rank_;
};

/// A view of what a gated residual saves for each token between its calls, owned elsewhere. A
/// second instance holds the gradients of the same quantities.
///
///   inverse_rms (tokens, N)      r_i = 1 / sqrt(mean(x_i^2) + norm_eps)
///   raw         (tokens, N, R)   (x_i (1 + w_i)) phi_i: the term of stream i, before the norm
///   hidden      (tokens, L)      silu(a),  [a | b] = 1/N sum_i r_i raw_i
///   inject      (tokens, N)      2 sigmoid(b); absent for the collapse
///
/// The gates are recomputed instead of saved. They are N C numbers per token, as many as x has (and
/// twice the bytes of a bf16 x); with this the backward takes six products with phi and up instead
/// of four.
template <int N, class Scalar = float, bool Injects = true>
struct GatedSavedView {
  static constexpr int injects = Injects ? N : 0;
  static constexpr int raw_offset = N;

  Scalar* data = nullptr;
  Index tokens = 0;
  Index rank = 0;

  GatedSavedView() = default;
  GatedSavedView(Scalar* data_, Index tokens_, Index rank_)
      : data(data_), tokens(tokens_), rank(rank_) {}
  template <class Other, detail::enable_if_adds_const<Other, Scalar> = 0>
  GatedSavedView(const GatedSavedView<N, Other, Injects>& other)
      : GatedSavedView(other.data, other.tokens, other.rank) {}

  /// The numbers saved per token: 1624 for N = 4 and rank 320.
  static constexpr Index record_size(Index rank) {
    return raw_offset + N * (rank + injects) + rank + injects;
  }
  static constexpr Index size(Index tokens, Index rank) { return tokens * record_size(rank); }

  Index record() const { return record_size(rank); }
  Index projections() const { return rank + injects; }  ///< R
  Index hidden_offset() const { return raw_offset + N * projections(); }
  Index inject_offset() const { return hidden_offset() + rank; }

  Scalar* token(Index t) const { return data + t * record(); }
  GatedSavedView slice(Index begin, Index end) const { return {token(begin), end - begin, rank}; }

  /// All records, (tokens, record).
  TokenView<Scalar> records() const { return part(0, record()); }
  TokenView<Scalar> inverse_rms() const { return part(0, N); }
  StreamView<Scalar> raw() const {
    return {data + raw_offset, tokens, N, projections(), record(), projections()};
  }
  TokenView<Scalar> hidden() const { return part(hidden_offset(), rank); }
  TokenView<Scalar> inject() const { return part(inject_offset(), injects); }

 private:
  TokenView<Scalar> part(Index offset, Index size) const {
    return {data + offset, tokens, size, record()};
  }
};

/// An owned GatedSavedView; zero-filled.
template <int N, class Scalar = float, bool Injects = true>
class GatedSaved {
 public:
  using View = GatedSavedView<N, Scalar, Injects>;
  using ConstView = GatedSavedView<N, const Scalar, Injects>;

  GatedSaved() = default;
  GatedSaved(Index tokens, Index rank)
      : storage_(size_of(tokens, rank)), tokens_(tokens), rank_(rank) {}

  View view() { return {storage_.data(), tokens_, rank_}; }
  ConstView view() const { return {storage_.data(), tokens_, rank_}; }
  operator View() { return view(); }
  operator ConstView() const { return view(); }

  auto inverse_rms() { return view().inverse_rms(); }
  auto inverse_rms() const { return view().inverse_rms(); }
  auto raw() { return view().raw(); }
  auto raw() const { return view().raw(); }
  auto hidden() { return view().hidden(); }
  auto hidden() const { return view().hidden(); }
  auto inject() { return view().inject(); }
  auto inject() const { return view().inject(); }
  Index tokens() const { return tokens_; }
  Index rank() const { return rank_; }

 private:
  static std::size_t size_of(Index tokens, Index rank) {
    if (rank < 1) detail::refuse("GatedSaved", "rank is ", rank, ", expected at least 1");
    detail::checked_size<Scalar>("GatedSaved", {rank, N + 1, N + 2});
    return detail::checked_size<Scalar>("GatedSaved", {tokens, View::record_size(rank)});
  }

  Storage<Scalar> storage_;
  detail::Extent tokens_;
  detail::Extent rank_;
};

MHC_NAMESPACE_END
