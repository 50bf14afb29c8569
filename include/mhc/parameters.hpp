// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>
#include <Eigen/Core>

#include <mhc/check.hpp>
#include <mhc/connection.hpp>
#include <mhc/storage.hpp>

MHC_NAMESPACE_BEGIN

/// A contiguous array of numbers, for optimisers, all-reduces and files.
template <class Scalar>
struct Span {
  Scalar* data = nullptr;
  Index size = 0;
  Scalar* begin() const { return data; }
  Scalar* end() const { return data + size; }
};

/// A view of one site's parameters, in one contiguous array owned elsewhere:
///
///   phi    (K, R)   K = n C, rows in the order of x (stream, channel); R = 2n + L, columns packed
///                   [pre n | post n | res L], L = n*n out-major for most residual policies.
///                   FromStreams: K = C, R = 2 + n, [1 | 1 | n].  Static: none
///   alpha  (3)      gates of pre, post, res; two if H_res has no logits, none if Static
///   b      (2n + L) biases [pre n | post n | res L]
///
/// phi has the paper's orientation, x phi, so that the R coefficients of one channel are
/// contiguous, as the kernels read them; nothing is repacked. stored_layout.hpp loads checkpoints
/// that store (R, K) or res[src, dst]. Gradients have the same type.
template <int N, class Scalar = float, class Connection = ManifoldConstrained>
struct ParametersView {
  static_assert(N >= 1, "mhc::ParametersView: the number of streams N must be at least 1");
  using Value = std::remove_const_t<Scalar>;
  using Shape = typename Connection::template Shape<N>;
  static constexpr int streams = N;
  static constexpr int projections = Shape::projections;

  Scalar* data = nullptr;
  Index channels = 0;

  ParametersView() = default;
  ParametersView(Scalar* data_, Index channels_) : data(data_), channels(channels_) {}
  template <class Other, detail::enable_if_adds_const<Other, Scalar> = 0>
  ParametersView(const ParametersView<N, Other, Connection>& other)
      : ParametersView(other.data, other.channels) {}

  /// K, the number of values that one projection takes: the rows of phi.
  static constexpr Index depth(Index channels) {
    if constexpr (Shape::groups > 0) return N / Shape::groups * channels;
    return 0;
  }

  /// The number of parameters of a site with this many channels.
  static constexpr Index size(Index channels) {
    return depth(channels) * Shape::projections + Shape::gates + Shape::logits;
  }

  Span<Scalar> span() const { return {data, size(channels)}; }

  /// phi as an Eigen::Map, (K, R).
  auto phi() const {
    return detail::MatrixMap<Scalar>(phi_data(), depth(channels), Shape::projections,
                                     Eigen::OuterStride<>(Shape::projections));
  }
  /// alpha as an Eigen::Map, (1, gates).
  auto alpha() const { return row(alpha_data(), Shape::gates); }
  /// b as an Eigen::Map, (1, 2n + L), and its parts.
  auto b() const { return row(b_data(), Shape::logits); }
  auto b_pre() const { return row(b_data(), Shape::logits > 0 ? N : 0); }
  auto b_post() const { return row(b_data() + N, Shape::logits > N ? N : 0); }
  /// The bias of H_res: (n, n), [out, in], or the shape of the residual policy.
  auto b_res() const {
    return detail::MatrixMap<Scalar>(b_data() + (Shape::logits - Shape::res_rows * Shape::res_cols),
                                     Shape::res_rows, Shape::res_cols,
                                     Eigen::OuterStride<>(Shape::res_cols));
  }

  Scalar* phi_data() const { return data; }
  Scalar* alpha_data() const { return data + depth(channels) * Shape::projections; }
  Scalar* b_data() const { return alpha_data() + Shape::gates; }

 private:
  static auto row(Scalar* values, Index size) { return detail::RowMap<Scalar>(values, size); }
};

/// Owned parameters, or their gradients; zero-filled.
template <int N, class Scalar = float, class Connection = ManifoldConstrained>
class Parameters {
 public:
  using View = ParametersView<N, Scalar, Connection>;
  using ConstView = ParametersView<N, const Scalar, Connection>;

  explicit Parameters(Index channels) : storage_(size_of(channels)), channels_(channels) {}

  View view() { return {storage_.data(), channels_}; }
  ConstView view() const { return {storage_.data(), channels_}; }
  operator View() { return view(); }
  operator ConstView() const { return view(); }

  auto phi() { return view().phi(); }
  auto phi() const { return view().phi(); }
  auto alpha() { return view().alpha(); }
  auto alpha() const { return view().alpha(); }
  auto b() { return view().b(); }
  auto b() const { return view().b(); }
  auto b_pre() { return view().b_pre(); }
  auto b_pre() const { return view().b_pre(); }
  auto b_post() { return view().b_post(); }
  auto b_post() const { return view().b_post(); }
  auto b_res() { return view().b_res(); }
  auto b_res() const { return view().b_res(); }
  auto span() { return view().span(); }
  auto span() const { return view().span(); }
  Index channels() const { return channels_; }

 private:
  static std::size_t size_of(Index channels) {
    if (channels < 1) {
      detail::refuse("Parameters", "channels is ", channels, ", expected at least 1");
    }
    detail::checked_size<Scalar>("Parameters", {channels, N, View::projections + 1});
    return static_cast<std::size_t>(View::size(channels));
  }

  Storage<Scalar> storage_;
  Index channels_;
};

namespace detail {

// The view of parameters, whether they are a view or own their numbers.
template <int N, class Scalar, class Connection>
ParametersView<N, Scalar, Connection> view_of(ParametersView<N, Scalar, Connection> parameters) {
  return parameters;
}
template <int N, class Scalar, class Connection>
auto view_of(Parameters<N, Scalar, Connection>& parameters) {
  return parameters.view();
}
template <int N, class Scalar, class Connection>
auto view_of(const Parameters<N, Scalar, Connection>& parameters) {
  return parameters.view();
}

}  // namespace detail

MHC_NAMESPACE_END
