/* softmax over the last axis: y = e^(x - max) / sum; softmax_grad: dx = y * (dy - sum(y * dy)). The exponentials of a row are kept
 * in float, in the part's own row of scratch, so that a bf16 result is rounded once. */
#ifndef T
#include "nn/onednn/own.h"
#include "nn/onednn/vmath.h"

enum { LANES = 32 };

static int64_t width(const gv_call *c)
{
    return c->in[0].shape[c->in[0].ndim - 1];
}

static size_t row_bytes(int64_t D)
{
    return dn_round((size_t)D * sizeof(float));
}

#define GV_KERNELS "nn/onednn/softmax.c"
#include "nn/onednn/types.h"

int gv_onednn_softmax(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    const gv_desc *x = &c->in[0];
    if (x->ndim < 1 || !x->count || !dn_real(x) || c->out[0].dtype != x->dtype)
        return GV_UNSUPPORTED;
    return dn_own(ctx, k, x->dtype == GV_F32T ? forward_f32 : forward_bf16, DN_PARTS * row_bytes(width(c)));
}

int gv_onednn_softmax_grad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    const gv_desc *y = &c->in[0];
    if (y->ndim < 1 || !y->count || !dn_real(y) || c->in[1].dtype != y->dtype || c->out[0].dtype != y->dtype)
        return GV_UNSUPPORTED;
    return dn_own(ctx, k, y->dtype == GV_F32T ? backward_f32 : backward_bf16, 0);
}
#else

GV_HOT static void F(onednn_softmax_rows)(const T *x, T *y, int64_t rows, int64_t D, float *restrict e)
{
    for (int64_t r = 0; r < rows; r++) {
        const T *u = x + r * D;
        T *v = y + r * D;
        float m = LD(u[0]), s = 0, lane[LANES]; /* clang does not vectorise a maximum that has to mind NaN */
        int64_t i = 0;
        for (int j = 0; j < LANES; j++)
            lane[j] = m;
        for (; i + LANES <= D; i += LANES)
            for (int j = 0; j < LANES; j++)
                lane[j] = lane[j] > LD(u[i + j]) ? lane[j] : LD(u[i + j]);
        for (; i < D; i++)
            m = m > LD(u[i]) ? m : LD(u[i]);
        for (int j = 0; j < LANES; j++)
            m = m > lane[j] ? m : lane[j];
#pragma omp simd reduction(+ : s)
        for (i = 0; i < D; i++)
            s += e[i] = dn_exp(LD(u[i]) - m);
        float f = 1 / s;
        for (i = 0; i < D; i++)
            v[i] = ST(e[i] * f);
    }
}

static void F(part)(void *p, int64_t begin, int64_t end)
{
    const dn_parts *a = p;
    const gv_call *c = a->c;
    int64_t D = width(c), R = c->in[0].count / D;
    for (int64_t part = begin; part < end; part++) {
        int64_t r = R * part / a->parts, last = R * (part + 1) / a->parts;
        F(onednn_softmax_rows)((const T *)c->x[0] + r * D, (T *)c->y[0] + r * D, last - r, D, (float *)((char *)c->scratch + (size_t)part * row_bytes(D)));
    }
}

static int F(forward)(const gv_call *c)
{
    int64_t D = width(c);
    return dn_over_parts(c, dn_count_parts(c->in[0].count / D, D), F(part));
}

GV_HOT static void F(onednn_softmax_grad_rows)(const T *y, const T *dy, T *dx, int64_t rows, int64_t D)
{
    for (int64_t r = 0; r < rows; r++) {
        const T *u = y + r * D, *g = dy + r * D;
        T *d = dx + r * D;
        float s = 0;
#pragma omp simd reduction(+ : s)
        for (int64_t i = 0; i < D; i++)
            s += LD(u[i]) * LD(g[i]);
        GV_IVDEP
        for (int64_t i = 0; i < D; i++)
            d[i] = ST(LD(u[i]) * (LD(g[i]) - s));
    }
}

static void F(grad_rows)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t D = width(c), at = begin * D;
    F(onednn_softmax_grad_rows)((const T *)c->x[0] + at, (const T *)c->x[1] + at, (T *)c->y[0] + at, end - begin, D);
}

static int F(backward)(const gv_call *c)
{
    int64_t D = width(c);
    gv_parallel(c->in[0].count / D, dn_max(1, 16384 / D), F(grad_rows), (void *)(uintptr_t)c);
    return GV_OK;
}
#endif
