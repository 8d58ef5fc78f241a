/* XXH3-64 of a stream's bytes, compiled here for the processor: the distribution's library is built for the oldest one. */
#ifndef GV_STREAM_HASH_H
#define GV_STREAM_HASH_H

#include "common/err.h"
#include <stddef.h>
#include <stdint.h>

typedef struct gv_hash gv_hash;
gv_hash *gv_hash_open(gv_err *err);
void gv_hash_close(gv_hash *h);
void gv_hash_add(gv_hash *h, const void *p, size_t n);
uint64_t gv_hash_value(const gv_hash *h);

/* hash_avx2.c, hash_avx512.c; only where the processor has it. */
void gv_hash_add_avx2(void *state, const void *p, size_t n);
void gv_hash_add_avx512(void *state, const void *p, size_t n);

#endif
