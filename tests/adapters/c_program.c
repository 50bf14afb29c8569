/* SPDX-License-Identifier: MIT */
#include "c_program.h"

#include <stdlib.h>
#include <string.h>

static size_t size_of(mhc_element element) {
  return element == MHC_F64 ? 8 : element == MHC_F32 ? 4 : 2;
}

int c_site_run(const c_site* s, const mhc_options* options, const mhc_executor* executor) {
  const size_t scalar = s->element == MHC_F64 ? 8 : 4;
  const size_t row = (size_t)(s->tokens * s->channels) * size_of(s->element);
  const mhc_index count = mhc_saved_count(s->streams, s->tokens);
  const mhc_stream_view x = mhc_streams(s->x, s->tokens, s->streams, s->channels);
  const mhc_stream_view x_next = mhc_streams(s->x_next, s->tokens, s->streams, s->channels);
  const mhc_stream_view dx_next = mhc_streams(s->dx_next, s->tokens, s->streams, s->channels);
  const mhc_stream_view dx = mhc_streams(s->dx, s->tokens, s->streams, s->channels);
  const mhc_token_view u = mhc_tokens(s->u, s->tokens, s->channels);
  const mhc_token_view v = mhc_tokens(s->v, s->tokens, s->channels);
  const mhc_token_view dv = mhc_tokens(s->dv, s->tokens, s->channels);
  const mhc_token_view du = mhc_tokens(s->du, s->tokens, s->channels);
  mhc_block* block = NULL;
  void* saved;
  void* dsaved;
  int failed;
  if (count < 0) return 1;
  saved = calloc((size_t)count + 1, scalar);
  dsaved = calloc((size_t)count + 1, scalar);
  failed = saved == NULL || dsaved == NULL ||
           mhc_block_create(s->element, s->streams, s->channels, options, s->parameters, &block) ||
           mhc_block_prepare(block, x, u, saved, executor);
  if (!failed) {
    memcpy(s->v, s->u, row);
    failed = mhc_block_finish(block, x, v, saved, x_next, executor) ||
             mhc_block_finish_backward(block, x, v, saved, dx_next, dv, dsaved, executor);
  }
  if (!failed) {
    memcpy(s->du, s->dv, row);
    failed = mhc_block_prepare_backward(block, x, saved, dx_next, du, dsaved, dx, s->grads,
                                        executor) != MHC_OK;
  }
  mhc_block_destroy(block);
  free(saved);
  free(dsaved);
  return failed;
}

static void three_pieces(void* context, mhc_index count, mhc_index grain, mhc_range range,
                         void* task) {
  (void)context;
  (void)grain;
  for (int i = 2; i >= 0; --i) {
    const mhc_index begin = count * i / 3;
    const mhc_index end = count * (i + 1) / 3;
    if (begin < end) range(task, begin, end, i);
  }
}

mhc_executor c_three_pieces(void) {
  const mhc_executor executor = {three_pieces, NULL};
  return executor;
}
