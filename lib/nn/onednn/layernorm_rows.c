/*
 * layernorm_rows: a row's mean, its variance about the mean and y in three passes over the first cache; backward, its part of dw and db and
 * the two means, then dx.
 *
 *   dx = invstd (g - mean(g) - xhat mean(g xhat)), g = dy w, xhat = (x - mean) invstd
 */
#ifndef VEC
#include "nn/onednn/layernorm_rows.h"
#include "nn/onednn/simd.h"
#include <math.h>

#ifdef DN_SIMD
#define GV_SIMD "nn/onednn/layernorm_rows.c"
#include "nn/onednn/simd.h"

dn_ln_rows *dn_ln_rows_of(bool bf16)
{
    static dn_ln_rows *const f[DN_ISAS][2] = DN_EACH(ln_rows);
    return dn_isa() < 0 ? NULL : f[dn_isa()][bf16];
}

dn_ln_grad_rows *dn_ln_grad_rows_of(bool bf16)
{
    static dn_ln_grad_rows *const f[DN_ISAS][2] = DN_EACH(ln_grad_rows);
    return dn_isa() < 0 ? NULL : f[dn_isa()][bf16];
}
#else
dn_ln_rows *dn_ln_rows_of(bool bf16) { return (void)bf16, NULL; }
dn_ln_grad_rows *dn_ln_grad_rows_of(bool bf16) { return (void)bf16, NULL; }
#endif
#else

/* All of a row's vectors, the last one perhaps short: BODY(load, store, load f32, store f32) with `i` at its first element. */
#define EACH(BODY)                                                                     \
    do {                                                                               \
        int64_t i = 0;                                                                 \
        for (; i + VL <= D; i += VL)                                                   \
            BODY(LOAD, STORE, LOADF, STOREF);                                          \
        if (i < D)                                                                     \
            BODY(SHORT_LOAD, SHORT_STORE, SHORT_LOADF, SHORT_STOREF);                  \
    } while (0)
#define SHORT_LOAD(p) LOADN(p, D - i)
#define SHORT_STORE(p, v) STOREN(p, v, D - i)
#define SHORT_LOADF(p) LOADNF(p, D - i)
#define SHORT_STOREF(p, v) STORENF(p, v, D - i)

TARGET static void F(ln_rows)(const void *x, void *y, int64_t rows, int64_t D, const float *w, const float *b, double eps, float *mean, float *invstd)
{
    for (int64_t r = 0; r < rows; r++) {
        const T *u = (const T *)x + r * D;
        T *v = (T *)y + r * D;
        VEC s = SET1(0), t = SET1(0), q = SET1(0), z = SET1(0);
        int64_t k = 0;
        for (; k + 2 * VL <= D; k += 2 * VL) {
            AHEAD(u + k, 2 * VL);
            s = ADD(s, LOAD(u + k));
            t = ADD(t, LOAD(u + k + VL));
        }
        for (; k < D; k += VL)
            s = ADD(s, k + VL <= D ? LOAD(u + k) : LOADN(u + k, D - k));
        float m = HSUM(ADD(s, t)) / (float)D;
        VEC vm = SET1(m);
        for (k = 0; k + 2 * VL <= D; k += 2 * VL) {
            VEC d = SUB(LOAD(u + k), vm), e = SUB(LOAD(u + k + VL), vm);
            q = MULADD(d, d, q);
            z = MULADD(e, e, z);
        }
        for (; k + VL <= D; k += VL) {
            VEC d = SUB(LOAD(u + k), vm);
            q = MULADD(d, d, q);
        }
        float sum = HSUM(ADD(q, z));
        for (; k < D; k++) {
            float d = HSUM(LOADN(u + k, 1)) - m;
            sum += d * d;
        }
        float is = (float)(1 / sqrt((double)sum / (double)D + eps));
        VEC vi = SET1(is);
        mean[r] = m;
        invstd[r] = is;
#define NORMALISE(ld, st, ldf, stf) st(v + i, MULADD(MUL(SUB(ld(u + i), vm), vi), ldf(w + i), ldf(b + i)))
        EACH(NORMALISE);
#undef NORMALISE
    }
}

TARGET static void F(ln_grad_rows)(const void *x, const void *dy, void *dx, int64_t rows, int64_t D, const float *w, const float *mean, const float *invstd, float *dw, float *db)
{
    for (int64_t r = 0; r < rows; r++) {
        const T *u = (const T *)x + r * D, *g = (const T *)dy + r * D;
        T *v = (T *)dx + r * D;
        VEC s = SET1(0), q = SET1(0), m = SET1(mean[r]), is = SET1(invstd[r]);
#define SUMS(ld, st, ldf, stf)                                                               \
    {                                                                                        \
        AHEAD(u + i, VL);                                                                    \
        AHEAD(g + i, VL);                                                                    \
        VEC h = MUL(SUB(ld(u + i), m), is), t = ld(g + i), e = MUL(t, ldf(w + i));           \
        stf(dw + i, MULADD(t, h, ldf(dw + i)));                                              \
        stf(db + i, ADD(t, ldf(db + i)));                                                    \
        s = ADD(s, e);                                                                       \
        q = MULADD(e, h, q);                                                                 \
    }
        EACH(SUMS); /* what is behind a row's end has dy 0, and adds nothing */
#undef SUMS
        s = SET1(HSUM(s) / (float)D);
        q = SET1(HSUM(q) / (float)D);
#define GRADIENT(ld, st, ldf, stf)                                                           \
    {                                                                                        \
        VEC h = MUL(SUB(ld(u + i), m), is), e = MUL(ld(g + i), ldf(w + i));                  \
        st(v + i, MUL(is, SUB(SUB(e, s), MUL(h, q))));                                       \
    }
        EACH(GRADIENT);
#undef GRADIENT
    }
}
#undef EACH
#undef SHORT_LOAD
#undef SHORT_STORE
#undef SHORT_LOADF
#undef SHORT_STOREF
#endif
