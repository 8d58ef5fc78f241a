/* exp, tanh, erf and their kin for float (fast, vectorised by the compiler) and double (libm), under one name. */
#ifndef GV_NN_OPS_MATH_H
#define GV_NN_OPS_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* e^x, relative error below 2e-7: x = n ln2 + r, a polynomial in r (Taylor), then the exponent. Results below 2e-38 become 0. */
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
    y = x < -86.98f ? 0.f : y; /* the exponent would leave its field */
    return x > 88.72283f ? INFINITY : y;
}

/* erf, absolute error below 1.2e-7: an odd polynomial up to 1, beyond it 1 - exp(-x^2) times a polynomial for exp(x^2) erfc(x) in x - 2.5.
 * Both fitted by interpolation at Chebyshev nodes; at 4 the function is 1 in float. */
static inline float gv_erff(float x)
{
    float a = x < 0 ? -x : x, z = x * x;
    float p = 7.882497108e-05f;
    p = p * z - 8.018854992e-04f;
    p = p * z + 5.189311942e-03f;
    p = p * z - 2.685432880e-02f;
    p = p * z + 1.128359746e-01f;
    p = p * z - 3.761262690e-01f;
    p = (p * z + 1.128379166e+00f) * x;
    float b = a > 4.f ? 4.f : a, s = b - 2.5f;
    float q = 1.671801785e-06f;
    q = q * s - 6.386085704e-06f;
    q = q * s + 1.435366257e-05f;
    q = q * s - 5.358580906e-05f;
    q = q * s + 2.129720802e-04f;
    q = q * s - 7.389975677e-04f;
    q = q * s + 2.465982358e-03f;
    q = q * s - 7.999345595e-03f;
    q = q * s + 2.493820374e-02f;
    q = q * s - 7.434760093e-02f;
    q = q * s + 2.108063575e-01f;
    float e = 1.f - gv_expf(-b * b) * q;
    e = x < 0 ? -e : e;
    return a < 1.f ? p : e; /* NaN: e is NaN */
}

/* tanh, relative error below 3e-7: an odd polynomial up to 0.8, beyond it 1 - 2 / (exp(2x) + 1). */
static inline float gv_tanhf(float x)
{
    float a = x < 0 ? -x : x, z = x * x;
    float p = 1.768743786e-03f;
    p = p * z - 7.743903745e-03f;
    p = p * z + 2.152668128e-02f;
    p = p * z - 5.391922212e-02f;
    p = p * z + 1.333307264e-01f;
    p = p * z - 3.333333107e-01f;
    p = p * z * x + x;
    float e = 1.f - 2.f / (gv_expf(2.f * a) + 1.f);
    e = x < 0 ? -e : e;
    return a < 0.8f ? p : e;
}

#define gv_exp_of(v) _Generic((v), float: gv_expf, double: exp)(v)
#define gv_tanh_of(v) _Generic((v), float: gv_tanhf, double: tanh)(v)
#define gv_erf_of(v) _Generic((v), float: gv_erff, double: erf)(v)
#define gv_log_of(v) _Generic((v), float: logf, double: log)(v)
#define gv_sqrt_of(v) _Generic((v), float: sqrtf, double: sqrt)(v)
#define gv_fabs_of(v) _Generic((v), float: fabsf, double: fabs)(v)

#endif
