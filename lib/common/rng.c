/* rng: Philox streams and the distributions drawn from them. */
#include "common/rng.h"
#include <Random123/philox.h>
#include <math.h>

void gv_philox(const uint32_t key[2], const uint32_t ctr[4], uint32_t out[4])
{
    philox4x32_ctr_t c = { { ctr[0], ctr[1], ctr[2], ctr[3] } };
    philox4x32_key_t k = { { key[0], key[1] } };
    philox4x32_ctr_t r = philox4x32(c, k);
    memcpy(out, r.v, sizeof r.v);
}

static uint64_t mix64(uint64_t z) /* the finaliser of splitmix64 */
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void gv_rng_init(gv_rng *r, uint64_t seed, uint32_t purpose, uint64_t a, uint32_t b, uint32_t c)
{
    /* The counter has room for a and b; c (nearly always 0) goes into the key with the purpose. */
    uint64_t key = mix64(seed + 0x9e3779b97f4a7c15u * ((uint64_t)purpose << 32 | (c + 1u)));
    memset(r, 0, sizeof *r);
    r->key[0] = (uint32_t)key;
    r->key[1] = (uint32_t)(key >> 32);
    r->ctr[1] = b;
    r->ctr[2] = (uint32_t)a;
    r->ctr[3] = (uint32_t)(a >> 32);
    r->used = 4;
}

uint32_t gv_rng_u32(gv_rng *r)
{
    if (r->used == 4) {
        gv_philox(r->key, r->ctr, r->out);
        r->ctr[0]++;
        r->used = 0;
    }
    return r->out[r->used++];
}

uint64_t gv_rng_u64(gv_rng *r)
{
    uint64_t hi = gv_rng_u32(r);
    return hi << 32 | gv_rng_u32(r);
}

double gv_rng_uniform(gv_rng *r)
{
    return (double)(gv_rng_u64(r) >> 11) * 0x1p-53;
}

double gv_rng_range(gv_rng *r, double lo, double hi)
{
    return lo + (hi - lo) * gv_rng_uniform(r);
}

uint64_t gv_rng_below(gv_rng *r, uint64_t n)
{
    if (n < 2)
        return 0;
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, x; /* rejection: the part above a multiple of n would favour small numbers */
    do
        x = gv_rng_u64(r);
    while (x >= limit);
    return x % n;
}

double gv_rng_normal(gv_rng *r)
{
    if (r->has_spare) {
        r->has_spare = 0;
        return r->spare;
    }
    double u = 1.0 - gv_rng_uniform(r), v = gv_rng_uniform(r); /* u in (0, 1] */
    double m = sqrt(-2.0 * log(u)), t = 6.283185307179586476925 * v;
    r->spare = m * sin(t);
    r->has_spare = 1;
    return m * cos(t);
}

/* Marsaglia & Tsang 2000; below 1 by the power of a uniform number. */
static double gamma_draw(gv_rng *r, double a)
{
    if (a < 1.0) {
        double u = 1.0 - gv_rng_uniform(r);
        return gamma_draw(r, a + 1.0) * pow(u, 1.0 / a);
    }
    double d = a - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);
    for (;;) {
        double x = gv_rng_normal(r), v = 1.0 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        double u = 1.0 - gv_rng_uniform(r);
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

double gv_rng_beta(gv_rng *r, double a, double b)
{
    double x = gamma_draw(r, a), y = gamma_draw(r, b);
    return x + y > 0 ? x / (x + y) : 0.5;
}

void gv_rng_permutation(gv_rng *r, int64_t *p, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        p[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)gv_rng_below(r, (uint64_t)i + 1), t = p[i];
        p[i] = p[j];
        p[j] = t;
    }
}

uint64_t gv_hash_name(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    return h;
}
