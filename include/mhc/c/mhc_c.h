/* SPDX-License-Identifier: MIT */
/* mhc for C: manifold-constrained hyper-connections on the caller's own buffers, forward and
 * backward. Compile mhc_c.cpp beside it, once, with a C++17 compiler (CMake: mhc::c).
 *
 *   mhc_options options = mhc_options_of(MHC_DEEPSEEK_V4);
 *   mhc_block* block;
 *   mhc_block_create(MHC_F32, 4, channels, &options, parameters, &block);
 *
 *   mhc_block_prepare(block, x, u, saved, NULL);                       x -> u = H_pre x
 *   attention(u, v);                                                   yours
 *   mhc_block_finish(block, x, v, saved, x_next, NULL);                x' = H_res x + H_post^T v
 *
 *   mhc_block_finish_backward(block, dx_next, x, v, saved, dv, dsaved, NULL);
 *   attention_backward(dv, du);
 *   mhc_block_prepare_backward(block, x, dx_next, du, saved, dsaved, dx, grads, NULL);
 *
 * Every function that can fail returns a status; mhc_error_message() has the sentence, of the last
 * failure on the calling thread. No exception leaves the library. After a failure for wrong
 * arguments nothing was written. mhc/block.hpp has the guarantees of the calls, which are the
 * same here: no allocation, no thread, results that depend on neither batch nor threads. */
#ifndef MHC_C_H
#define MHC_C_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NOLINTBEGIN(readability-identifier-naming): names as C has them */

/* Sizes and strides, in elements. */
typedef ptrdiff_t mhc_index;

/* What every function that can fail returns. */
typedef enum mhc_status {
  MHC_OK = 0,
  MHC_WRONG_ARGUMENT = 1, /* the message names it */
  MHC_OUT_OF_MEMORY = 2,
  MHC_FAILED = 3 /* anything else, e.g. an exception of the executor's */
} mhc_status;

/* What streams, and the sublayer's rows, are stored as. Parameters and what is saved are float, and
 * double for MHC_F64. */
typedef int mhc_element;
enum { MHC_F32 = 0, MHC_F64 = 1, MHC_BF16 = 2, MHC_F16 = 3 };

/* Streams, (tokens, streams, channels). Strides count elements; channels are contiguous.
 * data == NULL: absent, where that is allowed. */
typedef struct mhc_stream_view {
  void* data; /* element (t, i, c) = data[t token_stride + i stream_stride + c] */
  mhc_index tokens, streams, channels, token_stride, stream_stride;
} mhc_stream_view;

/* Rows, (tokens, channels). */
typedef struct mhc_token_view {
  void* data; /* element (t, c) = data[t token_stride + c] */
  mhc_index tokens, channels, token_stride;
} mhc_token_view;

/* A contiguous array (tokens, streams, channels). */
mhc_stream_view mhc_streams(void* data, mhc_index tokens, mhc_index streams, mhc_index channels);
/* A contiguous array (tokens, channels). */
mhc_token_view mhc_tokens(void* data, mhc_index tokens, mhc_index channels);

/* A part of a call's work: that of [begin, end). */
typedef void (*mhc_range)(void* task, mhc_index begin, mhc_index end, int worker);

/* How work is spread over threads: `run` calls range(task, begin, end, worker) on disjoint ranges
 * that cover [0, count), and returns when all of them are done. A NULL executor: the calling
 * thread does everything. */
typedef struct mhc_executor {
  void (*run)(void* context, mhc_index count, mhc_index grain, mhc_range range, void* task);
  void* context;
} mhc_executor;

/* Whose numbers and layout (docs/families.md). */
typedef int mhc_family;
enum {
  MHC_PAPER = 0,
  MHC_DEEPSEEK_V4 = 1,
  MHC_DEEPSEEK_V41 = 2,
  MHC_GLM_53_FLASH = 3,
  MHC_OPENPANGU_2 = 4,
  MHC_MEGATRON_MAIN = 5,
  MHC_MEGATRON_DEV = 6,
  MHC_LIGER = 7
};

