// SPDX-License-Identifier: MIT
#pragma once

#include <torch/autograd.h>
#include <torch/custom_class.h>

#include <cstdint>
#include <vector>

#include <mhc/adapters/torch_streams.hpp>
#include <mhc/adapters/torch_tensor.hpp>
#include <mhc/block.hpp>
#include <mhc/head.hpp>

MHC_NAMESPACE_BEGIN

// The calls of a block and a head as torch autograd functions, used by the modules of torch.hpp.

namespace detail {

/// A block or a head with its weights, passed from forward to backward.
template <class Site>
struct TorchSite : torch::CustomClassHolder {
  using View = typename Site::ConstParametersView;
  using Scalar = typename Site::Scalar;

  TorchSite(const char* function, const at::Tensor& weights_, Index channels_,
            const typename Site::Options& options_)
      : weights(weights_.detach()), channels(channels_), options(options_) {
    torch_data<const Scalar>(function, "weights", weights);
    if (weights.numel() != View::size(channels) || !weights.is_contiguous()) {
      refuse(function, "weights has sizes ",
             list_of(weights.sizes().data(), static_cast<int>(weights.dim())), ", expected (",
             View::size(channels), ") for ", channels, " channels, contiguous");
    }
  }

  Site get() const {
    return Site(View(static_cast<const Scalar*>(weights.data_ptr()), channels), options);
  }

  at::Tensor weights;
  Index channels;
  typename Site::Options options;
};

template <class Site>
using TorchSitePtr = c10::intrusive_ptr<TorchSite<Site>>;

template <class Site>
void keep_site(torch::autograd::AutogradContext* ctx, const TorchSitePtr<Site>& site) {
  ctx->saved_data["site"] = c10::IValue::make_capsule(site);
}

template <class Site>
Site kept_site(torch::autograd::AutogradContext* ctx) {
  return static_cast<TorchSite<Site>&>(*ctx->saved_data["site"].toCapsule()).get();
}

/// The sizes of x (..., N, C) as those of u (..., C), or of saved (..., record).
inline std::vector<std::int64_t> torch_row_sizes(const at::Tensor& x, std::int64_t last) {
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes.pop_back();
  sizes.back() = last;
  return sizes;
}

template <class Site>
at::Tensor torch_saved(const at::Tensor& x) {
  return at::zeros(torch_row_sizes(x, Site::SavedView::record),
                   x.options().dtype(torch_dtype<typename Site::Scalar>()));
}

/// A view of a tensor made by torch_saved, (..., record).
template <class View>
View torch_saved_view(const at::Tensor& saved) {
  return View(static_cast<decltype(View::data)>(saved.data_ptr()),
              static_cast<Index>(saved.numel() / View::record));
}

/// The inputs and outputs of the backward of prepare.
template <class Site>
struct TorchReadBackward {
  using Element = typename Site::ElementType;

  explicit TorchReadBackward(torch::autograd::AutogradContext* ctx, const at::Tensor& dsaved_)
      : kept(ctx->get_saved_variables()),
        dsaved(dsaved_.defined() ? dsaved_.clone(at::MemoryFormat::Contiguous)
                                 : at::zeros_like(kept[1])),
        dx(at::empty(kept[0].sizes(), kept[0].options())),
        dweights(at::zeros_like(kept[2])) {}

  typename Site::ParametersView grads(const Site& site) {
    return {static_cast<typename Site::Scalar*>(dweights.data_ptr()), site.channels()};
  }

