/*
 * batchnorm_rows: the loops of batchnorm.c and batchnorm_grad.c over rows, four rows at a time: a channel's sums and factors stay in
 * registers, and what four rows take is one piece of memory, which is asked for ahead.
 *
 * The same arithmetic in the same order as the loops there, so the same bytes but for numbers below 1.2e-38, which AVX-512's own conversion to
 * bf16 makes 0.
 */
#ifndef VEC
#include "nn/onednn/batchnorm.h"
#include "nn/onednn/simd.h"

#ifdef DN_SIMD
#define GV_SIMD "nn/onednn/batchnorm_rows.c"
#include "nn/onednn/simd.h"

dn_bn_block *dn_bn_block_of(bool bf16)
{
    static dn_bn_block *const f[DN_ISAS][2] = DN_EACH(bn_block);
    return dn_isa() < 0 ? NULL : f[dn_isa()][bf16];
}

dn_bn_apply *dn_bn_apply_of(bool bf16)
{
    static dn_bn_apply *const f[DN_ISAS][2] = DN_EACH(bn_apply);
    return dn_isa() < 0 ? NULL : f[dn_isa()][bf16];
}

dn_bn_grad_sums *dn_bn_grad_sums_of(bool bf16)
{
    static dn_bn_grad_sums *const f[DN_ISAS][2] = DN_EACH(bn_grad_sums);
    return dn_isa() < 0 ? NULL : f[dn_isa()][bf16];
}

dn_bn_grad_apply *dn_bn_grad_apply_of(bool bf16)
{
    static dn_bn_grad_apply *const f[DN_ISAS][2] = DN_EACH(bn_grad_apply);
    return dn_isa() < 0 ? NULL : f[dn_isa()][bf16];
}
#else
dn_bn_block *dn_bn_block_of(bool bf16) { return (void)bf16, NULL; }
dn_bn_apply *dn_bn_apply_of(bool bf16) { return (void)bf16, NULL; }
dn_bn_grad_sums *dn_bn_grad_sums_of(bool bf16) { return (void)bf16, NULL; }
dn_bn_grad_apply *dn_bn_grad_apply_of(bool bf16) { return (void)bf16, NULL; }
#endif
#else

/* A vector of channels, or the `left` ones behind the last whole one (left 0: all of a vector). */
#define GET(p) (left ? LOADN(p, left) : LOAD(p))
#define PUT(p, v) (left ? STOREN(p, v, left) : STORE(p, v))
#define GETF(p) (left ? LOADNF(p, left) : LOADF(p))
#define PUTF(p, v) (left ? STORENF(p, v, left) : STOREF(p, v))

/* BODY(i, left, n) for every vector of channels of n rows; the constant n tells the body's kind. */
#define CHANNELS(n, BODY)                          \
    do {                                           \
        int64_t i = 0;                             \
        for (; i + VL <= C; i += VL)               \
            BODY(i, 0, n);                         \
        if (i < C)                                 \
            BODY(i, C - i, n);                     \
    } while (0)

DN_ALWAYS TARGET void F(bn_block_at)(const T *x, int64_t i, int64_t left, const int n, int64_t C, const float *centre, float *sum, float *sq)
{
    if (n == 4 && !left)
        AHEAD(x + 4 * i, 4 * VL);
    VEC m = GETF(centre + i), p = SUB(GET(x + i), m);
    if (n == 4) {
        VEC q = SUB(GET(x + C + i), m), s = SUB(GET(x + 2 * C + i), m), t = SUB(GET(x + 3 * C + i), m);
        PUTF(sum + i, ADD(GETF(sum + i), ADD(ADD(p, q), ADD(s, t))));
        PUTF(sq + i, ADD(GETF(sq + i), ADD(ADD(MUL(p, p), MUL(q, q)), ADD(MUL(s, s), MUL(t, t)))));
    } else {
        PUTF(sum + i, ADD(GETF(sum + i), p));
        PUTF(sq + i, ADD(GETF(sq + i), MUL(p, p)));
    }
}

TARGET static void F(bn_block)(const void *from, int64_t rows, int64_t C, const float *centre, float *sum, float *sq)
{
    const T *x = from;
    memset(sum, 0, (size_t)C * sizeof *sum);
    memset(sq, 0, (size_t)C * sizeof *sq);
#define BODY(i, left, n) F(bn_block_at)(x, i, left, n, C, centre, sum, sq)
    for (; rows >= 4; rows -= 4, x += 4 * C)
        CHANNELS(4, BODY);
    for (; rows > 0; rows--, x += C)
        CHANNELS(1, BODY);
#undef BODY
}

