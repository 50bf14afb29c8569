/* SPDX-License-Identifier: MIT */
#include "model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Takes pieces of one block of memory; with memory == NULL it only counts. */
static real* take(real* memory, mhc_index* used, mhc_index count) {
  real* const piece = memory == NULL ? NULL : memory + *used;
  *used += count;
  return piece;
}

static real* allocate(mhc_index count) {
  return calloc((size_t)count, sizeof(real));
}

static void place_parameters(parameters* p, const sizes* s) {
  p->count = 0;
  p->embedding = take(p->memory, &p->count, s->inputs * s->channels);
  for (int l = 0; l < LAYERS; ++l) {
    layer_parameters* const layer = &p->layers[l];
    layer->site = take(p->memory, &p->count, mhc_parameter_count(s->streams, s->channels));
    layer->w1 = take(p->memory, &p->count, s->channels * s->hidden);
    layer->b1 = take(p->memory, &p->count, s->hidden);
    layer->w2 = take(p->memory, &p->count, s->hidden * s->channels);
  }
  p->readout = take(p->memory, &p->count, s->channels);
}

static mhc_index place_activations(model* m) {
  const sizes* const s = &m->size;
  const mhc_index row = s->tokens * s->channels;
  const mhc_index saved = mhc_saved_count(s->streams, s->tokens);
  real* const memory = m->activations;
  mhc_index used = 0;
  for (int l = 0; l < LAYERS; ++l) {
    layer_state* const layer = &m->layers[l];
    layer->x = take(memory, &used, row * s->streams);
    layer->saved = take(memory, &used, saved);
    layer->u = take(memory, &used, row);
    layer->a = take(memory, &used, s->tokens * s->hidden);
    layer->v = take(memory, &used, row);
  }
  m->h = take(memory, &used, row);
  m->x = take(memory, &used, row * s->streams);
  m->dx = take(memory, &used, row * s->streams);
  m->dh = take(memory, &used, row);
  m->du = take(memory, &used, row);
  m->dv = take(memory, &used, row);
  m->da = take(memory, &used, s->tokens * s->hidden);
  m->dsaved = take(memory, &used, saved);
  return used;
}

/* Uniform, of variance 1 / fan_in. */
static void fill(real* w, mhc_index count, mhc_index fan_in, unsigned long* state) {
  for (mhc_index i = 0; i < count; ++i) {
    *state = (*state * 1103515245UL + 12345UL) & 0x7fffffffUL;
    w[i] = ((real)*state / 0x40000000 - 1) * sqrt(3.0 / (real)fan_in);
  }
}

mhc_status model_create(model* m, sizes size, unsigned long seed) {
  const mhc_options options = mhc_options_of(MHC_PAPER);
  mhc_status status = MHC_OK;
  memset(m, 0, sizeof *m);
  m->size = size;
  if (mhc_parameter_count(size.streams, size.channels) < 0) return MHC_WRONG_ARGUMENT;
  place_parameters(&m->values, &size); /* counts */
  m->values.memory = allocate(m->values.count);
  m->grads.memory = allocate(m->values.count);
  m->activations = allocate(place_activations(m));
  if (m->values.memory == NULL || m->grads.memory == NULL || m->activations == NULL) {
    model_destroy(m);
    return MHC_OUT_OF_MEMORY;
  }
  place_parameters(&m->values, &size);
  place_parameters(&m->grads, &size);
  place_activations(m);

  fill(m->values.embedding, size.inputs * size.channels, size.inputs, &seed);
  fill(m->values.readout, size.channels, size.channels, &seed);
  for (int l = 0; l < LAYERS && status == MHC_OK; ++l) {
    const layer_parameters* const w = &m->values.layers[l];
    fill(w->w1, size.channels * size.hidden, size.channels, &seed);
    fill(w->w2, size.hidden * size.channels, size.hidden, &seed);
    status = mhc_initialize(ELEMENT, size.streams, size.channels, seed + (unsigned)l, w->site);
    if (status == MHC_OK) {
      status =
          mhc_block_create(ELEMENT, size.streams, size.channels, &options, w->site, &m->blocks[l]);
    }
  }
  if (status != MHC_OK) model_destroy(m);
  return status;
}

void model_destroy(model* m) {
  for (int l = 0; l < LAYERS; ++l) mhc_block_destroy(m->blocks[l]);
  free(m->values.memory);
  free(m->grads.memory);
  free(m->activations);
  memset(m, 0, sizeof *m);
}

/* out (rows, columns) = in (rows, depth) w (depth, columns) */
static void linear(real* out, const real* in, const real* w, mhc_index rows, mhc_index depth,
                   mhc_index columns) {
  memset(out, 0, (size_t)(rows * columns) * sizeof(real));
  for (mhc_index r = 0; r < rows; ++r) {
    for (mhc_index k = 0; k < depth; ++k) {
      for (mhc_index c = 0; c < columns; ++c) {
        out[r * columns + c] += in[r * depth + k] * w[k * columns + c];
      }
    }
  }
}

