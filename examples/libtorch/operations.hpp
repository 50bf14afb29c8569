// SPDX-License-Identifier: MIT
// mHC in torch's operations, as one would write it without the library and torch differentiates it
// automatically: the reference for ours.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <utility>

#include <mhc/connection.hpp>

namespace libtorch_example {

/// The numbers of one site's mappings: pre, post (..., n) and res (..., n, n), [out, in].
struct OperationsMappings {
  torch::Tensor pre, post, res;
};

/// x (..., n, C) -> x_next, around a sublayer (..., C) -> (..., C). `weights` is laid out as the
/// library's: [phi (n C, 2 n + n n) | alpha (3) | b (2 n + n n)].
class OperationsBlockImpl : public torch::nn::Module {
 public:
  using Options = mhc::ManifoldConstrained::Options;

  explicit OperationsBlockImpl(const torch::Tensor& values, std::int64_t streams,
                               const Options& options = Options())
      : n_(streams), options_(options) {
    weights = register_parameter("weights", values.detach().clone());
  }

  OperationsMappings mappings(const torch::Tensor& x) const {
    const std::int64_t logits = 2 * n_ + n_ * n_;
    const std::int64_t depth = n_ * x.size(-1);
    const torch::Tensor phi = weights.narrow(0, 0, depth * logits).view({depth, logits});
    const torch::Tensor alpha = weights.narrow(0, depth * logits, 3);
    const torch::Tensor b = weights.narrow(0, depth * logits + 3, logits);

    const torch::Tensor flat = x.flatten(-2);
    const torch::Tensor r = (flat.square().mean(-1, true) + options_.norm_eps).rsqrt();
    const torch::Tensor m = torch::matmul(flat, phi) * r;
    const auto gated = [&](std::int64_t part, std::int64_t first, std::int64_t size) {
      return alpha[part] * m.narrow(-1, first, size) + b.narrow(0, first, size);
    };
    OperationsMappings result;
    result.pre = torch::sigmoid(gated(0, 0, n_)) + options_.pre_eps;
    result.post = options_.post_scale * torch::sigmoid(gated(1, n_, n_)) + options_.post_eps;
    auto square = x.sizes().vec();
    square.back() = n_;
    result.res = sinkhorn_knopp(gated(2, 2 * n_, n_ * n_).reshape(square));
    return result;
  }

  template <class Sublayer>
  torch::Tensor forward(const torch::Tensor& x, Sublayer&& sublayer) const {
    const OperationsMappings maps = mappings(x);
    const torch::Tensor u = torch::einsum("...i,...ic->...c", {maps.pre, x});
    const torch::Tensor v = std::forward<Sublayer>(sublayer)(u);
    return torch::matmul(maps.res, x) + maps.post.unsqueeze(-1) * v.unsqueeze(-2);
  }

  torch::Tensor weights;

 private:
  /// Columns (over out) first, then rows: the rows sum to one.
  torch::Tensor sinkhorn_knopp(const torch::Tensor& logits) const {
    const mhc::SinkhornKnoppOptions& sinkhorn = options_.residual;
    torch::Tensor m = torch::softmax(logits, -2) + sinkhorn.start_eps;
    m = m / (m.sum(-1, true) + sinkhorn.divisor_eps);
    for (int t = 1; t < sinkhorn.iterations; ++t) {
      m = m / (m.sum(-2, true) + sinkhorn.divisor_eps);
      m = m / (m.sum(-1, true) + sinkhorn.divisor_eps);
    }
    return m;
  }

  std::int64_t n_;
  Options options_;
};

}  // namespace libtorch_example
