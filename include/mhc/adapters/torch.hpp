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

// The block and the head as modules of libtorch, whose gradients are the library's:
//
//   mhc::TorchBlock<4> site(channels);                                  // register_module it
//   auto x_next = site->forward(x, [&](auto u) { return attention(u); });
//
//   auto reading = site->prepare(x);                                    // or in two calls
//   auto x_next = site->finish(attention(reading.u()), reading);
//
//   x, x_next (..., N, C)    u, v (..., C)    of Element's type, on the CPU
//
// The parameters are one tensor, `weights` (phi, alpha, b, see parameters.hpp): the kernels read
// one contiguous run, and torch replaces the storage of each parameter on its own (to, load), so
// that three would have to be joined again at every step. phi(), alpha() and b() are views of it
// that torch can differentiate. It is of the compute type, float for bf16 and half streams: after
// model->to(torch::kBFloat16) take it back, site->to(torch::kFloat), or it is refused.
//
// What torch expands, transposes or slices is read where it lies if the channels are contiguous and
// the leading dimensions fold into one, and copied otherwise. There are no second derivatives
// (create_graph is refused). All errors are std::invalid_argument.

/// What a block read of x for one sublayer; made by prepare and given to finish.
template <class Block>
class TorchReading {
  using Saved = typename Block::SavedView;
  static constexpr int n = Block::streams;

 public:
  /// The sublayer's input, (..., C).
  const at::Tensor& u() const { return u_; }

  /// The mappings, to look at or to put a loss on: (..., N), (..., N) and (..., N, N), [out, in].
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
  at::Tensor x_;  ///< its gradient is no gradient of x, see TorchPrepare: nobody else may use it
  detail::TorchSitePtr<Block> site_;
};

/// What the two modules have in common.
template <class Derived, class Site>
class TorchSiteModule : public torch::nn::Cloneable<Derived> {
 public:
  using Options = typename Site::Options;
  using Scalar = typename Site::Scalar;

  /// New weights, by `initialize` (initialization.hpp) from the seed.
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
  index channels() const { return channels_; }

  at::Tensor weights;  ///< [phi | alpha | b], the module's one parameter

 protected:
  TorchSiteModule(std::int64_t channels, const Options& options, std::uint64_t seed)
      : options_(options), channels_(static_cast<index>(channels)), seed_(seed) {
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
  index channels_;
  std::uint64_t seed_;
};

/// A site around a sublayer, see block.hpp.
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

  /// The mappings of x (..., N, C) and u = pre x.
  Reading prepare(const at::Tensor& x) const {
    detail::check_torch_place(type_name, "x", x);
    auto site = this->site();
    return {detail::TorchPrepare<Block>::apply(x, this->weights, site), site};
  }

  /// x_next = res x + post^T v for the x that was read, v (..., C).
  at::Tensor finish(const at::Tensor& v, const Reading& reading) const {
    detail::check_torch_place(type_name, "v", v);
    return detail::TorchFinish<Block>::apply(reading.x_, v, reading.saved_, reading.site_);
  }

  /// Both around a sublayer: a module, or anything that takes a tensor u and returns v.
  template <class Sublayer>
  at::Tensor forward(const at::Tensor& x, Sublayer&& sublayer) const {
    const Reading reading = prepare(x);
    return finish(std::forward<Sublayer>(sublayer)(reading.u()), reading);
  }
};

/// The learned collapse at the end of the streams, see head.hpp: x (..., N, C) -> h (..., C).
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

/// Their holders, as TORCH_MODULE makes them: shared pointers that construct.
template <int N, class Element = float, class Connection = ManifoldConstrained>
class TorchBlock : public torch::nn::ModuleHolder<TorchBlockImpl<N, Element, Connection>> {
 public:
  using Impl = TorchBlockImpl<N, Element, Connection>;
  using torch::nn::ModuleHolder<Impl>::ModuleHolder;
};

/// The learned collapse's holder.
template <int N, class Element = float>
class TorchHead : public torch::nn::ModuleHolder<TorchHeadImpl<N, Element>> {
 public:
  using Impl = TorchHeadImpl<N, Element>;
  using torch::nn::ModuleHolder<Impl>::ModuleHolder;
};

MHC_NAMESPACE_END
