/* rng_many: uniform and normal numbers by the block, in loops that become vector instructions: the first values of a network's weights are
 * tens of millions of normals. Nothing is contracted to fused operations, so every instruction set gives the same numbers.
 * Sources: Box & Muller 1958; logarithm, sine and cosine as fdlibm's e_log.c, k_sin.c and k_cos.c reduce and approximate them. */
#include "common/compiler.h"
#include "common/philox_many.h"
#include <math.h>
#include <string.h>

enum { WIDE = GV_RNG_MANY / 2 }; /* Philox calls made together; each gives two numbers of 53 bits */

/* 53 bits of two words in [0, 1), exactly. */
static inline double unit(uint32_t hi, uint32_t lo)
{
    return ((double)hi * 0x1p21 + (double)(lo >> 11)) * 0x1p-53;
}

/* log of u in (0, 1]. */
static inline double log_of(double u)
{
    uint64_t b;
    memcpy(&b, &u, sizeof b);
    int32_t e = (int32_t)(b >> 52) - 1023;
    b = (b & 0xfffffffffffffu) | 0x3ff0000000000000u;
    double m;
    memcpy(&m, &b, sizeof m);
    int32_t high = m > 1.4142135623730951;
    m = high ? 0.5 * m : m;
    e += high;
    double f = m - 1, s = f / (2 + f), z = s * s, half = 0.5 * f * f, k = (double)e;
    double q = z * (6.666666666666735130e-01 + z * (3.999999999940941908e-01 + z * (2.857142874366239149e-01 + z * (2.222219843214978396e-01 +
               z * (1.818357216161805012e-01 + z * (1.531383769920937332e-01 + z * 1.479819860511658591e-01))))));
    return k * 6.93147180369123816490e-01 - ((half - (s * (half + q) + k * 1.90821492927058770002e-10)) - f);
}

GV_HOT static void uniforms(const gv_rng *r, double *restrict out)
{
    uint32_t w[4][WIDE];
    gv_philox_many(r, r->ctr[0], WIDE, w[0]);
    for (int l = 0; l < WIDE; l++) {
        out[2 * l] = unit(w[0][l], w[1][l]);
        out[2 * l + 1] = unit(w[2][l], w[3][l]);
    }
}

GV_HOT static void normals(const gv_rng *r, double *restrict out)
{
    uint32_t w[4][WIDE];
    double size[WIDE], c[WIDE], s[WIDE];
    gv_philox_many(r, r->ctr[0], WIDE, w[0]);
    for (int l = 0; l < WIDE; l++)
        size[l] = sqrt(-2 * log_of(1 - unit(w[0][l], w[1][l])));
    for (int l = 0; l < WIDE; l++) {
        double v = unit(w[2][l], w[3][l]); /* of a whole turn; the nearest quarter is taken off exactly */
        int32_t k = (int32_t)(4 * v + 0.5);
        double x = (v - 0.25 * (double)k) * 6.283185307179586476925, z = x * x;
        double sine = x + x * z * (-1.66666666666666324348e-01 + z * (8.33333333332248946124e-03 + z * (-1.98412698298579493134e-04 +
                      z * (2.75573137070700676789e-06 + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
        double cosine = 1 - (0.5 * z - z * z * (4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03 + z * (2.48015872894767294178e-05 +
                        z * (-2.75573143513906633035e-07 + z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11))))));
        double a = k & 1 ? sine : cosine, b = k & 1 ? cosine : sine; /* cos and sin of the whole angle, but for their signs */
        c[l] = (k + 1) & 2 ? -a : a;
        s[l] = k & 2 ? -b : b;
    }
    for (int l = 0; l < WIDE; l++) {
        out[2 * l] = size[l] * c[l];
        out[2 * l + 1] = size[l] * s[l];
    }
}

void gv_rng_uniforms(gv_rng *r, double out[GV_RNG_MANY])
{
    uniforms(r, out);
    r->ctr[0] += WIDE;
}

void gv_rng_normals(gv_rng *r, double out[GV_RNG_MANY])
{
    normals(r, out);
    r->ctr[0] += WIDE;
}
