// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>

#include <mhc/arguments.hpp>
#include <mhc/check_options.hpp>
#include <mhc/executor.hpp>
#include <mhc/gated_parameters.hpp>
#include <mhc/gates.hpp>
#include <mhc/kernels/gated_entry.hpp>

MHC_NAMESPACE_BEGIN

/// The numbers of a gated residual.
struct GatedOptions {
  double norm_eps = 1e-6;  ///< >= 0
};

namespace reference {

/// The parameters of one token's formula, as in GatedParametersView.
template <class Scalar>
struct GatedParameters {
  Matrix<Scalar> norm;    ///< (n, C)
  Matrix<Scalar> down;    ///< (n C, L)
  Matrix<Scalar> inject;  ///< (n C, n); (n C, 0) for the collapse
  Matrix<Scalar> up;      ///< (n C, L)
};

/// u (1, C), and inject (1, n) of x' = x + inject^T v.
template <class Scalar>
struct Gated {
  Row<Scalar> u;
  Row<Scalar> inject;
};

/// u and the weights of v for one token's streams x (n, C); the formula: gated_residual.hpp.
template <class Scalar>
Gated<Scalar> gated_residual(const GatedOptions& options, const Matrix<Scalar>& x,
                             const GatedParameters<Scalar>& parameters) {
  const Scalar n(static_cast<double>(x.rows()));
  const Scalar channels(static_cast<double>(x.cols()));
  Matrix<Scalar> xhat = (parameters.norm.array() + Scalar(1.0)) * x.array();
  for (Index i = 0; i < x.rows(); ++i) {
    using std::sqrt;
    const Scalar squares = x.row(i).cwiseProduct(x.row(i)).sum();
    xhat.row(i) /= sqrt(squares / channels + Scalar(options.norm_eps));
  }
  const Eigen::Map<const Row<Scalar>> flat(xhat.data(), xhat.size());
  const Row<Scalar> a = flat * parameters.down / n;
  const Row<Scalar> b = flat * parameters.inject / n;
  const Row<Scalar> hidden = a.cwiseProduct(sigmoid(a));
  const Row<Scalar> z = hidden * parameters.up.transpose();
  const Row<Scalar> gated = sigmoid(z).cwiseProduct(flat);
  return {Eigen::Map<const Matrix<Scalar>>(gated.data(), x.rows(), x.cols()).colwise().sum() / n,
          Scalar(2.0) * sigmoid(b)};
}

}  // namespace reference

/// What a gated residual and its collapse have in common: u from x, and back.
template <int N, class Element, bool Injects>
class GatedReading {
  static_assert(N >= 1, "mhc: the number of streams N must be at least 1");
  static_assert(is_element<Element>,
                "mhc: streams are stored as float, double, mhc::bf16 or mhc::f16");

 public:
  using ElementType = Element;
  using Scalar = compute_t<Element>;
  using Options = GatedOptions;
  using Parameters = GatedParameters<N, Scalar, Injects>;
  using ParametersView = GatedParametersView<N, Scalar, Injects>;
  using ConstParametersView = GatedParametersView<N, const Scalar, Injects>;
  using Saved = GatedSaved<N, Scalar, Injects>;
  using SavedView = GatedSavedView<N, Scalar, Injects>;
  using ConstSavedView = GatedSavedView<N, const Scalar, Injects>;
  static constexpr int streams = N;

  const Options& options() const { return options_; }
  ConstParametersView parameters() const { return site_.parameters; }
  Index channels() const { return site_.parameters.channels; }
  Index rank() const { return site_.parameters.rank; }

 protected:
  using Kernels = kernels::GatedKernels<N, Element, Injects>;

  GatedReading(const char* function, ConstParametersView parameters, const Options& options)
      : options_(options), site_{static_cast<Scalar>(options.norm_eps), parameters} {
    detail::check_not_negative(function, "norm_eps", options.norm_eps);
    if (parameters.channels < 1 || parameters.rank < 1) {
      detail::refuse(function, "parameters have ", parameters.channels, " channels and rank ",
                     parameters.rank, ", expected at least 1");
    }
    if (parameters.data == nullptr) {
      detail::refuse(function, "parameters have no data (null pointer)");
    }
  }

  /// The streams, whose sizes are those of the call.
  void reads_streams(detail::Arguments& call, StreamView<const Element> x) const {
    call.reads_streams("x", x, N);
    if (x.channels != channels()) {
      detail::refuse(call.function(), "x has ", x.channels, " channels, the parameters have ",
                     channels());
    }
  }

