// SPDX-License-Identifier: MIT
// Hyper-connections in code in the style of llm.c: checks the gradient of every group of parameters
// in double, then trains in float.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "../support/options.hpp"
#include "model.hpp"

namespace {

/// Tokens that follow one permutation, three times out of four.
struct Batch {
  Batch(int vocabulary, int batch, int context, unsigned seed) {
    std::mt19937 random(seed);
    int token = 0;
    for (int i = 0; i <= batch * context; i++) {
      if (i < batch * context) inputs.push_back(token);
      if (i > 0) targets.push_back(token);
      const int other = static_cast<int>(random() % static_cast<unsigned>(vocabulary));
      token = random() % 4 == 0 ? other : (5 * token + 3) % vocabulary;
    }
  }
  std::vector<int> inputs, targets;
};

/// For each group of parameters and a random direction d, compares (L(p + h d) - L(p - h d)) / 2h
/// with <gradient, d>. Returns how many are wrong.
int check_gradient(int n) {
  Model<double> model;
  model_init(&model, {13, 6, 2, n, 8}, 3, 1);
  const Batch batch(model.config.V, model.B, model.config.T, 2);
  const int *inputs = batch.inputs.data(), *targets = batch.targets.data();
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  // The streams start nearly equal: away from there all parts of the gradient count.
  for (size_t i = 0; i < model.param_sizes[2]; i++) model.params.hcw[i] += 0.2 * normal(random);
  model_forward(&model, inputs, targets);
  model_zero_grad(&model);
  model_backward(&model, inputs, targets);

  int wrong = 0;
  size_t begin = 0;
  for (int group = 0; group < NUM_PARAMETER_TENSORS; begin += model.param_sizes[group++]) {
    const size_t size = model.param_sizes[group];
    if (size == 0) continue;  // no hcw with ordinary residuals
    double* const p = model.params_memory + begin;
    const std::vector<double> kept(p, p + size);
    std::vector<double> direction(size);
    double analytic = 0;
    for (size_t i = 0; i < size; i++) {
      direction[i] = normal(random);
      analytic += direction[i] * model.grads_memory[begin + i];
    }
    const double h = 1e-5;
    double loss[2];
    for (int side = 0; side < 2; side++) {
      for (size_t i = 0; i < size; i++) p[i] = kept[i] + (side == 0 ? h : -h) * direction[i];
      loss[side] = model_forward(&model, inputs, targets);
    }
    std::copy(kept.begin(), kept.end(), p);
    const double numeric = (loss[0] - loss[1]) / (2 * h);
    const bool is_wrong = !(std::abs(numeric - analytic) <= 1e-6 * std::abs(analytic) + 1e-9);
    std::printf("  %-8s %8zu %15.9e %15.9e%s\n", PARAMETER_NAMES[group], size, analytic, numeric,
                is_wrong ? "  WRONG" : "");
    wrong += is_wrong ? 1 : 0;
  }
  model_free(&model);
  return wrong;
}

/// True if the loss fell.
bool train(int n, int steps) {
  Model<float> model;
  model_init(&model, {32, 16, 3, n, 32}, 8, 1);
  float first = 0, loss = 0;
  for (int step = 0; step < steps; step++) {
    const Batch batch(model.config.V, model.B, model.config.T, 100 + static_cast<unsigned>(step));
    loss = model_forward(&model, batch.inputs.data(), batch.targets.data());
    if (step == 0) first = loss;
    if (step % ((steps + 4) / 5) == 0 || step + 1 == steps) {
      std::printf("  step %4d  loss %.4f\n", step, static_cast<double>(loss));
    }
    model_zero_grad(&model);
    model_backward(&model, batch.inputs.data(), batch.targets.data());
    model_update(&model, 0.2F);
  }
  model_free(&model);
  return loss < first;
}

int run(int steps) {
  bool is_well = true;
  for (const int n : {1, 2, 4}) {
    std::printf("n = %d%s\n  group        size       gradient        differences\n", n,
                n == 1 ? ", ordinary residuals" : "");
    is_well = check_gradient(n) == 0 && train(n, steps) && is_well;
  }
  if (!is_well) std::fprintf(stderr, "llm_c_style: failed\n");
  return is_well ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace command_line;
  return run_program("llm_c_style", [&] {
    int steps = 200;
    bool help = false;
    const std::vector<Option> table = {{"--steps", "N", with_default("training steps", steps),
                                        set_integer(steps, "--steps", 2, 1000000)},
                                       {"--help", "", "this list", set_switch(help)}};
    parse_options(table, {argv + 1, argv + argc});
    if (!help) return run(steps);
    std::fputs(help_lines(table).c_str(), stdout);
    return 0;
  });
}
