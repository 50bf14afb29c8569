// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "hyper_connection.hpp"
#include "ops.hpp"

// A stack of feed-forward layers that predicts the next token, in the style of llm.c: parameters,
// activations and the gradients of both are four arenas, each of one malloc. With n = 1 the layers
// have ordinary residuals.

struct Config {
  int V;  // vocabulary
  int T;  // longest context
  int L;  // layers
  int n;  // residual streams
  int C;  // channels
};

constexpr int NUM_PARAMETER_TENSORS = 11;
inline const char* const PARAMETER_NAMES[NUM_PARAMETER_TENSORS] = {
    "wte", "wpe", "hcw", "lnw", "lnb", "fcw", "fcb", "fcprojw", "fcprojb", "lnfw", "lnfb"};

template <class floatX>
struct ParameterTensors {
  floatX* wte;      // (V, C), also the readout
  floatX* wpe;      // (T, C)
  floatX* hcw;      // (L, H), H = hyper_connection_num_parameters
  floatX* lnw;      // (L, C)
  floatX* lnb;      // (L, C)
  floatX* fcw;      // (L, 4C, C)
  floatX* fcb;      // (L, 4C)
  floatX* fcprojw;  // (L, C, 4C)
  floatX* fcprojb;  // (L, C)
  floatX* lnfw;     // (C)
  floatX* lnfb;     // (C)
};

constexpr int NUM_ACTIVATION_TENSORS = 18;

template <class floatX>
struct ActivationTensors {
  floatX* encoded;   // (B, T, C)
  floatX* x;         // (L + 1, B, T, n, C)
  floatX* saved;     // (L, B T records); among the gradients dsaved
  floatX* u;         // (L, B, T, C)
  floatX* ln;        // (L, B, T, C)
  floatX* ln_mean;   // (L, B, T)
  floatX* ln_rstd;   // (L, B, T)
  floatX* fch;       // (L, B, T, 4C)
  floatX* fch_gelu;  // (L, B, T, 4C)
  floatX* v;         // (L, B, T, C)
  floatX* mean;      // (B, T, C), of the streams
  floatX* lnf;       // (B, T, C)
  floatX* lnf_mean;  // (B, T)
  floatX* lnf_rstd;  // (B, T)
  floatX* logits;    // (B, T, V)
  floatX* probs;     // (B, T, V)
  floatX* losses;    // (B, T)
  floatX* scratch;   // (B, T, n, C), for the backward
};

/// One malloc, zero-filled; `tensors`, a struct of pointers, gets its pieces in order.
template <class floatX, class Tensors, size_t Count>
floatX* malloc_and_point(Tensors* tensors, const size_t (&sizes)[Count]) {
  static_assert(sizeof(Tensors) == Count * sizeof(floatX*), "a size for each tensor");
  size_t total = 0;
  for (const size_t size : sizes) total += size;
  floatX* const memory = static_cast<floatX*>(std::calloc(total, sizeof(floatX)));
  if (memory == nullptr) {
    std::fprintf(stderr, "llm_c_style: not enough memory\n");
    std::exit(1);
  }
  floatX* pieces[Count];
  floatX* next = memory;
  for (size_t i = 0; i < Count; i++) {
    pieces[i] = next;
    next += sizes[i];
  }
  std::memcpy(tensors, pieces, sizeof pieces);
  return memory;
}

template <class floatX>
struct Model {
  Config config;
  int B;  // sequences of T tokens
  ParameterTensors<floatX> params, grads;
  ActivationTensors<floatX> acts, grads_acts;
  size_t param_sizes[NUM_PARAMETER_TENSORS];
  size_t act_sizes[NUM_ACTIVATION_TENSORS];
  size_t num_parameters;
  size_t num_activations;
  floatX* params_memory;
  floatX* grads_memory;
  floatX* acts_memory;
  floatX* grads_acts_memory;
};

template <class Sizes>
size_t sum_of(const Sizes& sizes) {
  size_t sum = 0;
  for (const size_t size : sizes) sum += size;
  return sum;
}