DN_ALWAYS TARGET void F(bn_apply_at)(const T *x, const T *more, T *y, int64_t i, int64_t left, const int n, int64_t C, const bn_affine *o, const bool adds, const bool relu, const bool leaks)
{
    if (n == 4 && !left) {
        AHEAD(x + 4 * i, 4 * VL);
        if (adds)
            AHEAD(more + 4 * i, 4 * VL);
    }
    VEC m = GETF(o->mean + i), s = GETF(o->scale + i), b = GETF(o->bias + i);
#pragma GCC unroll 4
    for (int k = 0; k < n; k++) {
        VEC v = ADD(MUL(SUB(GET(x + k * C + i), m), s), b);
        if (adds)
            v = ADD(v, GET(more + k * C + i));
        if (relu)
            v = leaks ? CHOOSE(v, v, MUL(v, SET1(o->slope))) : MAX(SET1(0), v);
        PUT(y + k * C + i, v);
    }
}

TARGET static void F(bn_apply)(const bn_affine *o, int64_t r, int64_t last)
{
    int64_t C = o->C;
    const T *x = (const T *)o->x + r * C, *more = (const T *)(o->more ? o->more : o->x) + r * C;
    T *y = (T *)o->y + r * C;
#define BODY(i, left, n) F(bn_apply_at)(x, more, y, i, left, n, C, o, ADDS, RELU, LEAKS)
#define ROWS                                                                             \
    {                                                                                    \
        for (; r + 4 <= last; r += 4, x += 4 * C, y += 4 * C, more += 4 * C)  \
            CHANNELS(4, BODY);                                                           \
        for (; r < last; r++, x += C, y += C, more += C)                      \
            CHANNELS(1, BODY);                                                           \
    }
#define ADDS true
#define RELU true
#define LEAKS true
    if (o->more && o->relu && o->slope != 0)
        ROWS
#undef LEAKS
#define LEAKS false
    else if (o->more && o->relu)
        ROWS
#undef RELU
#define RELU false
    else if (o->more)
        ROWS
#undef ADDS
#define ADDS false
    else if (!o->relu)
        ROWS
#undef RELU
#define RELU true
    else if (o->slope == 0)
        ROWS
#undef LEAKS
#define LEAKS true
    else
        ROWS
#undef LEAKS
#undef ADDS
#undef RELU
#undef ROWS
#undef BODY
}

/* dz of a vector of channels in row k: dy, or dy + dy2, where the mask lets it through, else leak times that. u: x - mean. */
DN_ALWAYS TARGET VEC F(bn_dz)(VEC u, const T *dy, const T *y, const T *dy2, int64_t left, VEC s, VEC b, const bn_mask mask, const bool two, float leak)
{
    VEC d = GET(dy);
    if (two)
        d = ADD(d, GET(dy2));
    if (mask == BN_NO_MASK)
        return d;
    VEC v = mask == BN_MASK_Y ? GET(y) : ADD(MUL(u, s), b);
    return leak == 0 ? POSITIVE(v, d) : CHOOSE(v, d, MUL(d, SET1(leak)));
}

typedef struct F(bn_in) { const T *x, *dy, *y, *dy2; T *z; } F(bn_in); /* rows of the inputs, and where dz or dx goes */

DN_ALWAYS TARGET void F(bn_sums_at)(const F(bn_in) *p, int64_t i, int64_t left, const int n, int64_t C, const bn_grad *o, float *sum, float *dot, const bn_mask mask,
                                    const bool two, const bool store)
{
    if (n == 4 && !left) {
        AHEAD(p->x + 4 * i, 4 * VL);
        AHEAD(p->dy + 4 * i, 4 * VL);
        if (mask == BN_MASK_Y)
            AHEAD(p->y + 4 * i, 4 * VL);
        if (two)
            AHEAD(p->dy2 + 4 * i, 4 * VL);
    }
    VEC m = GETF(o->mean + i), s = SET1(0), b = s, d[4], e[4];
    if (mask == BN_MASK_X)
        s = GETF(o->scale + i), b = GETF(o->bias + i);
#pragma GCC unroll 4
    for (int k = 0; k < n; k++) {
        int64_t at = k * C + i;
        VEC u = SUB(GET(p->x + at), m);
        d[k] = F(bn_dz)(u, p->dy + at, p->y + at, p->dy2 + at, left, s, b, mask, two, o->slope);
        e[k] = MUL(d[k], u);
        if (store)
            PUT(p->z + at, d[k]);
    }
    PUTF(sum + i, ADD(GETF(sum + i), n == 4 ? ADD(ADD(d[0], d[1]), ADD(d[2], d[3])) : d[0]));
    PUTF(dot + i, ADD(GETF(dot + i), n == 4 ? ADD(ADD(e[0], e[1]), ADD(e[2], e[3])) : e[0]));
}