/* din is assigned (unless NULL), dw is added to. */
static void linear_backward(real* din, real* dw, const real* dout, const real* in, const real* w,
                            mhc_index rows, mhc_index depth, mhc_index columns) {
  for (mhc_index r = 0; r < rows; ++r) {
    for (mhc_index k = 0; k < depth; ++k) {
      real sum = 0;
      for (mhc_index c = 0; c < columns; ++c) {
        sum += dout[r * columns + c] * w[k * columns + c];
        dw[k * columns + c] += in[r * depth + k] * dout[r * columns + c];
      }
      if (din != NULL) din[r * depth + k] = sum;
    }
  }
}

static void feed_forward(const sizes* s, const layer_parameters* w, layer_state* state) {
  linear(state->a, state->u, w->w1, s->tokens, s->channels, s->hidden);
  for (mhc_index i = 0; i < s->tokens * s->hidden; ++i) {
    state->a[i] = tanh(state->a[i] + w->b1[i % s->hidden]);
  }
  linear(state->v, state->a, w->w2, s->tokens, s->hidden, s->channels);
}

static void feed_forward_backward(model* m, int l) {
  const sizes* const s = &m->size;
  const layer_parameters* const w = &m->values.layers[l];
  const layer_parameters* const dw = &m->grads.layers[l];
  const layer_state* const state = &m->layers[l];
  linear_backward(m->da, dw->w2, m->dv, state->a, w->w2, s->tokens, s->hidden, s->channels);
  for (mhc_index i = 0; i < s->tokens * s->hidden; ++i) {
    m->da[i] *= 1 - state->a[i] * state->a[i];
    dw->b1[i % s->hidden] += m->da[i];
  }
  linear_backward(m->du, dw->w1, m->da, state->u, w->w1, s->tokens, s->channels, s->hidden);
}

static mhc_stream_view streams(const model* m, real* data) {
  return mhc_streams(data, m->size.tokens, m->size.streams, m->size.channels);
}

static mhc_token_view tokens(const model* m, real* data) {
  return mhc_tokens(data, m->size.tokens, m->size.channels);
}

static const mhc_executor* executor(const model* m) {
  return m->executor.run == NULL ? NULL : &m->executor;
}

#define TRY(call)                          \
  do {                                     \
    const mhc_status status_ = (call);     \
    if (status_ != MHC_OK) return status_; \
  } while (0)

mhc_status model_forward(model* m, const real* z, real* y) {
  const sizes* const s = &m->size;
  const mhc_executor* const exec = executor(m);
  linear(m->h, z, m->values.embedding, s->tokens, s->inputs, s->channels);
  TRY(mhc_expand_repeat(ELEMENT, tokens(m, m->h), streams(m, m->layers[0].x), exec));
  for (int l = 0; l < LAYERS; ++l) {
    layer_state* const state = &m->layers[l];
    const mhc_stream_view x = streams(m, state->x);
    const mhc_stream_view x_next = streams(m, l + 1 < LAYERS ? m->layers[l + 1].x : m->x);
    TRY(mhc_block_prepare(m->blocks[l], x, tokens(m, state->u), state->saved, exec));
    feed_forward(s, &m->values.layers[l], state);
    TRY(mhc_block_finish(m->blocks[l], x, tokens(m, state->v), state->saved, x_next, exec));
  }
  TRY(mhc_collapse_mean(ELEMENT, streams(m, m->x), tokens(m, m->h), exec));
  linear(y, m->h, m->values.readout, s->tokens, s->channels, 1);
  return MHC_OK;
}

mhc_status model_backward(model* m, const real* z, const real* dy) {
  const sizes* const s = &m->size;
  const mhc_executor* const exec = executor(m);
  const mhc_stream_view dx = streams(m, m->dx);
  linear_backward(m->dh, m->grads.readout, dy, m->h, m->values.readout, s->tokens, s->channels, 1);
  TRY(mhc_collapse_mean_backward(ELEMENT, tokens(m, m->dh), dx, exec));
  for (int l = LAYERS - 1; l >= 0; --l) {
    layer_state* const state = &m->layers[l];
    const mhc_stream_view x = streams(m, state->x);
    TRY(mhc_block_finish_backward(m->blocks[l], x, tokens(m, state->v), state->saved, dx,
                                  tokens(m, m->dv), m->dsaved, exec));
    feed_forward_backward(m, l);
    TRY(mhc_block_prepare_backward(m->blocks[l], x, state->saved, dx, tokens(m, m->du), m->dsaved,
                                   dx, m->grads.layers[l].site, exec));
  }
  TRY(mhc_expand_repeat_backward(ELEMENT, dx, tokens(m, m->dh), exec));
  linear_backward(NULL, m->grads.embedding, m->dh, z, m->values.embedding, s->tokens, s->inputs,
                  s->channels);
  return MHC_OK;
}
