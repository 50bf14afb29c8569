/* SPDX-License-Identifier: MIT */
/* A site's forward and backward, written in C. */
#ifndef MHC_TEST_C_PROGRAM_H
#define MHC_TEST_C_PROGRAM_H

#include <mhc/c/mhc_c.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A site's arrays, which the caller owns; all are contiguous. */
typedef struct c_site {
  mhc_element element;
  mhc_index tokens, streams, channels;
  const void* parameters;
  void *x, *x_next, *dx_next, *dx; /* (tokens, streams, channels) */
  void *u, *v, *dv, *du;           /* (tokens, channels) */
  void* grads;                     /* like parameters */
} c_site;

/* Runs forward and backward with the sublayer v = u, du = dv. Returns 0 on success. */
int c_site_run(const c_site* site, const mhc_options* options, const mhc_executor* executor);

/* An executor that runs three ranges, in reverse order. */
mhc_executor c_three_pieces(void);

#ifdef __cplusplus
}
#endif

#endif