template <class floatX>
void model_init(Model<floatX>* model, const Config& config, int batch, unsigned seed) {
  model->config = config;
  model->B = batch;
  const auto [V, T, L, n, C] = config;
  const auto size = [](auto... extents) { return (static_cast<size_t>(extents) * ...); };
  const size_t H = n > 1 ? hyper_connection_num_parameters<floatX>(n, C) : 0;
  const size_t S = n > 1 ? hyper_connection_num_saved<floatX>(batch, T, n) : 0;
  const size_t param_sizes[] = {size(V, C), size(T, C),        size(L, H),     size(L, C),
                                size(L, C), size(L, 4 * C, C), size(L, 4 * C), size(L, C, 4 * C),
                                size(L, C), size(C),           size(C)};
  const size_t BT = size(batch, T);
  const size_t act_sizes[] = {size(BT, C),
                              size(L + 1, BT, n, C),
                              size(L, S),
                              size(L, BT, C),
                              size(L, BT, C),
                              size(L, BT),
                              size(L, BT),
                              size(L, BT, 4 * C),
                              size(L, BT, 4 * C),
                              size(L, BT, C),
                              size(BT, C),
                              size(BT, C),
                              BT,
                              BT,
                              size(BT, V),
                              size(BT, V),
                              BT,
                              size(BT, n, C)};
  std::memcpy(model->param_sizes, param_sizes, sizeof param_sizes);
  std::memcpy(model->act_sizes, act_sizes, sizeof act_sizes);
  model->num_parameters = sum_of(param_sizes);
  model->num_activations = sum_of(act_sizes);
  model->params_memory = malloc_and_point<floatX>(&model->params, param_sizes);
  model->grads_memory = malloc_and_point<floatX>(&model->grads, param_sizes);
  model->acts_memory = malloc_and_point<floatX>(&model->acts, act_sizes);
  model->grads_acts_memory = malloc_and_point<floatX>(&model->grads_acts, act_sizes);

  std::mt19937 random(seed);
  const auto normal = [&](floatX* values, size_t count, double stddev) {
    std::normal_distribution<double> distribution(0.0, stddev);
    for (size_t i = 0; i < count; i++) values[i] = static_cast<floatX>(distribution(random));
  };
  const ParameterTensors<floatX>& p = model->params;
  normal(p.wte, param_sizes[0], 0.1);
  normal(p.wpe, param_sizes[1], 0.1);
  normal(p.fcw, param_sizes[5], 1 / std::sqrt(C));
  normal(p.fcprojw, param_sizes[7], 0.5 / std::sqrt(C));
  std::fill_n(p.lnw, param_sizes[3], floatX(1));
  std::fill_n(p.lnfw, param_sizes[9], floatX(1));
  for (int l = 0; l < L && n > 1; l++) {
    hyper_connection_init(p.hcw + static_cast<size_t>(l) * H, n, C,
                          seed + static_cast<unsigned>(l));
  }
}

template <class floatX>
void model_free(Model<floatX>* model) {
  std::free(model->params_memory);
  std::free(model->grads_memory);
  std::free(model->acts_memory);
  std::free(model->grads_acts_memory);
}

/// One layer's pieces of the arenas.
template <class floatX>
ParameterTensors<floatX> layer_of(const Model<floatX>* model, ParameterTensors<floatX> p, int l) {
  const auto layer = static_cast<size_t>(l), L = static_cast<size_t>(model->config.L);
  p.hcw += layer * (model->param_sizes[2] / L);
  p.lnw += layer * (model->param_sizes[3] / L);
  p.lnb += layer * (model->param_sizes[4] / L);
  p.fcw += layer * (model->param_sizes[5] / L);
  p.fcb += layer * (model->param_sizes[6] / L);
  p.fcprojw += layer * (model->param_sizes[7] / L);
  p.fcprojb += layer * (model->param_sizes[8] / L);
  return p;
}

template <class floatX>
ActivationTensors<floatX> layer_of(const Model<floatX>* model, ActivationTensors<floatX> a, int l) {
  const auto layer = static_cast<size_t>(l), L = static_cast<size_t>(model->config.L);
  a.x += layer * (model->act_sizes[1] / (L + 1));
  a.saved += layer * (model->act_sizes[2] / L);
  a.u += layer * (model->act_sizes[3] / L);
  a.ln += layer * (model->act_sizes[4] / L);
  a.ln_mean += layer * (model->act_sizes[5] / L);
  a.ln_rstd += layer * (model->act_sizes[6] / L);
  a.fch += layer * (model->act_sizes[7] / L);
  a.fch_gelu += layer * (model->act_sizes[8] / L);
  a.v += layer * (model->act_sizes[9] / L);
  return a;
}

