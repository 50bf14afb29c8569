// SPDX-License-Identifier: MIT
#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>
#include <torch/serialize.h>

#include <cstdint>
#include <memory>
#include <ostream>
#include <utility>

#include <mhc/adapters/torch_functions.hpp>
#include <mhc/adapters/torch_streams.hpp>
#include <mhc/adapters/torch_tensor.hpp>
#include <mhc/initialization.hpp>

MHC_NAMESPACE_BEGIN

// The block and the head as libtorch modules that use the library's own gradients:
//
//   mhc::TorchBlock<4> site(channels);                          // pass it to register_module
//   auto x_next = site->forward(x, [&](auto u) { return attention(u); });
//
//   auto reading = site->prepare(x);                            // or in two calls
//   auto x_next = site->finish(attention(reading.u()), reading);
//
//   x, x_next (..., N, C)    u, v (..., C)    of type Element, on the CPU
//
// The parameters are one tensor, `weights` (phi, alpha, b, see parameters.hpp). The kernels need
// them contiguous, and torch replaces the storage of each parameter separately (to, load), so three
// tensors would have to be joined again at every step. phi(), alpha() and b() are differentiable
// views of it. Its type is the compute type, float for bf16 and half streams: after
// model->to(torch::kBFloat16) convert it back with site->to(torch::kFloat), or the calls throw.
//
// Expanded, transposed or sliced tensors are read in place if the channels are contiguous and the
// leading dimensions fold into one, and copied otherwise. Second derivatives are not supported
// (create_graph throws). All errors are std::invalid_argument.

/// The result of prepare for one sublayer, to be passed to finish.
template <class Block>
class TorchReading {
  using Saved = typename Block::SavedView;
  static constexpr int n = Block::streams;

 public:
  /// The sublayer's input, (..., C).
  const at::Tensor& u() const { return u_; }

  /// The mappings, to inspect or to use in a loss: (..., N), (..., N) and (..., N, N), [out, in].
  at::Tensor pre() const { return saved_.narrow(-1, Saved::pre_offset, n); }
  at::Tensor post() const { return saved_.narrow(-1, Saved::post_offset, n); }
  at::Tensor res() const {
    auto sizes = saved_.sizes().vec();
    sizes.back() = n;
    sizes.push_back(n);
    return saved_.narrow(-1, Saved::res_offset, n * n).view(sizes);
  }

 private:
  template <int, class, class>
  friend class TorchBlockImpl;

  TorchReading(torch::autograd::variable_list outputs, detail::TorchSitePtr<Block> site)
      : u_(std::move(outputs[0])),
        saved_(std::move(outputs[1])),
        x_(std::move(outputs[2])),
        site_(std::move(site)) {}

  at::Tensor u_;
  at::Tensor saved_;
  at::Tensor x_;  ///< private: its gradient is not that of x, see TorchPrepare
  detail::TorchSitePtr<Block> site_;
};

/// The common base of the two modules.
template <class Derived, class Site>
class TorchSiteModule : public torch::nn::Cloneable<Derived> {
 public:
  using Options = typename Site::Options;
  using Scalar = typename Site::Scalar;

  /// Sets new weights with `initialize` (initialization.hpp) and the seed.
  void reset() override {
    using View = typename Site::ParametersView;
    at::Tensor values = at::zeros({static_cast<std::int64_t>(View::size(channels_))},
                                  at::TensorOptions(detail::torch_dtype<Scalar>()));
    initialize(View(static_cast<Scalar*>(values.data_ptr()), channels_), seed_);
    weights = this->register_parameter("weights", std::move(values));
  }

  void pretty_print(std::ostream& stream) const override {
    stream << Derived::type_name << '<' << Site::streams << ">(channels=" << channels_ << ')';
  }

  at::Tensor phi() const { return part(0, depth() * projections).view({depth(), projections}); }
  at::Tensor alpha() const { return part(depth() * projections, Site::Shape::gates); }
  at::Tensor b() const {
    return part(depth() * projections + Site::Shape::gates, Site::Shape::logits);
  }

  const Options& options() const { return options_; }
  Index channels() const { return channels_; }

  at::Tensor weights;  ///< [phi | alpha | b], the module's only parameter

