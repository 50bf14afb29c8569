/* SPDX-License-Identifier: MIT */
#ifndef C_ENGINE_POOL_H
#define C_ENGINE_POOL_H

#include <mhc/c/mhc_c.h>

/* Two workers: the caller and the pool's thread. */
typedef struct pool pool;

pool* pool_create(void); /* NULL: no memory or no thread */
void pool_destroy(pool* p);
mhc_executor pool_executor(pool* p);

#endif
