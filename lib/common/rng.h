/*
 * Random numbers: Philox 4x32-10, a function of a key and a counter. The same key gives the same numbers anywhere, in any
 * order; nothing is keyed by worker, rank or time.
 *
 *   gv_rng r;
 *   gv_rng_init(&r, seed, GV_RNG_AUGMENT, index, epoch, draw);   // one stream of numbers for one sample
 *   double u = gv_rng_uniform(&r);                               // [0, 1)
 *
 * Keys: samples (seed, epoch, index, draw, purpose); batches (seed, epoch, first pos, purpose); dropout and drop path
 * (seed, step, hash of the module path, purpose), counted by element; initialisation (seed, hash of the name, purpose).
 * Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; Random123's philox.h.
 */
#ifndef GV_COMMON_RNG_H
#define GV_COMMON_RNG_H

#include <stdint.h>

enum {
    GV_RNG_SHUFFLE = 1, GV_RNG_SPLIT = 2, GV_RNG_CROP = 3, GV_RNG_AUGMENT = 4, GV_RNG_MIX = 5,
    GV_RNG_DROPOUT = 6, GV_RNG_INIT = 7, GV_RNG_FOLD = 8, GV_RNG_TEST = 9, GV_RNG_NOISE = 10, GV_RNG_BALANCE = 11, GV_RNG_CLIP = 12,
};

typedef struct gv_rng {
    uint32_t key[2], ctr[4], out[4];
    unsigned used;    /* words of out already given */
    double spare;     /* the second normal of a pair */
    int has_spare;
} gv_rng;

void gv_rng_init(gv_rng *r, uint64_t seed, uint32_t purpose, uint64_t a, uint32_t b, uint32_t c);
uint32_t gv_rng_u32(gv_rng *r);
uint64_t gv_rng_u64(gv_rng *r);
double gv_rng_uniform(gv_rng *r);                       /* [0, 1), 53 bits */
double gv_rng_range(gv_rng *r, double lo, double hi);   /* [lo, hi) */
uint64_t gv_rng_below(gv_rng *r, uint64_t n);           /* 0 … n-1 without bias; 0 for n = 0 */
double gv_rng_normal(gv_rng *r);                        /* mean 0, deviation 1 */
/* The next GV_RNG_MANY numbers of a stream that has only been asked by the block: those that gv_rng_uniform gives, and those of
 * gv_rng_normal to a few units in the last place. */
enum { GV_RNG_MANY = 64 };
void gv_rng_uniforms(gv_rng *r, double out[GV_RNG_MANY]);
void gv_rng_normals(gv_rng *r, double out[GV_RNG_MANY]);
double gv_rng_beta(gv_rng *r, double a, double b);
/* A permutation of 0 … n-1 (Fisher-Yates). */
void gv_rng_permutation(gv_rng *r, int64_t *p, int64_t n);

/* Four words for (key, counter) without state, for kernels that count by element. */
void gv_philox(const uint32_t key[2], const uint32_t ctr[4], uint32_t out[4]);
/* FNV-1a, 64 bits: names and module paths as keys. */
uint64_t gv_hash_name(const char *s);

#endif
