// SPDX-License-Identifier: MIT
// AdamW on one contiguous arena, with clipping of the whole gradient.
//
//   g' = g min(1, limit / |g|)
//   m  = beta_1 m + (1 - beta_1) g',   v = beta_2 v + (1 - beta_2) g'^2
//   p  = p - rate (m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + eps) + decay p)
//
// t = 1 at the first step. Weight decay applies to matrices, not to norms and biases.
//
// Source: Loshchilov and Hutter, arXiv:1711.05101.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>
#include <Eigen/Core>

#include "arena.hpp"
#include "model/linear.hpp"
#include "parallel.hpp"

namespace language_model {

struct AdamWOptions {
  double beta_1 = 0.9;
  double beta_2 = 0.95;
  double eps = 1e-8;
  double decay = 0.1;
  double largest_norm = 1.0;
};

class AdamW {
 public:
  using Array = Eigen::Map<Eigen::Array<float, Eigen::Dynamic, 1>>;
  using ConstArray = Eigen::Map<const Eigen::Array<float, Eigen::Dynamic, 1>>;

  AdamW(const std::vector<Segment>& segments, Index size, AdamWOptions options = {})
      : options_(options),
        first_(static_cast<std::size_t>(size), 0.0F),
        second_(first_.size(), 0.0F),
        partial_(static_cast<std::size_t>((size + piece - 1) / piece)) {
    for (const Segment& segment : segments) {  // cut into tasks
      for (Index i = 0; i < segment.size; i += piece) {
        tasks_.push_back({segment.begin + i, std::min(piece, segment.size - i), segment.decays});
      }
    }
  }

  // Makes step number `step` (from 0) and returns |g| before clipping.
  double step(std::vector<float>& parameters, const std::vector<float>& gradients,
              std::uint64_t step, double rate, const Workers& workers) {
    const double norm = norm_of(gradients, workers);
    const double clip = norm > options_.largest_norm ? options_.largest_norm / norm : 1.0;
    const double t = static_cast<double>(step + 1);
    const auto beta_1 = static_cast<float>(options_.beta_1);
    const auto beta_2 = static_cast<float>(options_.beta_2);
    const auto scale_1 = static_cast<float>(rate / (1 - std::pow(options_.beta_1, t)));
    const auto scale_2 = static_cast<float>(1 / (1 - std::pow(options_.beta_2, t)));
    const auto eps = static_cast<float>(options_.eps);
    workers(static_cast<Index>(tasks_.size()), 1, [&](Index begin, Index end, int) {
      for (Index i = begin; i < end; ++i) {
        const Segment& task = tasks_[static_cast<std::size_t>(i)];
        Array p(parameters.data() + task.begin, task.size);
        Array m(first_.data() + task.begin, task.size);
        Array v(second_.data() + task.begin, task.size);
        const ConstArray gradient(gradients.data() + task.begin, task.size);
        const auto g = static_cast<float>(clip) * gradient;
        const auto kept = static_cast<float>(task.decays ? 1 - rate * options_.decay : 1);
        m = beta_1 * m + (1 - beta_1) * g;
        v = beta_2 * v + (1 - beta_2) * g.square();
        p = kept * p - scale_1 * m / ((scale_2 * v).sqrt() + eps);
      }
    });
    return norm;
  }

  // The state, for a checkpoint.
  std::vector<float>& first() { return first_; }
  std::vector<float>& second() { return second_; }

 private:
  static constexpr Index piece = 16384;

  // The pieces' sums are added in their order, whichever thread computed them.
  double norm_of(const std::vector<float>& gradients, const Workers& workers) {
    workers(static_cast<Index>(gradients.size()), piece, [&](Index begin, Index end, int) {
      const ConstArray part(gradients.data() + begin, end - begin);
      partial_[static_cast<std::size_t>(begin / piece)] = part.cast<double>().square().sum();
    });
    double sum = 0;
    for (const double part : partial_) sum += part;
    return std::sqrt(sum);
  }

  AdamWOptions options_;
  std::vector<float> first_, second_;  // m, v
  std::vector<double> partial_;
  std::vector<Segment> tasks_;
};

}  // namespace language_model
