/*
 * Philox 4x32-10 by the block: word k of the calls with counters first, first + 1, … of a stream's key, the words that rng.c gives one by one.
 * n is a constant where this is inlined, into functions marked GV_HOT: then the loops become vector instructions.
 */
#ifndef GV_COMMON_PHILOX_MANY_H
#define GV_COMMON_PHILOX_MANY_H

#include "common/rng.h"

/* word: [4][n] */
static inline __attribute__((always_inline)) void gv_philox_many(const gv_rng *r, uint32_t first, int n, uint32_t *word)
{
    uint32_t k0 = r->key[0], k1 = r->key[1], *a = word, *b = a + n, *c = b + n, *d = c + n;
    for (int l = 0; l < n; l++) {
        a[l] = first + (uint32_t)l;
        b[l] = r->ctr[1];
        c[l] = r->ctr[2];
        d[l] = r->ctr[3];
    }
    for (int round = 0; round < 10; round++) {
        for (int l = 0; l < n; l++) {
            uint64_t u = (uint64_t)a[l] * 0xD2511F53u, v = (uint64_t)c[l] * 0xCD9E8D57u;
            a[l] = (uint32_t)(v >> 32) ^ b[l] ^ k0;
            c[l] = (uint32_t)(u >> 32) ^ d[l] ^ k1;
            b[l] = (uint32_t)v;
            d[l] = (uint32_t)u;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

#endif