/// The mean loss.
template <class floatX>
floatX model_forward(Model<floatX>* model, const int* inputs, const int* targets) {
  const auto [V, T, L, n, C] = model->config;
  const int B = model->B, BTC = B * T * C;
  const ParameterTensors<floatX>& params = model->params;
  const ActivationTensors<floatX>& acts = model->acts;
  encoder_forward(acts.encoded, inputs, params.wte, params.wpe, B, T, C);
  if (n > 1) {
    hyper_connection_expand_forward(acts.x, acts.encoded, B, T, n, C);
  } else {
    std::copy_n(acts.encoded, BTC, acts.x);
  }
  for (int l = 0; l < L; l++) {
    const auto p = layer_of(model, params, l);
    const auto a = layer_of(model, acts, l);
    floatX* x_next = a.x + BTC * n;
    if (n > 1) hyper_connection_pre_forward(a.u, a.saved, a.x, p.hcw, B, T, n, C);
    floatX* u = n > 1 ? a.u : a.x;
    layernorm_forward(a.ln, a.ln_mean, a.ln_rstd, u, p.lnw, p.lnb, B, T, C);
    matmul_forward(a.fch, a.ln, p.fcw, p.fcb, B, T, C, 4 * C);
    gelu_forward(a.fch_gelu, a.fch, 4 * BTC);
    matmul_forward(a.v, a.fch_gelu, p.fcprojw, p.fcprojb, B, T, 4 * C, C);
    if (n > 1) {
      hyper_connection_post_forward(x_next, a.x, a.v, a.saved, p.hcw, B, T, n, C);
    } else {
      residual_forward(x_next, a.x, a.v, BTC);
    }
  }
  const floatX* x = acts.x + L * BTC * n;
  if (n > 1) {
    hyper_connection_collapse_forward(acts.mean, x, B, T, n, C);
  } else {
    std::copy_n(x, BTC, acts.mean);
  }
  layernorm_forward(acts.lnf, acts.lnf_mean, acts.lnf_rstd, acts.mean, params.lnfw, params.lnfb, B,
                    T, C);
  matmul_forward<floatX>(acts.logits, acts.lnf, params.wte, nullptr, B, T, C, V);
  crossentropy_softmax_forward(acts.losses, acts.probs, acts.logits, targets, B, T, V);
  floatX mean_loss = 0;
  for (int bt = 0; bt < B * T; bt++) mean_loss += acts.losses[bt];
  return mean_loss / static_cast<floatX>(B * T);
}

template <class floatX>
void model_zero_grad(Model<floatX>* model) {
  std::memset(model->grads_memory, 0, model->num_parameters * sizeof(floatX));
  std::memset(model->grads_acts_memory, 0, model->num_activations * sizeof(floatX));
}

/// After model_forward and model_zero_grad.
template <class floatX>
void model_backward(Model<floatX>* model, const int* inputs, const int* targets) {
  const auto [V, T, L, n, C] = model->config;
  const int B = model->B, BTC = B * T * C;
  const ParameterTensors<floatX>&params = model->params, &grads = model->grads;
  const ActivationTensors<floatX>&acts = model->acts, &dacts = model->grads_acts;
  floatX* scratch = acts.scratch;
  std::fill_n(dacts.losses, B * T, 1 / static_cast<floatX>(B * T));
  crossentropy_softmax_backward(dacts.logits, dacts.losses, acts.probs, targets, B, T, V);
  matmul_backward<floatX>(dacts.lnf, grads.wte, nullptr, dacts.logits, acts.lnf, params.wte, B, T,
                          C, V);
  layernorm_backward(dacts.mean, grads.lnfw, grads.lnfb, dacts.lnf, acts.mean, params.lnfw,
                     acts.lnf_mean, acts.lnf_rstd, B, T, C);
  floatX* dx_last = dacts.x + L * BTC * n;
  if (n > 1) {
    hyper_connection_collapse_backward(dx_last, dacts.mean, scratch, B, T, n, C);
  } else {
    std::copy_n(dacts.mean, BTC, dx_last);
  }
  for (int l = L - 1; l >= 0; l--) {
    const auto p = layer_of(model, params, l), dp = layer_of(model, grads, l);
    const auto a = layer_of(model, acts, l), da = layer_of(model, dacts, l);
    floatX* dout = da.x + BTC * n;
    if (n > 1) {
      hyper_connection_post_backward(da.v, da.saved, dout, a.x, a.v, a.saved, p.hcw, scratch, B, T,
                                     n, C);
    } else {
      residual_backward(da.x, da.v, dout, BTC);
    }
    matmul_backward(da.fch_gelu, dp.fcprojw, dp.fcprojb, da.v, a.fch_gelu, p.fcprojw, B, T, 4 * C,
                    C);
    gelu_backward(da.fch, a.fch, da.fch_gelu, 4 * BTC);
    matmul_backward(da.ln, dp.fcw, dp.fcb, da.fch, a.ln, p.fcw, B, T, C, 4 * C);
    floatX *u = n > 1 ? a.u : a.x, *du = n > 1 ? da.u : da.x;
    layernorm_backward(du, dp.lnw, dp.lnb, da.ln, u, p.lnw, a.ln_mean, a.ln_rstd, B, T, C);
    if (n > 1) {
      hyper_connection_pre_backward(da.x, dp.hcw, da.u, da.saved, dout, a.x, a.saved, p.hcw,
                                    scratch, B, T, n, C);
    }
  }
  if (n > 1) {
    hyper_connection_expand_backward(dacts.encoded, dacts.x, scratch, B, T, n, C);
  } else {
    std::copy_n(dacts.x, BTC, dacts.encoded);
  }
  encoder_backward(grads.wte, grads.wpe, dacts.encoded, inputs, B, T, C);
}

/// Plain gradient descent.
template <class floatX>
void model_update(Model<floatX>* model, floatX learning_rate) {
  for (size_t i = 0; i < model->num_parameters; i++) {
    model->params_memory[i] -= learning_rate * model->grads_memory[i];
  }
}