  torch::autograd::variable_list kept;  ///< x, saved, weights
  at::Tensor dsaved;                    ///< a private copy, which may be modified
  at::Tensor dx;
  at::Tensor dweights;
};

/// x -> u, saved, x. The gradient of the third output is dx_next, as passed to finish's backward:
/// prepare_backward itself computes res^T dx_next and adds its other terms. TorchReading hides it.
template <class Block>
struct TorchPrepare : torch::autograd::Function<TorchPrepare<Block>> {
  using Element = typename Block::ElementType;
  static constexpr const char* here = "TorchBlock";

  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* ctx,
                                                const at::Tensor& any_x, const at::Tensor& weights,
                                                const TorchSitePtr<Block>& site) {
    const at::Tensor x = torch_readable(here, "x", any_x, 2);
    const auto view = torch_streams<const Element>(here, "x", x);
    const Block block = site->get();
    at::Tensor u = at::empty(torch_row_sizes(x, x.size(-1)), x.options());
    at::Tensor saved = torch_saved<Block>(x);
    block.prepare(view, torch_tokens<Element>(here, "u", u),
                  torch_saved_view<typename Block::SavedView>(saved), TorchExecutor());
    ctx->set_materialize_grads(false);
    ctx->save_for_backward({x, saved, weights});
    keep_site<Block>(ctx, site);
    return {u, saved, x};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    refuse_second_derivatives(here);
    const Block block = kept_site<Block>(ctx);
    TorchReadBackward<Block> out(ctx, grads[1]);
    at::Tensor du;
    at::Tensor dx_next;
    TokenView<const Element> du_view;
    StreamView<const Element> dx_next_view;
    if (grads[0].defined()) {
      du = torch_readable(here, "du", grads[0], 1);
      du_view = torch_tokens<const Element>(here, "du", du);
    }
    if (grads[2].defined()) {
      dx_next = torch_readable(here, "dx_next", grads[2], 2);
      dx_next_view = torch_streams<const Element>(here, "dx_next", dx_next);
    }
    block.prepare_backward(
        torch_streams<const Element>(here, "x", out.kept[0]),
        torch_saved_view<typename Block::ConstSavedView>(out.kept[1]), dx_next_view, du_view,
        torch_saved_view<typename Block::SavedView>(out.dsaved),
        torch_streams<Element>(here, "dx", out.dx), out.grads(block), TorchExecutor());
    return {out.dx, out.dweights, at::Tensor()};
  }
};

/// x, v, saved -> x_next.
template <class Block>
struct TorchFinish : torch::autograd::Function<TorchFinish<Block>> {
  using Element = typename Block::ElementType;
  static constexpr const char* here = "TorchBlock";

  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x,
                            const at::Tensor& any_v, const at::Tensor& saved,
                            const TorchSitePtr<Block>& site) {
    const at::Tensor v = torch_readable(here, "v", any_v, 1);
    const auto view = torch_tokens<const Element>(here, "v", v);
    at::Tensor x_next = at::empty(x.sizes(), x.options());
    site->get().finish(torch_streams<const Element>(here, "x", x), view,
                       torch_saved_view<typename Block::ConstSavedView>(saved),
                       torch_streams<Element>(here, "x_next", x_next), TorchExecutor());
    ctx->save_for_backward({x, v, saved});
    keep_site<Block>(ctx, site);
    return x_next;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    refuse_second_derivatives(here);
    const auto kept = ctx->get_saved_variables();
    const at::Tensor dx_next = torch_readable(here, "dx_next", grads[0], 2);
    at::Tensor dv = at::empty(kept[1].sizes(), kept[1].options());
    at::Tensor dsaved = at::zeros_like(kept[2]);
    kept_site<Block>(ctx).finish_backward(torch_streams<const Element>(here, "x", kept[0]),
                                          torch_tokens<const Element>(here, "v", kept[1]),
                                          torch_saved_view<typename Block::ConstSavedView>(kept[2]),
                                          torch_streams<const Element>(here, "dx_next", dx_next),
                                          torch_tokens<Element>(here, "dv", dv),
                                          torch_saved_view<typename Block::SavedView>(dsaved),
                                          TorchExecutor());
    return {dx_next, dv, dsaved, at::Tensor()};
  }
};

/// x -> h.
template <class Head>
struct TorchHeadForward : torch::autograd::Function<TorchHeadForward<Head>> {
  using Element = typename Head::ElementType;
  static constexpr const char* here = "TorchHead";

  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& any_x,
                            const at::Tensor& weights, const TorchSitePtr<Head>& site) {
    const at::Tensor x = torch_readable(here, "x", any_x, 2);
    const auto view = torch_streams<const Element>(here, "x", x);
    at::Tensor h = at::empty(torch_row_sizes(x, x.size(-1)), x.options());
    at::Tensor saved = torch_saved<Head>(x);
    site->get().forward(view, torch_tokens<Element>(here, "h", h),
                        torch_saved_view<typename Head::SavedView>(saved), TorchExecutor());
    ctx->save_for_backward({x, saved, weights});
    keep_site<Head>(ctx, site);
    return h;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    refuse_second_derivatives(here);
    const Head head = kept_site<Head>(ctx);
    TorchReadBackward<Head> out(ctx, at::Tensor());
    const at::Tensor dh = torch_readable(here, "dh", grads[0], 1);
    head.backward(torch_streams<const Element>(here, "x", out.kept[0]),
                  torch_saved_view<typename Head::ConstSavedView>(out.kept[1]),
                  torch_tokens<const Element>(here, "dh", dh),
                  torch_saved_view<typename Head::SavedView>(out.dsaved),
                  torch_streams<Element>(here, "dx", out.dx), out.grads(head), TorchExecutor());
    return {out.dx, out.dweights, at::Tensor()};
  }
};

}  // namespace detail
MHC_NAMESPACE_END
