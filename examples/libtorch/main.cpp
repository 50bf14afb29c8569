// SPDX-License-Identifier: MIT
// Trains one transformer twice from the same weights, with the library's blocks around its
// sublayers and with mHC in torch's operations; compares all gradients, in double and float, and
// the losses of every step, and times both.
#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "../report/csv.hpp"
#include "training.hpp"

namespace {

using namespace libtorch_example;
using torch::Tensor;

int failures = 0;

void expect_below(const char* what, double value, double bound) {
  if (value < bound) return;
  std::printf("FAILED: %s is %.3g, expected less than %.3g\n", what, value, bound);
  ++failures;
}

void compare_gradients(const char* when, const Model& start, const Shape& shape,
                       std::int64_t batch) {
  const Tensor tokens = batch_of(shape, batch, 1u << 20);
  const Model truth = operations_model(shape, torch::kDouble, start);
  const Model ours = library_model<double>(shape, start);
  const Model ours_float = library_model<float>(shape, start);
  const Model torchs_float = operations_model(shape, torch::kFloat, start);
  for (const Model& model : {truth, ours, ours_float, torchs_float}) differentiate(model, tokens);
  const auto row = [&](const char* name, const Model& model, double bound) {
    const Difference worst = gradient_difference(model, truth);
    std::printf("  %-14s %-30s %9.2g   %s\n", when, name, worst.largest, worst.parameter.c_str());
    expect_below(name, worst.largest, bound);
  };
  row("mhc, double", ours, 1e-12);
  row("mhc, float", ours_float, 2e-5);
  row("torch's operations, float", torchs_float, 2e-5);
}

struct Losses {
  std::vector<double> ours, torchs;
  double largest_difference() const {
    double largest = 0.0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      largest = std::max(largest, finite_or_infinity(std::abs(ours[i] - torchs[i])));
    }
    return largest;
  }
};

