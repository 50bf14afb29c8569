/* SPDX-License-Identifier: MIT */
/* A C program around one site with initial parameters: x' = x + F(mean of x) in every stream. */
#include <stdio.h>
#include <stdlib.h>

#include <mhc/c/mhc_c.h>

enum { tokens = 2, streams = 4, channels = 5 };

static int fail(const char* call) {
  fprintf(stderr, "%s: %s\n", call, mhc_error_message());
  return 1;
}

int main(void) {
  static float x[tokens * streams * channels], x_next[tokens * streams * channels];
  static float u[tokens * channels];
  const mhc_options options = mhc_options_of(MHC_PAPER);
  const mhc_stream_view in = mhc_streams(x, tokens, streams, channels);
  const mhc_stream_view out = mhc_streams(x_next, tokens, streams, channels);
  const mhc_token_view row = mhc_tokens(u, tokens, channels);
  float* parameters = malloc((size_t)mhc_parameter_count(streams, channels) * sizeof(float));
  float* saved = malloc((size_t)mhc_saved_count(streams, tokens) * sizeof(float));
  mhc_block* block = NULL;
  float error = 0;
  int i;
  if (parameters == NULL || saved == NULL) return 1;
  for (i = 0; i < tokens * streams * channels; ++i) {
    x[i] = i < streams * channels ? 1.0f : 2.0f;
  }
  if (mhc_initialize(MHC_F32, streams, channels, 1, parameters)) return fail("mhc_initialize");
  if (mhc_block_create(MHC_F32, streams, channels, &options, parameters, &block)) {
    return fail("mhc_block_create");
  }
  if (mhc_block_prepare(block, in, row, saved, NULL)) return fail("mhc_block_prepare");
  if (mhc_block_finish(block, in, row, saved, out, NULL)) return fail("mhc_block_finish");
  for (i = 0; i < tokens * streams * channels; ++i) {
    const float difference = x_next[i] - 2 * x[i]; /* the sublayer is the identity */
    error += difference < 0 ? -difference : difference;
  }
  printf("mhc %s: error %g\n", mhc_version(), error);
  mhc_block_destroy(block);
  free(saved);
  free(parameters);
  return error < 0.1f ? 0 : 1;
}
