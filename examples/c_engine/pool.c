/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include <pthread.h>
#include <stdlib.h>

struct pool {
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int has_work, stops;
  mhc_range range; /* what the thread is to do */
  void* task;
  mhc_index begin, end;
};

static void* serve(void* context) {
  pool* const p = context;
  pthread_mutex_lock(&p->mutex);
  for (;;) {
    while (!p->has_work && !p->stops) pthread_cond_wait(&p->changed, &p->mutex);
    if (p->stops) break;
    pthread_mutex_unlock(&p->mutex);
    p->range(p->task, p->begin, p->end, 1);
    pthread_mutex_lock(&p->mutex);
    p->has_work = 0;
    pthread_cond_broadcast(&p->changed);
  }
  pthread_mutex_unlock(&p->mutex);
  return NULL;
}

/* The executor: two halves of whole grains, the second for the thread. */
static void run(void* context, mhc_index count, mhc_index grain, mhc_range range, void* task) {
  pool* const p = context;
  const mhc_index grains = (count + grain - 1) / grain;
  const mhc_index half = (grains + 1) / 2 * grain;
  if (grains < 2) {
    if (count > 0) range(task, 0, count, 0);
    return;
  }
  pthread_mutex_lock(&p->mutex);
  p->range = range;
  p->task = task;
  p->begin = half;
  p->end = count;
  p->has_work = 1;
  pthread_cond_broadcast(&p->changed);
  pthread_mutex_unlock(&p->mutex);
  range(task, 0, half, 0);
  pthread_mutex_lock(&p->mutex);
  while (p->has_work) pthread_cond_wait(&p->changed, &p->mutex);
  pthread_mutex_unlock(&p->mutex);
}

mhc_executor pool_executor(pool* p) {
  const mhc_executor executor = {run, p};
  return executor;
}

pool* pool_create(void) {
  pool* const p = calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  pthread_mutex_init(&p->mutex, NULL);
  pthread_cond_init(&p->changed, NULL);
  if (pthread_create(&p->thread, NULL, serve, p) != 0) {
    free(p);
    return NULL;
  }
  return p;
}

void pool_destroy(pool* p) {
  if (p == NULL) return;
  pthread_mutex_lock(&p->mutex);
  p->stops = 1;
  pthread_cond_broadcast(&p->changed);
  pthread_mutex_unlock(&p->mutex);
  pthread_join(p->thread, NULL);
  pthread_cond_destroy(&p->changed);
  pthread_mutex_destroy(&p->mutex);
  free(p);
}
