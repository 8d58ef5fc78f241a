/* exp, tanh, erf and their kin for float (fast, vectorised by the compiler) and double (libm), under one name. */
#ifndef GV_NN_OPS_MATH_H
#define GV_NN_OPS_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* e^x, relative error below 2e-7: x = n ln2 + r, a polynomial in r (Taylor), then the exponent. Results below the normal range become 0. */
static inline float gv_expf(float x)
{
    float n = x * 1.44269504f + 12582912.f; /* 1.5 * 2^23: rounds to a whole number in the low bits */
    int32_t k;
    memcpy(&k, &n, 4);
    n -= 12582912.f;
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.f / 5040;
    p = p * r + 1.f / 720;
    p = p * r + 1.f / 120;
    p = p * r + 1.f / 24;
    p = p * r + 1.f / 6;
    p = p * r + 0.5f;
    p = p * r * r + r + 1.f;
    uint32_t bits = ((uint32_t)(k & 0x1ff) + 126u) << 23; /* 2^(n-1); the sum in k is taken modulo 512 */
    float s;
    memcpy(&s, &bits, 4);
    float y = p * s * 2.f;
    y = x < -87.3f ? 0.f : y;
    return x > 88.72283f ? INFINITY : y;
}

#define gv_exp_of(v) _Generic((v), float: gv_expf, double: exp)(v)
#define gv_tanh_of(v) _Generic((v), float: tanhf, double: tanh)(v)
#define gv_erf_of(v) _Generic((v), float: erff, double: erf)(v)
#define gv_log_of(v) _Generic((v), float: logf, double: log)(v)
#define gv_sqrt_of(v) _Generic((v), float: sqrtf, double: sqrt)(v)
#define gv_fabs_of(v) _Generic((v), float: fabsf, double: fabs)(v)

#endif
