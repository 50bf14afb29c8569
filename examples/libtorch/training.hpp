// SPDX-License-Identifier: MIT
// The task, its gradients and its training, the same for every model.
#pragma once

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/functional/loss.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "transformer.hpp"

namespace libtorch_example {

using Model = std::shared_ptr<Transformer>;

/// A copy of `from`, rounded to the type.
template <class Element>
Model library_model(const Shape& shape, const Model& from = nullptr);

inline void copy_parameters(const Model& from, const Model& to) {
  const torch::NoGradGuard no_grad;
  const auto values = from->named_parameters();
  for (auto& parameter : to->named_parameters()) {
    parameter.value().copy_(values[parameter.key()]);
  }
}

inline Model make_model(const Shape& shape, std::shared_ptr<Residual> residual, torch::Dtype type,
                        const Model& from) {
  auto model = std::make_shared<Transformer>(shape, std::move(residual));
  model->to(type);
  if (from) copy_parameters(from, model);
  return model;
}

template <class Element>
Model library_model(const Shape& shape, const Model& from) {
  return make_model(shape, std::make_shared<LibraryResidual<Element>>(shape),
                    mhc::detail::torch_dtype<Element>(), from);
}

inline Model operations_model(const Shape& shape, torch::Dtype type, const Model& from) {
  return make_model(shape, std::make_shared<OperationsResidual>(shape), type, from);
}

/// Sequences whose second half repeats the first; batch `step` is the same for every caller.
inline torch::Tensor batch_of(const Shape& shape, std::int64_t size, std::uint64_t step) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(step + 1);
  const torch::Tensor half =
      torch::randint(shape.vocabulary, {size, shape.context / 2}, generator, torch::kLong);
  return torch::cat({half, half}, 1);
}

/// The mean cross entropy, in nats, of the tokens that repeat.
inline torch::Tensor loss_of(const Model& model, const torch::Tensor& tokens) {
  const std::int64_t half = tokens.size(1) / 2;
  const torch::Tensor logits = model->forward(tokens).narrow(1, half - 1, half);
  return torch::nn::functional::cross_entropy(logits.flatten(0, 1),
                                              tokens.narrow(1, half, half).flatten());
}

/// Computes the gradients of all parameters and returns the loss.
inline double differentiate(const Model& model, const torch::Tensor& tokens) {
  model->zero_grad();
  const torch::Tensor loss = loss_of(model, tokens);
  loss.backward();
  return loss.item<double>();
}

/// Infinity for NaN, so that it counts as the largest difference.
inline double finite_or_infinity(double difference) {
  return std::isfinite(difference) ? difference : std::numeric_limits<double>::infinity();
}

/// The error of the gradients of `model` against those of `truth`, of the worst parameter: the
/// largest difference over the largest value, or the difference itself if all values are zero.
struct Difference {
  double largest = 0.0;
  std::string parameter;
};

inline Difference gradient_difference(const Model& model, const Model& truth) {
  Difference worst;
  const auto expected = truth->named_parameters();
  for (const auto& parameter : model->named_parameters()) {
    const torch::Tensor theirs = expected[parameter.key()].grad().to(torch::kDouble);
    const torch::Tensor ours = parameter.value().grad().to(torch::kDouble);
    const double scale = theirs.abs().max().item<double>();
    const double difference = (ours - theirs).abs().max().item<double>();
    const double relative = finite_or_infinity(scale > 0.0 ? difference / scale : difference);
    if (worst.parameter.empty() || relative > worst.largest) worst = {relative, parameter.key()};
  }
  return worst;
}

/// The losses of `steps` steps of AdamW.
inline std::vector<double> train(const Model& model, const Shape& shape, std::int64_t batch,
                                 int steps) {
  torch::optim::AdamW optimizer(model->parameters(), torch::optim::AdamWOptions(3e-3));
  std::vector<double> losses;
  for (int step = 0; step < steps; ++step) {
    losses.push_back(
        differentiate(model, batch_of(shape, batch, static_cast<std::uint64_t>(step))));
    optimizer.step();
  }
  return losses;
}

}  // namespace libtorch_example
