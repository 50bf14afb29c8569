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
 *   mhc_block_finish_backward(block, x, v, saved, dx_next, dv, dsaved, NULL);
 *   attention_backward(dv, du);
 *   mhc_block_prepare_backward(block, x, saved, dx_next, du, dsaved, dx, grads, NULL);
 *
 * Every function that can fail returns a status; mhc_error_message() describes the last failure on
 * the calling thread. No exception leaves the library. A call that fails because of a wrong
 * argument writes nothing. The guarantees of mhc/block.hpp hold here as well: no allocation, no
 * threads, and results that do not depend on the batch or the number of threads. */
#ifndef MHC_C_H
#define MHC_C_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NOLINTBEGIN(readability-identifier-naming): C names */

/* Sizes and strides, in elements. */
typedef ptrdiff_t mhc_index;

/* The status returned by every function that can fail. */
typedef enum mhc_status {
  MHC_OK = 0,
  MHC_WRONG_ARGUMENT = 1, /* mhc_error_message() names it */
  MHC_OUT_OF_MEMORY = 2,
  MHC_FAILED = 3 /* anything else, e.g. an exception from the executor */
} mhc_status;

/* The element type of streams and of the sublayer's rows. Parameters and saved values are double
 * for MHC_F64 and float for all others. */
typedef int mhc_element;
enum { MHC_F32 = 0, MHC_F64 = 1, MHC_BF16 = 2, MHC_F16 = 3 };

/* Streams, (tokens, streams, channels). Strides count elements; channels are contiguous.
 * data == NULL means absent, where that is allowed. */
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

/* Performs the part [begin, end) of a call's work. */
typedef void (*mhc_range)(void* task, mhc_index begin, mhc_index end, int worker);

/* Splits work over threads: `run` must call range(task, begin, end, worker) on disjoint ranges that
 * cover [0, count) and return when all of them are done. `grain` is the length below which
 * splitting costs more than it saves. With a NULL executor the calling thread does all the work. */
typedef struct mhc_executor {
  void (*run)(void* context, mhc_index count, mhc_index grain, mhc_range range, void* task);
  void* context;
} mhc_executor;

/* The model family, which determines options and tensor layout (docs/families.md). */
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

/* The options of a site with H_res by Sinkhorn-Knopp; flags are 0 or 1. */
typedef struct mhc_options {
  double norm_eps;
  int norm_eps_place; /* 0: 1 / sqrt(mean(x^2) + eps), 1: 1 / (rms + eps), 2: 1 / max(rms, eps) */
  double pre_eps;     /* pre = sigmoid(.) + pre_eps */
  int normalize_pre;  /* flag: pre /= max(sum of pre, 1e-30) */
  double post_scale;  /* post = post_scale sigmoid(.) + post_eps */
  double post_eps;
  int iterations;           /* of Sinkhorn-Knopp, >= 1 */
  double start_eps;         /* added after the first half step */
  double divisor_eps;       /* in every later divisor */
  int rows_first;           /* flag: rows before columns in each iteration */
  int divisor_at_least_eps; /* flag: divisors max(s, eps) instead of s + eps */
  int implicit_gradient;    /* flag: the gradient of the limit, not of the iterations */
} mhc_options;

/* The options of a family; an unknown family gets the paper's. */
mhc_options mhc_options_of(mhc_family family);

/* The version of the library: "0.1.0". */
const char* mhc_version(void);

/* The error message of this thread's last failure, "" if there was none. Valid until the next
 * failure on this thread. */
const char* mhc_error_message(void);

/* The number of parameters of a site: n C (n^2 + 2n) for phi, 3 for alpha and n^2 + 2n for b.
 * -1 if channels < 1, if the size overflows, or if the library was not compiled for this number of
 * streams. */
mhc_index mhc_parameter_count(mhc_index streams, mhc_index channels);

/* The number of values that a site saves for `tokens` tokens. -1 as above, and if tokens < 0. */
mhc_index mhc_saved_count(mhc_index streams, mhc_index tokens);

/* Assigns the parameters of a new site that starts as an ordinary residual. */
mhc_status mhc_initialize(mhc_element element, mhc_index streams, mhc_index channels, uint64_t seed,
                          void* parameters);

/* Assigns the parameters from a checkpoint's float tensors, in the layout of a family: fn
 * (n^2 + 2n, n C) or (n C, n^2 + 2n), scale (3), base (n^2 + 2n). */
mhc_status mhc_load_stored(mhc_family family, mhc_element element, mhc_index streams,
                           mhc_index channels, const float* fn, const float* scale,
                           const float* base, void* parameters);

/* Expands the hidden state into the streams: x_i = h (assigned) for every stream. */
mhc_status mhc_expand_repeat(mhc_element element, mhc_token_view h, mhc_stream_view x,
                             const mhc_executor* executor);

/* dh = sum_i dx_i (assigned). */
mhc_status mhc_expand_repeat_backward(mhc_element element, mhc_stream_view dx, mhc_token_view dh,
                                      const mhc_executor* executor);

/* Collapses the streams into their mean: h = 1/n sum_i x_i (assigned). */
mhc_status mhc_collapse_mean(mhc_element element, mhc_stream_view x, mhc_token_view h,
                             const mhc_executor* executor);

/* dx_i = dh / n (assigned). */
mhc_status mhc_collapse_mean_backward(mhc_element element, mhc_token_view dh, mhc_stream_view dx,
                                      const mhc_executor* executor);

/* A site. It keeps the pointer to the parameters, which the caller owns and may change between
 * calls; they must outlive it. Several threads may call the same block at once. */
typedef struct mhc_block mhc_block;

/* Creates a site in *block, NULL after a failure; the options are copied. */
mhc_status mhc_block_create(mhc_element element, mhc_index streams, mhc_index channels,
                            const mhc_options* options, const void* parameters, mhc_block** block);
void mhc_block_destroy(mhc_block* block); /* does nothing for NULL */

/* u = H_pre x. Assigns u, which may be absent, and `saved`, mhc_saved_count values for the tokens
 * of x. */
mhc_status mhc_block_prepare(const mhc_block* block, mhc_stream_view x, mhc_token_view u,
                             void* saved, const mhc_executor* executor);

/* x_next = H_res x + H_post^T v (assigned); x_next may be x itself. */
mhc_status mhc_block_finish(const mhc_block* block, mhc_stream_view x, mhc_token_view v,
                            const void* saved, mhc_stream_view x_next,
                            const mhc_executor* executor);

/* Assigns dv and dsaved (as large as saved); dx_next may be absent. */
mhc_status mhc_block_finish_backward(const mhc_block* block, mhc_stream_view x, mhc_token_view v,
                                     const void* saved, mhc_stream_view dx_next, mhc_token_view dv,
                                     void* dsaved, const mhc_executor* executor);

/* Assigns dx, which may be dx_next itself, and ADDS to grads (mhc_parameter_count values). dx_next
 * and du may be absent. */
mhc_status mhc_block_prepare_backward(const mhc_block* block, mhc_stream_view x, const void* saved,
                                      mhc_stream_view dx_next, mhc_token_view du, void* dsaved,
                                      mhc_stream_view dx, void* grads,
                                      const mhc_executor* executor);

/* NOLINTEND(readability-identifier-naming) */

#ifdef __cplusplus
}
#endif

#endif
