/* SPDX-License-Identifier: MIT */
#ifndef C_ENGINE_MODEL_H
#define C_ENGINE_MODEL_H

#include <mhc/c/mhc_c.h>

/*   h  = z embedding                     z (tokens, inputs)   h (tokens, channels)
 *   x  = n times h                       x (tokens, streams, channels)
 *   LAYERS times:
 *     u  = H_pre x                       mhc_block_prepare
 *     v  = tanh(u w1 + b1) w2            the sublayer
 *     x' = H_res x + H_post^T v          mhc_block_finish
 *   y  = mean of the streams, readout    y (tokens) */
typedef double real; /* with MHC_F32 below: float */
enum { ELEMENT = MHC_F64, LAYERS = 3 };

typedef struct sizes {
  mhc_index tokens, inputs, streams, channels, hidden;
} sizes;

/* Pointers into one block of memory: the parameters, or their gradients. */
typedef struct layer_parameters {
  real* site; /* (mhc_parameter_count) */
  real* w1;   /* (channels, hidden) */
  real* b1;   /* (hidden) */
  real* w2;   /* (hidden, channels) */
} layer_parameters;

typedef struct parameters {
  real* memory;
  mhc_index count;
  real* embedding; /* (inputs, channels) */
  layer_parameters layers[LAYERS];
  real* readout; /* (channels) */
} parameters;

/* What the forward keeps of a layer for the backward. */
typedef struct layer_state {
  real* x;     /* (tokens, streams, channels), the layer's input */
  real* saved; /* (mhc_saved_count) */
  real* u;     /* (tokens, channels) */
  real* a;     /* (tokens, hidden), tanh */
  real* v;     /* (tokens, channels) */
} layer_state;

typedef struct model {
  sizes size;
  parameters values, grads;
  mhc_block* blocks[LAYERS];
  layer_state layers[LAYERS];
  real* activations;  /* the memory of all that follows, and of the layers */
  real* h;            /* (tokens, channels): the embedding, then the mean */
  real* x;            /* (tokens, streams, channels), after the last layer */
  real* dx;           /* gradients, each overwritten by every layer */
  real *dh, *du, *dv; /* (tokens, channels) */
  real* da;           /* (tokens, hidden) */
  real* dsaved;
  mhc_executor executor; /* run == NULL: the calling thread alone */
} model;

/* Allocates and initializes; on failure there is nothing to destroy. */
mhc_status model_create(model* m, sizes size, unsigned long seed);
void model_destroy(model* m);

/* y (tokens) is assigned. */
mhc_status model_forward(model* m, const real* z, real* y);

/* After model_forward of the same z: gradients of all parameters are added to m->grads. */
mhc_status model_backward(model* m, const real* z, const real* dy);

#endif
