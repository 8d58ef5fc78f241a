/*
 * exp and erf as plain float arithmetic, which the compiler turns into vector code (libm's calls it does not).
 *
 *   dn_exp   relative error below 2e-7 (checked over all of its range by tests/nn/onednn_own.c); 0 below -86.9; Inf above 88.72; NaN stays
 *   dn_phi   the normal distribution function, from erf by Abramowitz & Stegun, 7.1.26: absolute error below 3e-7 with the rounding; and its density
 */
#ifndef GV_NN_ONEDNN_VMATH_H
#define GV_NN_ONEDNN_VMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* e^x = 2^k e^r, |r| <= ln2 / 2; ln2 in two parts keeps r exact. Cephes' minimax polynomial would save nothing here. */
static inline float dn_exp(float x)
{
    float t = x < -86.9f ? -86.9f : x > 88.7f ? 88.7f : x;
    float n = t * 1.44269504f + 12582912.f; /* 1.5 * 2^23: the sum is rounded to a whole number */
    uint32_t k;
    memcpy(&k, &n, 4);
    n -= 12582912.f;
    float r = t - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.f / 5040;
    p = p * r + 1.f / 720;
    p = p * r + 1.f / 120;
    p = p * r + 1.f / 24;
    p = p * r + 1.f / 6;
    p = p * r + 0.5f;
    p = p * r * r + r + 1;
    uint32_t half = (k << 23) + (126u << 23); /* 2^(k-1), since k may be 128 */
    float s;
    memcpy(&s, &half, 4);
    p = p * s * 2;
    p = x < -86.9f ? 0 : p;
    p = x > 88.72283f ? INFINITY : p;
    return x != x ? x : p;
}

/* P(X <= x) and, in *density, e^(-x^2/2) / sqrt(2 pi). */
static inline float dn_phi(float x, float *density)
{
    float a = (x < 0 ? -x : x) * 0.70710678f, e = dn_exp(-a * a), t = 1 / (1 + 0.3275911f * a);
    float q = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t * e * 0.5f; /* P(X > |x|) */
    *density = e * 0.39894228f;
    return x < 0 ? q : 1 - q;
}

#endif
