// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/parameters.hpp>
#include <mhc/storage.hpp>

MHC_NAMESPACE_BEGIN

/// A view of phi rounded to bf16, (K, R) as in Parameters, owned elsewhere. It halves the bytes to
/// read when tokens are generated one at a time, where reading phi is the whole cost of a site.
/// alpha and b are unchanged. An approximation: each element of phi has a relative error of up to
/// 2^-9.
template <int N, class Connection = ManifoldConstrained>
struct RoundedPhiView {
  using Shape = typename Connection::template Shape<N>;
  static_assert(Shape::projections > 0, "mhc::RoundedPhiView: this connection has no phi");

  const bf16* data = nullptr;
  Index channels = 0;

  RoundedPhiView() = default;
  RoundedPhiView(const bf16* data_, Index channels_) : data(data_), channels(channels_) {}

  static constexpr Index size(Index channels) {
    return N / Shape::groups * channels * Shape::projections;
  }
};

/// An owned RoundedPhiView.
template <int N, class Connection = ManifoldConstrained>
class RoundedPhi {
 public:
  using View = RoundedPhiView<N, Connection>;

  /// Rounds to nearest, ties to even. Later changes of `parameters` have no effect.
  template <class Scalar>
  explicit RoundedPhi(const Parameters<N, Scalar, Connection>& parameters)
      : RoundedPhi(parameters.view()) {}
  template <class Scalar>
  explicit RoundedPhi(ParametersView<N, Scalar, Connection> parameters)
      : storage_(static_cast<std::size_t>(View::size(parameters.channels))),
        channels_(parameters.channels) {
    for (Index k = 0; k < View::size(channels_); ++k) {
      storage_.data()[k] = static_cast<bf16>(static_cast<float>(parameters.phi_data()[k]));
    }
  }

  View view() const { return {storage_.data(), channels_}; }
  operator View() const { return view(); }
  Index channels() const { return channels_; }

 private:
  Storage<bf16> storage_;
  detail::Extent channels_;
};

MHC_NAMESPACE_END