void print_losses(const char* type, const Losses& losses, double bound) {
  std::printf("  %-8s", type);
  const std::size_t steps = losses.ours.size();
  for (int part = 0; part <= 4; ++part) {
    std::printf(" %8.5f",
                losses.ours[std::min(steps - 1, steps * static_cast<std::size_t>(part) / 4)]);
  }
  std::printf("   %.2g\n", losses.largest_difference());
  expect_below("the largest difference of the losses", losses.largest_difference(), bound);
  // Single batches are noisy: compare quarters of the run.
  const auto quarter = static_cast<std::ptrdiff_t>(steps / 4);
  const auto mean = [&](auto first) {
    return std::accumulate(first, first + quarter, 0.0) / static_cast<double>(quarter);
  };
  expect_below("the mean loss of the last quarter", mean(losses.ours.end() - quarter),
               mean(losses.ours.begin()));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Medians of both in milliseconds, timed in turns.
void time_both(const char* name, int repetitions, const std::function<void()>& ours,
               const std::function<void()>& torchs) {
  const auto milliseconds = [](const std::function<void()>& f) {
    const auto start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
        .count();
  };
  std::vector<double> our_times, torchs_times;
  milliseconds(ours);
  milliseconds(torchs);
  for (int i = 0; i < repetitions; ++i) {
    our_times.push_back(milliseconds(ours));
    torchs_times.push_back(milliseconds(torchs));
  }
  const double a = median(our_times);
  const double b = median(torchs_times);
  std::printf("  %-44s %2d %9.2f %9.2f %7.1f x\n", name, at::get_num_threads(), a, b, b / a);
}

/// One site with an identity sublayer.
void time_site(std::int64_t tokens, std::int64_t channels, int repetitions) {
  mhc::TorchBlock<streams> ours(channels);
  const OperationsBlockImpl torchs(ours->weights, streams);
  const Tensor x = torch::randn({tokens, streams, channels}).requires_grad_();
  const Tensor cotangent = torch::randn({tokens, streams, channels});
  const auto identity = [](const Tensor& u) { return u; };
  const auto inputs = [&](const Tensor& weights) {
    return torch::autograd::variable_list{x, weights};
  };
  const std::string site =
      "site, " + std::to_string(tokens) + " x 4 x " + std::to_string(channels) + ", ";
  const auto forward = [&](const auto& block) {
    const torch::NoGradGuard no_grad;
    block.forward(x, identity);
  };
  time_both((site + "forward").c_str(), repetitions, [&] { forward(*ours); },
            [&] { forward(torchs); });
  // The backward alone: of one graph, repeatedly.
  const Tensor our_next = ours->forward(x, identity);
  const Tensor torchs_next = torchs.forward(x, identity);
  const auto backward = [&](const Tensor& x_next, const Tensor& weights) {
    torch::autograd::grad({x_next}, inputs(weights), {cotangent}, true);
  };
  time_both((site + "backward").c_str(), repetitions, [&] { backward(our_next, ours->weights); },
            [&] { backward(torchs_next, torchs.weights); });
}

void run(bool quick) {
  const Shape shape;
  const std::int64_t batch = 8;
  const int steps = quick ? 20 : 100;
  torch::manual_seed(1);
  const Model start = library_model<double>(shape);
  std::int64_t numbers = 0;
  for (const Tensor& parameter : start->parameters()) numbers += parameter.numel();
  std::printf(
      "A transformer of libtorch's modules: %d layers, %d channels, 4 streams, %d parameters.\n"
      "It learns to repeat %d random tokens: batches of %d, the loss of guessing is %.3f.\n\n",
      static_cast<int>(shape.layers), static_cast<int>(shape.channels), static_cast<int>(numbers),
      static_cast<int>(shape.context / 2), static_cast<int>(batch),
      std::log(static_cast<double>(shape.vocabulary)));

  std::printf(
      "Gradients of all parameters against torch's operations in double: the largest\n"
      "difference over the parameter's largest gradient, of the worst parameter\n");
  compare_gradients("at the start", start, shape, batch);

  const auto train_both = [&](const Model& ours, const Model& torchs) {
    return Losses{train(ours, shape, batch, steps), train(torchs, shape, batch, steps)};
  };
  const Model trained = library_model<double>(shape, start);
  const Losses doubles = train_both(trained, operations_model(shape, torch::kDouble, start));
  const Losses floats =
      train_both(library_model<float>(shape, start), operations_model(shape, torch::kFloat, start));
  compare_gradients("trained", trained, shape, batch);

  std::printf(
      "\nLoss over %d steps of AdamW with mhc, and the largest difference to the loss of the\n"
      "same step with torch's operations\n",
      steps);
  print_losses("double", doubles, 1e-10);
  print_losses("float", floats, 1e-3);

  const std::string path = "build/reports/libtorch.csv";
  report::Csv csv(path, {"step", "double_mhc", "double_torch", "float_mhc", "float_torch"});
  for (std::size_t i = 0; i < doubles.ours.size(); ++i) {
    csv.row({i, doubles.ours[i], doubles.torchs[i], floats.ours[i], floats.torchs[i]});
  }
  csv.close();
  std::printf("  all losses: %s\n", path.c_str());

  std::printf("\nMedian milliseconds, timed in turns, float%28s threads    mhc     torch\n", "");
  const int repetitions = quick ? 5 : 15;
  const int before = at::get_num_threads();
  const int all = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  for (const int threads : all > 1 ? std::vector<int>{1, all} : std::vector<int>{1}) {
    at::set_num_threads(threads);
    time_site(512, 256, repetitions);
    time_site(512, 1024, repetitions);
    const Model ours = library_model<float>(shape, start);
    const Model torchs = operations_model(shape, torch::kFloat, start);
    const Tensor tokens = batch_of(shape, batch, 0);
    const auto forward = [&](const Model& model) {
      const torch::NoGradGuard no_grad;
      loss_of(model, tokens);
    };
    time_both(
        "the transformer, forward", repetitions, [&] { forward(ours); }, [&] { forward(torchs); });
    time_both(
        "the transformer, forward and backward", repetitions, [&] { differentiate(ours, tokens); },
        [&] { differentiate(torchs, tokens); });
  }
  at::set_num_threads(before);
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      quick = true;
    } else {
      std::fprintf(stderr, "libtorch: unknown argument '%s'; there is --quick\n", argv[i]);
      return 2;
    }
  }
  try {
    run(quick);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "libtorch: %s\n", error.what());
    return 1;
  }
  if (failures == 0) std::printf("\nall bounds hold\n");
  return failures == 0 ? 0 : 1;
}
