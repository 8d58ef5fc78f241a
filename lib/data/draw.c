/* NumPy's legacy generator: MT19937 seeded by init_genrand, integers below n by masked rejection, Fisher-Yates from the end.
 * Everything random here but data_fraction is Philox; this one exists so that a fraction is the Python original's fraction.
 * Source: Matsumoto & Nishimura 1998, "Mersenne Twister"; the behaviour of numpy.random.RandomState, golden values in
 * tests/unit/data_split.c. */
#include "data/internal.h"

void gv_mt_init(gv_mt *m, uint32_t seed)
{
    m->s[0] = seed;
    for (uint32_t i = 1; i < 624; i++)
        m->s[i] = 1812433253u * (m->s[i - 1] ^ m->s[i - 1] >> 30) + i;
    m->at = 624;
}

static uint32_t twist(uint32_t hi, uint32_t lo, uint32_t far)
{
    uint32_t y = (hi & 0x80000000u) | (lo & 0x7fffffffu);
    return far ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
}

uint32_t gv_mt_u32(gv_mt *m)
{
    if (m->at == 624) {
        for (int i = 0; i < 624; i++)
            m->s[i] = twist(m->s[i], m->s[(i + 1) % 624], m->s[(i + 397) % 624]);
        m->at = 0;
    }
    uint32_t y = m->s[m->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* 0 … max, both included; lists here are shorter than 2^32. */
static uint32_t below_or_equal(gv_mt *m, uint32_t max)
{
    uint32_t mask = max, v;
    for (int s = 1; s <= 16; s <<= 1)
        mask |= mask >> s;
    while ((v = gv_mt_u32(m) & mask) > max)
        ;
    return v;
}

void gv_mt_shuffle(gv_mt *m, int64_t *v, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = below_or_equal(m, (uint32_t)i), t = v[i];
        v[i] = v[j];
        v[j] = t;
    }
}

void gv_mt_permutation(gv_mt *m, int64_t *p, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        p[i] = i;
    gv_mt_shuffle(m, p, n);
}
