/* SPDX-License-Identifier: MIT */
/* A site's forward and backward, written in C. */
#ifndef MHC_TEST_C_PROGRAM_H
#define MHC_TEST_C_PROGRAM_H

#include <mhc/c/mhc_c.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the caller owns; all arrays are contiguous. */
typedef struct c_site {
  mhc_element element;
  mhc_index tokens, streams, channels;
  const void* parameters;
  void *x, *x_next, *dx_next, *dx; /* (tokens, streams, channels) */
  void *u, *v, *dv, *du;           /* (tokens, channels) */
  void* grads;                     /* like parameters */
} c_site;

/* The sublayer is v = u, and du = dv. 0 if all went well. */
int c_site_run(const c_site* site, const mhc_options* options, const mhc_executor* executor);

/* An executor of three pieces, the last first. */
mhc_executor c_three_pieces(void);

#ifdef __cplusplus
}
#endif

#endif
