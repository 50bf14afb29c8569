// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>

// Layers in the style of llm.c: raw pointers, a forward and a backward function each; a backward
// ADDS to every gradient that it writes. floatX is float, or double to check gradients. B T tokens,
// C channels, OC output channels, V vocabulary size.

#if defined(_OPENMP)
#define PARALLEL_FOR _Pragma("omp parallel for")
#else
#define PARALLEL_FOR
#endif

template <class floatX>
void encoder_forward(floatX* out, const int* inp, const floatX* wte, const floatX* wpe, int B,
                     int T, int C) {
  for (int bt = 0; bt < B * T; bt++) {
    for (int c = 0; c < C; c++) {
      out[bt * C + c] = wte[inp[bt] * C + c] + wpe[bt % T * C + c];
    }
  }
}

template <class floatX>
void encoder_backward(floatX* dwte, floatX* dwpe, const floatX* dout, const int* inp, int B, int T,
                      int C) {
  for (int bt = 0; bt < B * T; bt++) {
    for (int c = 0; c < C; c++) {
      dwte[inp[bt] * C + c] += dout[bt * C + c];
      dwpe[bt % T * C + c] += dout[bt * C + c];
    }
  }
}

template <class floatX>
void layernorm_forward(floatX* out, floatX* mean, floatX* rstd, const floatX* inp,
                       const floatX* weight, const floatX* bias, int B, int T, int C) {
  for (int bt = 0; bt < B * T; bt++) {
    const floatX* x = inp + bt * C;
    floatX m = 0, v = 0;
    for (int c = 0; c < C; c++) m += x[c];
    m /= static_cast<floatX>(C);
    for (int c = 0; c < C; c++) v += (x[c] - m) * (x[c] - m);
    const floatX s = 1 / std::sqrt(v / static_cast<floatX>(C) + static_cast<floatX>(1e-5));
    for (int c = 0; c < C; c++) out[bt * C + c] = s * (x[c] - m) * weight[c] + bias[c];
    mean[bt] = m;
    rstd[bt] = s;
  }
}

template <class floatX>
void layernorm_backward(floatX* dinp, floatX* dweight, floatX* dbias, const floatX* dout,
                        const floatX* inp, const floatX* weight, const floatX* mean,
                        const floatX* rstd, int B, int T, int C) {
  for (int bt = 0; bt < B * T; bt++) {
    const floatX* dy = dout + bt * C;
    const floatX* x = inp + bt * C;
    const floatX s = rstd[bt];
    floatX dnorm_mean = 0, dnorm_norm_mean = 0;
    for (int c = 0; c < C; c++) {
      const floatX norm = (x[c] - mean[bt]) * s;
      dnorm_mean += weight[c] * dy[c] / static_cast<floatX>(C);
      dnorm_norm_mean += weight[c] * dy[c] * norm / static_cast<floatX>(C);
      dweight[c] += norm * dy[c];
      dbias[c] += dy[c];
    }
    for (int c = 0; c < C; c++) {
      const floatX norm = (x[c] - mean[bt]) * s;
      dinp[bt * C + c] += (weight[c] * dy[c] - dnorm_mean - norm * dnorm_norm_mean) * s;
    }
  }
}

/// out = inp weight^T + bias; weight (OC, C), bias (OC) or null.
template <class floatX>
void matmul_forward(floatX* out, const floatX* inp, const floatX* weight, const floatX* bias, int B,
                    int T, int C, int OC) {
  PARALLEL_FOR
  for (int bt = 0; bt < B * T; bt++) {
    for (int o = 0; o < OC; o++) {
      floatX value = bias != nullptr ? bias[o] : 0;
      for (int c = 0; c < C; c++) value += inp[bt * C + c] * weight[o * C + c];
      out[bt * OC + o] = value;
    }
  }
}

template <class floatX>
void matmul_backward(floatX* dinp, floatX* dweight, floatX* dbias, const floatX* dout,
                     const floatX* inp, const floatX* weight, int B, int T, int C, int OC) {
  PARALLEL_FOR
  for (int bt = 0; bt < B * T; bt++) {
    for (int o = 0; o < OC; o++) {
      for (int c = 0; c < C; c++) dinp[bt * C + c] += weight[o * C + c] * dout[bt * OC + o];
    }
  }
  PARALLEL_FOR
  for (int o = 0; o < OC; o++) {
    for (int bt = 0; bt < B * T; bt++) {
      if (dbias != nullptr) dbias[o] += dout[bt * OC + o];
      for (int c = 0; c < C; c++) dweight[o * C + c] += inp[bt * C + c] * dout[bt * OC + o];
    }
  }
}

inline constexpr double gelu_scale = 0.7978845608028654;  // sqrt(2 / pi)

/// GELU in the tanh approximation.
template <class floatX>
void gelu_forward(floatX* out, const floatX* inp, int N) {
  for (int i = 0; i < N; i++) {
    const floatX x = inp[i];
    const floatX cube = static_cast<floatX>(0.044715) * x * x * x;
    out[i] = x / 2 * (1 + std::tanh(static_cast<floatX>(gelu_scale) * (x + cube)));
  }
}

template <class floatX>
void gelu_backward(floatX* dinp, const floatX* inp, const floatX* dout, int N) {
  for (int i = 0; i < N; i++) {
    const floatX x = inp[i];
    const floatX scale = static_cast<floatX>(gelu_scale);
    const floatX cube = static_cast<floatX>(0.044715) * x * x * x;
    const floatX t = std::tanh(scale * (x + cube));
    const floatX slope = (1 - t * t) * scale * (1 + static_cast<floatX>(3 * 0.044715) * x * x);
    dinp[i] += ((1 + t) / 2 + x / 2 * slope) * dout[i];
  }
}

template <class floatX>
void residual_forward(floatX* out, const floatX* inp1, const floatX* inp2, int N) {
  for (int i = 0; i < N; i++) out[i] = inp1[i] + inp2[i];
}

template <class floatX>
void residual_backward(floatX* dinp1, floatX* dinp2, const floatX* dout, int N) {
  for (int i = 0; i < N; i++) {
    dinp1[i] += dout[i];
    dinp2[i] += dout[i];
  }
}

/// probs = softmax(logits), losses = -log probs[target].
template <class floatX>
void crossentropy_softmax_forward(floatX* losses, floatX* probs, const floatX* logits,
                                  const int* targets, int B, int T, int V) {
  for (int bt = 0; bt < B * T; bt++) {
    const floatX* row = logits + bt * V;
    floatX most = row[0], sum = 0;
    for (int v = 1; v < V; v++) most = std::fmax(most, row[v]);
    for (int v = 0; v < V; v++) sum += probs[bt * V + v] = std::exp(row[v] - most);
    for (int v = 0; v < V; v++) probs[bt * V + v] /= sum;
    losses[bt] = std::log(sum) + most - row[targets[bt]];
  }
}

template <class floatX>
void crossentropy_softmax_backward(floatX* dlogits, const floatX* dlosses, const floatX* probs,
                                   const int* targets, int B, int T, int V) {
  for (int bt = 0; bt < B * T; bt++) {
    for (int v = 0; v < V; v++) {
      const floatX indicator = v == targets[bt] ? 1 : 0;
      dlogits[bt * V + v] += (probs[bt * V + v] - indicator) * dlosses[bt];
    }
  }
}