/* H_res by Sinkhorn-Knopp; flags are 0 or 1. */
typedef struct mhc_options {
  double norm_eps;
  int norm_eps_place; /* 0: in the root, 1: on the root, 2: the least root */
  double pre_eps;     /* pre = sigmoid(.) + pre_eps */
  int normalize_pre;  /* flag: pre /= its sum */
  double post_scale;  /* post = post_scale sigmoid(.) + post_eps */
  double post_eps;
  int iterations;           /* of Sinkhorn-Knopp, >= 1 */
  double start_eps;         /* added after the first half step */
  double divisor_eps;       /* in every later divisor */
  int rows_first;           /* flag: rows, then columns */
  int divisor_at_least_eps; /* flag: max(s, eps) for s + eps */
  int implicit_gradient;    /* flag: of the limit, not of the iterations made */
} mhc_options;

/* An unknown family has the paper's. */
mhc_options mhc_options_of(mhc_family family);

/* "0.1.0" */
const char* mhc_version(void);

/* The sentence of this thread's last failure; "" if there was none. Valid until its next one. */
const char* mhc_error_message(void);

/* How many numbers a site's parameters are: n C (n^2 + 2n) for phi, 3 for alpha and n^2 + 2n for b.
 * -1 for sizes below one and numbers of streams that this library was not compiled for. */
mhc_index mhc_parameter_count(mhc_index streams, mhc_index channels);

/* How many numbers a site saves of so many tokens. -1 as above, and for tokens below zero. */
mhc_index mhc_saved_count(mhc_index streams, mhc_index tokens);

/* Parameters (assigned) of a new site that begins as an ordinary residual. */
mhc_status mhc_initialize(mhc_element element, mhc_index streams, mhc_index channels, uint64_t seed,
                          void* parameters);

/* Parameters (assigned) from a checkpoint's float tensors, in the layout of a family: fn
 * (n^2 + 2n, n C) or (n C, n^2 + 2n), scale (3), base (n^2 + 2n). */
mhc_status mhc_load_stored(mhc_family family, mhc_element element, mhc_index streams,
                           mhc_index channels, const float* fn, const float* scale,
                           const float* base, void* parameters);

/* The streams' entry: x_i = h (assigned) for every stream. */
mhc_status mhc_expand_repeat(mhc_element element, mhc_token_view h, mhc_stream_view x,
                             const mhc_executor* executor);

/* dh = sum_i dx_i (assigned). */
mhc_status mhc_expand_repeat_backward(mhc_element element, mhc_stream_view dx, mhc_token_view dh,
                                      const mhc_executor* executor);

/* The streams' mean: h = 1/n sum_i x_i (assigned). */
mhc_status mhc_collapse_mean(mhc_element element, mhc_stream_view x, mhc_token_view h,
                             const mhc_executor* executor);

/* dx_i = dh / n (assigned). */
mhc_status mhc_collapse_mean_backward(mhc_element element, mhc_token_view dh, mhc_stream_view dx,
                                      const mhc_executor* executor);

/* A site. It keeps the pointer to its parameters, which are the caller's, may change between calls
 * and must outlive it. One block may serve many threads at once. */
typedef struct mhc_block mhc_block;

/* A new site in *block, NULL after a failure; the options are copied. */
mhc_status mhc_block_create(mhc_element element, mhc_index streams, mhc_index channels,
                            const mhc_options* options, const void* parameters, mhc_block** block);
void mhc_block_destroy(mhc_block* block); /* NULL: nothing */

/* `saved` has mhc_saved_count numbers for the tokens of x; assigned. u may be absent. */
mhc_status mhc_block_prepare(const mhc_block* block, mhc_stream_view x, mhc_token_view u,
                             void* saved, const mhc_executor* executor);

/* x_next is assigned; it may be x itself. */
mhc_status mhc_block_finish(const mhc_block* block, mhc_stream_view x, mhc_token_view v,
                            const void* saved, mhc_stream_view x_next,
                            const mhc_executor* executor);

/* dv and dsaved (as large as saved) are assigned; dx_next may be absent. */
mhc_status mhc_block_finish_backward(const mhc_block* block, mhc_stream_view dx_next,
                                     mhc_stream_view x, mhc_token_view v, const void* saved,
                                     mhc_token_view dv, void* dsaved, const mhc_executor* executor);

/* dx is assigned, and may be dx_next itself; grads (mhc_parameter_count numbers) are ADDED to.
 * dx_next and du may be absent. */
mhc_status mhc_block_prepare_backward(const mhc_block* block, mhc_stream_view x,
                                      mhc_stream_view dx_next, mhc_token_view du, const void* saved,
                                      void* dsaved, mhc_stream_view dx, void* grads,
                                      const mhc_executor* executor);

/* NOLINTEND(readability-identifier-naming) */

#ifdef __cplusplus
}
#endif

#endif
