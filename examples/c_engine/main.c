/* SPDX-License-Identifier: MIT */
/* A small engine in C: a model on its own buffers, trained through mhc_c.h, and its gradient
 * checked by central differences. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "pool.h"

enum { TOKENS = 512, INPUTS = 3, STREAMS = 4, CHANNELS = 16, HIDDEN = 32 };

/* The task: y = sin(2 z_0) + z_1 z_2 on numbers that fill [-1, 1]^3. */
static void make_task(real* z, real* target) {
  const real steps[INPUTS] = {0.8191725, 0.6710436, 0.5497004}; /* 1/g, 1/g^2, 1/g^3, g^4 = g + 1 */
  for (mhc_index t = 0; t < TOKENS; ++t) {
    real* const row = z + t * INPUTS;
    for (int i = 0; i < INPUTS; ++i) row[i] = 2 * fmod((real)(t + 1) * steps[i], 1.0) - 1;
    target[t] = sin(2 * row[0]) + row[1] * row[2];
  }
}

/* Half the mean square; dy may be NULL. */
static real loss(const real* y, const real* target, real* dy) {
  real sum = 0;
  for (mhc_index t = 0; t < TOKENS; ++t) {
    const real error = y[t] - target[t];
    sum += error * error / (2 * TOKENS);
    if (dy != NULL) dy[t] = error / TOKENS;
  }
  return sum;
}

static int failed(mhc_status status) {
  if (status != MHC_OK) fprintf(stderr, "c_engine: %s\n", mhc_error_message());
  return status != MHC_OK;
}

/* The gradient at m->values, into m->grads. */
static int gradient(model* m, const real* z, const real* target, real* value) {
  static real y[TOKENS], dy[TOKENS];
  if (failed(model_forward(m, z, y))) return 1;
  *value = loss(y, target, dy);
  memset(m->grads.memory, 0, (size_t)m->grads.count * sizeof(real));
  return failed(model_backward(m, z, dy));
}

static int train(model* m, const real* z, const real* target, int steps, real rate) {
  for (int step = 0; step < steps; ++step) {
    real value;
    if (gradient(m, z, target, &value)) return 1;
    if (step % (steps / 5) == 0) printf("  step %4d  loss %.6f\n", step, value);
    for (mhc_index i = 0; i < m->values.count; ++i) {
      m->values.memory[i] -= rate * m->grads.memory[i];
    }
  }
  return 0;
}

/* (L(p + h) - L(p - h)) / 2h of one parameter against its gradient. */
static int check_one(model* m, const real* z, const real* target, const char* name, real* p) {
  static real y[TOKENS];
  const real h = 1e-5, kept = *p;
  const real analytic = m->grads.memory[p - m->values.memory];
  real values[2];
  for (int side = 0; side < 2; ++side) {
    *p = side == 0 ? kept + h : kept - h;
    if (failed(model_forward(m, z, y))) return 1;
    values[side] = loss(y, target, NULL);
  }
  *p = kept;
  const real numeric = (values[0] - values[1]) / (2 * h);
  const int is_wrong = !(fabs(numeric - analytic) <= 1e-6 * fabs(analytic) + 1e-9);
  printf("  %-10s %15.9e %15.9e%s\n", name, analytic, numeric, is_wrong ? "  WRONG" : "");
  return is_wrong;
}

/* On a model whose sites are away from their initial values, so that every term counts. H_res is
 * checked in the middle: the first layer's streams are still equal, and those of the last are
 * averaged, which no doubly stochastic matrix changes. */
static int check_gradient(const real* z, const real* target) {
  const sizes size = {TOKENS, INPUTS, STREAMS, CHANNELS, HIDDEN};
  const mhc_index phi = (mhc_index)STREAMS * CHANNELS * STREAMS * (STREAMS + 2);
  const mhc_index site = mhc_parameter_count(STREAMS, CHANNELS);
  model m;
  int wrong = 0;
  real value;
  if (failed(model_create(&m, size, 2))) return 1;
  for (int l = 0; l < LAYERS; ++l) {
    real* const gates = m.values.layers[l].site + phi;
    for (mhc_index i = 0; i < site - phi; ++i) gates[i] = 0.5 * cos((real)(7 * i + l)) + 0.1;
  }
  if (gradient(&m, z, target, &value)) {
    model_destroy(&m);
    return 1;
  }
  wrong += check_one(&m, z, target, "embedding", m.values.embedding + 5);
  for (int l = 0; l < LAYERS; ++l) {
    const layer_parameters* const w = &m.values.layers[l];
    printf("  layer %d\n", l);
    wrong += check_one(&m, z, target, "phi pre", w->site);
    wrong += check_one(&m, z, target, "alpha pre", w->site + phi);
    wrong += check_one(&m, z, target, "alpha post", w->site + phi + 1);
    wrong += check_one(&m, z, target, "b post", w->site + phi + 3 + STREAMS);
    if (l > 0 && l + 1 < LAYERS) {
      wrong += check_one(&m, z, target, "phi res", w->site + phi - 1);
      wrong += check_one(&m, z, target, "alpha res", w->site + phi + 2);
      wrong += check_one(&m, z, target, "b res", w->site + site - 2);
    }
    wrong += check_one(&m, z, target, "w1", w->w1 + 7);
    wrong += check_one(&m, z, target, "b1", w->b1 + 3);
    wrong += check_one(&m, z, target, "w2", w->w2 + 7);
  }
  wrong += check_one(&m, z, target, "readout", m.values.readout + 2);
  model_destroy(&m);
  return wrong;
}

/* Two threads give the same bits as one. */
static int check_threads(model* m, const real* z) {
  static real one[TOKENS], two[TOKENS];
  const mhc_executor kept = m->executor;
  if (failed(model_forward(m, z, two))) return 1;
  m->executor.run = NULL;
  if (failed(model_forward(m, z, one))) return 1;
  m->executor = kept;
  return memcmp(one, two, sizeof one) != 0;
}

int main(int argc, char** argv) {
  static real z[TOKENS * INPUTS], target[TOKENS];
  const sizes size = {TOKENS, INPUTS, STREAMS, CHANNELS, HIDDEN};
  long steps = 400;
  char* end = "";
  model m;
  real first, last;
  if (argc == 3 && strcmp(argv[1], "--steps") == 0)
    steps = strtol(argv[2], &end, 10);
  else if (argc != 1)
    steps = 0;
  if (*end != '\0' || steps < 10 || steps > 1000000) {
    fprintf(stderr, "c_engine: the only option is --steps N, from 10 to 1000000\n");
    return 2;
  }
  pool* const threads = pool_create();
  if (threads == NULL) {
    fprintf(stderr, "c_engine: no memory or no thread\n");
    return 1;
  }
  make_task(z, target);
  printf("gradient, and by central differences\n");
  int result = check_gradient(z, target);
  if (!result && !(result = failed(model_create(&m, size, 1)))) {
    m.executor = pool_executor(threads);
    printf("%ld parameters, %d tokens, two threads\n", (long)m.values.count, TOKENS);
    result = gradient(&m, z, target, &first) || train(&m, z, target, (int)steps, 0.1) ||
             gradient(&m, z, target, &last) || check_threads(&m, z) || !(last < first);
    if (!result) printf("loss %.6f -> %.6f\n", first, last);
    model_destroy(&m);
  }
  if (result) fprintf(stderr, "c_engine: failed\n");
  pool_destroy(threads);
  return result != 0;
}