DN_ALWAYS TARGET void F(bn_sums_rows)(const bn_grad *o, int64_t r, int64_t last, float *sum, float *dot, const bn_mask mask, const bool two, const bool store)
{
    int64_t C = o->C;
#define BODY(i, left, n) F(bn_sums_at)(&p, i, left, n, C, o, sum, dot, mask, two, store)
    for (int64_t step; r < last; r += step) {
        const T *x = (const T *)o->x + r * C;
        F(bn_in) p = { x, (const T *)o->dy + r * C, mask == BN_MASK_Y ? (const T *)o->y + r * C : x, two ? (const T *)o->dy2 + r * C : x,
                       store ? (T *)o->stored + r * C : NULL };
        step = r + 4 <= last ? 4 : 1;
        if (step == 4)
            CHANNELS(4, BODY);
        else
            CHANNELS(1, BODY);
    }
#undef BODY
}

TARGET static void F(bn_grad_sums)(const bn_grad *o, int64_t r, int64_t last, float *sum, float *dot)
{
#define KIND(m, two, store)                                                    \
    if (o->mask == m && !!o->dy2 == two && !!o->stored == store)               \
        F(bn_sums_rows)(o, r, last, sum, dot, m, two, store);                  \
    else
    KIND(BN_NO_MASK, false, false) KIND(BN_MASK_X, false, false) KIND(BN_NO_MASK, false, true) KIND(BN_MASK_X, false, true)
    KIND(BN_MASK_Y, false, true) KIND(BN_NO_MASK, true, true) KIND(BN_MASK_X, true, true) KIND(BN_MASK_Y, true, true) (void)0;
#undef KIND
}

DN_ALWAYS TARGET void F(bn_dx_at)(const T *x, const T *dz, T *dx, int64_t i, int64_t left, const int n, int64_t C, const bn_grad *o, const bn_mask mask)
{
    if (n == 4 && !left) {
        AHEAD(x + 4 * i, 4 * VL);
        AHEAD(dz + 4 * i, 4 * VL);
    }
    VEC m = GETF(o->mean + i), s = GETF(o->scale + i), f = GETF(o->a + i), g = GETF(o->b + i), b = mask == BN_MASK_X ? GETF(o->bias + i) : s;
#pragma GCC unroll 4
    for (int k = 0; k < n; k++) {
        int64_t at = k * C + i;
        VEC u = SUB(GET(x + at), m), d = F(bn_dz)(u, dz + at, NULL, NULL, left, s, b, mask, false, o->slope);
        PUT(dx + at, SUB(MUL(s, SUB(d, f)), MUL(u, g)));
    }
}

DN_ALWAYS TARGET void F(bn_dx_rows)(const bn_grad *o, int64_t r, int64_t last, const bn_mask mask)
{
    int64_t C = o->C;
    const T *x = (const T *)o->x + r * C, *dz = (const T *)(o->stored ? o->stored : o->dy) + r * C;
    T *dx = (T *)o->dx + r * C;
#define BODY(i, left, n) F(bn_dx_at)(x, dz, dx, i, left, n, C, o, mask)
    for (; r + 4 <= last; r += 4, x += 4 * C, dz += 4 * C, dx += 4 * C)
        CHANNELS(4, BODY);
    for (; r < last; r++, x += C, dz += C, dx += C)
        CHANNELS(1, BODY);
#undef BODY
}

TARGET static void F(bn_grad_apply)(const bn_grad *o, int64_t r, int64_t last)
{
    if (o->mask == BN_MASK_X && !o->stored) /* the mask is told from x once more */
        F(bn_dx_rows)(o, r, last, BN_MASK_X);
    else
        F(bn_dx_rows)(o, r, last, BN_NO_MASK);
}
#undef CHANNELS
#undef GET
#undef PUT
#undef GETF
#undef PUTF
#endif