 protected:
  TorchSiteModule(std::int64_t channels, const Options& options, std::uint64_t seed)
      : options_(options), channels_(static_cast<Index>(channels)), seed_(seed) {
    if (channels < 1) {
      detail::refuse(Derived::type_name, "channels is ", channels, ", expected at least 1");
    }
    detail::CheckOptions<typename Site::ConnectionType>::check_all(Derived::type_name, options);
    reset();
  }

  detail::TorchSitePtr<Site> site() const {
    return c10::make_intrusive<detail::TorchSite<Site>>(Derived::type_name, weights, channels_,
                                                        options_);
  }

 private:
  static constexpr std::int64_t projections = Site::Shape::projections;
  std::int64_t depth() const { return Site::ParametersView::depth(channels_); }
  at::Tensor part(std::int64_t first, std::int64_t size) const {
    return weights.narrow(0, first, size);
  }

  Options options_;
  Index channels_;
  std::uint64_t seed_;
};

/// A site around a sublayer; see block.hpp.
template <int N, class Element = float, class Connection = ManifoldConstrained>
class TorchBlockImpl : public TorchSiteModule<TorchBlockImpl<N, Element, Connection>,
                                              Block<N, Element, Connection>> {
 public:
  using Block = mhc::Block<N, Element, Connection>;
  using Reading = TorchReading<Block>;
  static constexpr const char* type_name = "TorchBlock";

  explicit TorchBlockImpl(std::int64_t channels,
                          const typename Block::Options& options = typename Block::Options(),
                          std::uint64_t seed = 1)
      : TorchSiteModule<TorchBlockImpl, Block>(channels, options, seed) {}

  /// Computes the mappings of x (..., N, C) and u = pre x.
  Reading prepare(const at::Tensor& x) const {
    detail::check_torch_place(type_name, "x", x);
    auto site = this->site();
    return {detail::TorchPrepare<Block>::apply(x, this->weights, site), site};
  }

  /// x_next = res x + post^T v for the x of `reading` and v (..., C).
  at::Tensor finish(const at::Tensor& v, const Reading& reading) const {
    detail::check_torch_place(type_name, "v", v);
    return detail::TorchFinish<Block>::apply(reading.x_, v, reading.saved_, reading.site_);
  }

  /// Both around a sublayer: a module, or any callable that takes a tensor u and returns v.
  template <class Sublayer>
  at::Tensor forward(const at::Tensor& x, Sublayer&& sublayer) const {
    const Reading reading = prepare(x);
    return finish(std::forward<Sublayer>(sublayer)(reading.u()), reading);
  }
};

/// The learned collapse after the last layer, see head.hpp: x (..., N, C) -> h (..., C).
template <int N, class Element = float>
class TorchHeadImpl : public TorchSiteModule<TorchHeadImpl<N, Element>, Head<N, Element>> {
 public:
  using Head = mhc::Head<N, Element>;
  static constexpr const char* type_name = "TorchHead";

  explicit TorchHeadImpl(std::int64_t channels,
                         const typename Head::Options& options = typename Head::Options(),
                         std::uint64_t seed = 1)
      : TorchSiteModule<TorchHeadImpl, Head>(channels, options, seed) {}

  at::Tensor forward(const at::Tensor& x) const {
    detail::check_torch_place(type_name, "x", x);
    return detail::TorchHeadForward<Head>::apply(x, this->weights, this->site());
  }
};

/// The module holder of TorchBlockImpl, as TORCH_MODULE defines it.
template <int N, class Element = float, class Connection = ManifoldConstrained>
class TorchBlock : public torch::nn::ModuleHolder<TorchBlockImpl<N, Element, Connection>> {
 public:
  using Impl = TorchBlockImpl<N, Element, Connection>;
  using torch::nn::ModuleHolder<Impl>::ModuleHolder;
};

/// The module holder of TorchHeadImpl.
template <int N, class Element = float>
class TorchHead : public torch::nn::ModuleHolder<TorchHeadImpl<N, Element>> {
 public:
  using Impl = TorchHeadImpl<N, Element>;
  using torch::nn::ModuleHolder<Impl>::ModuleHolder;
};

MHC_NAMESPACE_END