  void check_saved(const char* function, const char* argument, ConstSavedView saved,
                   Index tokens) const {
    if (saved.tokens != tokens || (tokens > 0 && saved.rank != rank())) {
      detail::refuse(function, argument, " has room for ", saved.tokens, " tokens of rank ",
                     saved.rank, ", expected ", tokens, " of rank ", rank());
    }
    if (saved.data == nullptr && tokens > 0) {
      detail::refuse(function, argument, " has no data (null pointer)");
    }
  }
  void reads_saved(detail::Arguments& call, const char* argument, ConstSavedView saved) const {
    check_saved(call.function(), argument, saved, call.tokens());
    call.reads(argument, saved.records());
  }
  void writes_saved(detail::Arguments& call, const char* argument, SavedView saved) const {
    check_saved(call.function(), argument, saved, call.tokens());
    call.writes(argument, saved.records());
  }

  void reads_parameters(detail::Arguments& call) const {
    const Index size = site_.parameters.span().size;
    call.reads("the parameters", TokenView<const Scalar>(site_.parameters.data, 1, size));
  }
  void writes_grads(detail::Arguments& call, ParametersView grads) const {
    if (grads.data == nullptr || grads.channels != channels() || grads.rank != rank()) {
      detail::refuse(call.function(), "grads has ", grads.channels, " channels and rank ",
                     grads.rank, grads.data == nullptr ? " and no data (null pointer)" : "",
                     ", expected ", channels(), " and ", rank());
    }
    call.writes("grads", TokenView<Scalar>(grads.data, 1, grads.span().size));
  }

  /// saved, and u unless it is absent; the caller calls it `name`.
  template <class Executor>
  void read(const char* function, const char* name, StreamView<const Element> x,
            TokenView<Element> u, SavedView saved, Executor&& exec) const {
    detail::Arguments call(function);
    reads_streams(call, x);
    reads_parameters(call);
    writes_saved(call, "saved", saved);
    call.writes_if(name, u, x.channels);
    call.check_memory();
    // Threads share out the columns of phi and the channels of up, too: that is what it takes for a
    // single token.
    const Index depth = site_.parameters.depth();
    in_pieces({x.tokens, saved.projections(), 48}, depth, exec,
              [&](Index t, int count, Index begin, Index end) {
                Kernels::project(site_, x, saved, t, count, begin, end);
              });
    exec(x.tokens, detail::token_grain(x),
         [&](Index begin, Index end, int) { Kernels::map(site_, x, saved, begin, end); });
    if (!u) return;
    in_pieces({x.tokens, x.channels, kernels::gated_channels}, N * rank(), exec,
              [&](Index t, int count, Index begin, Index end) {
                Kernels::mix(site_, x, u, saved, t, count, begin, end);
              });
  }

  /// dx (assigned) and the gradients of the parameters (accumulated); the caller calls du `name`.
  template <class Executor>
  void read_backward(const char* function, const char* name, StreamView<const Element> x,
                     ConstSavedView saved, StreamView<const Element> dx_next,
                     TokenView<const Element> du, SavedView dsaved, StreamView<Element> dx,
                     ParametersView grads, Executor&& exec) const {
    detail::Arguments call(function);
    reads_streams(call, x);
    reads_parameters(call);
    reads_saved(call, "saved", saved);
    call.reads_if("dx_next", dx_next, N, x.channels);
    call.reads_if(name, du, x.channels);
    writes_saved(call, "dsaved", dsaved);
    call.writes("dx", dx, N, x.channels).or_is("dx_next");
    writes_grads(call, grads);
    call.check_memory();
    exec(x.tokens, Index{kernels::gated_tokens}, [&](Index begin, Index end, int) {
      Kernels::backward_tokens(site_, x, du, saved, dsaved, begin, end);
    });
    exec(x.channels, Index{kernels::gated_channels}, [&](Index begin, Index end, int) {
      Kernels::backward_channels(site_, x, dx_next, du, saved, dsaved, dx, grads, begin, end);
    });
  }

 private:
  /// f on pieces of tokens and of something else, each number of which costs `work` multiply-adds.
  template <class Executor, class Function>
  static void in_pieces(const kernels::Pieces& pieces, Index work, Executor&& exec,
                        const Function& f) {
    const Index worth = Index{1} << 16;  // multiply-adds that outweigh waking a thread
    exec(pieces.count(), worth / (work * pieces.block) + 1,
         [&](Index begin, Index end, int) { pieces.each(begin, end, f); });
  }

  Options options_;
  kernels::GatedSite<N, Scalar, Injects> site_;
};

MHC_NAMESPACE_END
