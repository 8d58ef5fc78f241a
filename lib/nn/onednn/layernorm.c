/*
 * layernorm: x [R,D], w, b -> y, mean [R], invstd [R]; layernorm_grad: x, dy, mean, invstd, w -> dx, dw [D], db [D].
 *
 * A row stays in the first cache: its mean, then its variance about that mean, then y. Gradients of w and b are summed in float over blocks
 * of BLOCK rows, in double over the blocks of a part, and over the parts in order.
 *
 * Source: Ba, Kiros, Hinton 2016, arXiv:1607.06450, section 3.
 */
#ifndef T
#include "nn/onednn/layernorm_rows.h"
#include "nn/onednn/own.h"
#include "nn/ops/attr.h"
#include <math.h>

enum { BLOCK = 64 };

static size_t part_bytes(int64_t D)
{
    return 2 * dn_round((size_t)D * sizeof(double)) + 2 * dn_round((size_t)D * sizeof(float));
}

struct sums { double *w, *b; float *bw, *bb; };

static struct sums part_of(const gv_call *c, int64_t part, int64_t D)
{
    char *p = (char *)c->scratch + (size_t)part * part_bytes(D);
    size_t d = dn_round((size_t)D * sizeof(double)), f = dn_round((size_t)D * sizeof(float));
    return (struct sums){ (double *)p, (double *)(p + d), (float *)(p + 2 * d), (float *)(p + 2 * d + f) };
}

#define GV_KERNELS "nn/onednn/layernorm.c"
#include "nn/onednn/types.h"

int gv_onednn_layernorm(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    const gv_desc *x = &c->in[0];
    if (x->ndim < 1 || !x->count || !dn_real(x) || c->out[0].dtype != x->dtype || !dn_f32_or_absent(&c->in[1]) || !dn_f32_or_absent(&c->in[2]) ||
        c->out[1].dtype != GV_F32T || c->out[2].dtype != GV_F32T)
        return GV_UNSUPPORTED;
    return dn_own(ctx, k, x->dtype == GV_F32T ? forward_f32 : forward_bf16, 0);
}

int gv_onednn_layernorm_grad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    const gv_desc *x = &c->in[0];
    if (x->ndim < 1 || !x->count || !dn_real(x) || c->in[1].dtype != x->dtype || c->out[0].dtype != x->dtype)
        return GV_UNSUPPORTED;
    for (int i = 2; i < 5; i++)
        if (!dn_f32_or_absent(&c->in[i]))
            return GV_UNSUPPORTED;
    for (int i = 1; i < c->nout; i++)
        if (c->out[i].dtype != GV_F32T)
            return GV_UNSUPPORTED;
    return dn_own(ctx, k, x->dtype == GV_F32T ? backward_f32 : backward_bf16, DN_PARTS * part_bytes(x->shape[x->ndim - 1]));
}
#else

GV_HOT static void F(onednn_ln_rows)(const T *x, T *y, int64_t rows, int64_t D, const float *restrict w, const float *restrict b, double eps, float *restrict mean,
                                     float *restrict invstd)
{
    for (int64_t r = 0; r < rows; r++) {
        const T *u = x + r * D;
        T *v = y + r * D;
        float s = 0, q = 0;
#pragma omp simd reduction(+ : s)
        for (int64_t i = 0; i < D; i++)
            s += LD(u[i]);
        float m = s / (float)D;
#pragma omp simd reduction(+ : q)
        for (int64_t i = 0; i < D; i++) {
            float d = LD(u[i]) - m;
            q += d * d;
        }
        float is = (float)(1 / sqrt(q / (double)D + eps));
        mean[r] = m;
        invstd[r] = is;
        if (w && b) {
            GV_IVDEP
            for (int64_t i = 0; i < D; i++)
                v[i] = ST((LD(u[i]) - m) * is * w[i] + b[i]);
        } else {
            for (int64_t i = 0; i < D; i++)
                v[i] = ST((LD(u[i]) - m) * is * (w ? w[i] : 1.f) + (b ? b[i] : 0.f));
        }
    }
}

static void F(rows)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t D = c->in[0].shape[c->in[0].ndim - 1], at = begin * D;
    dn_ln_rows *f = c->in[1].ndim < 0 || c->in[2].ndim < 0 ? NULL : dn_ln_rows_of(sizeof(T) == 2);
    if (f) {
        f((const T *)c->x[0] + at, (T *)c->y[0] + at, end - begin, D, c->x[1], c->x[2], ((const gv_norm_attr *)c->attr)->eps, (float *)c->y[1] + begin,
          (float *)c->y[2] + begin);
        return;
    }
    F(onednn_ln_rows)((const T *)c->x[0] + at, (T *)c->y[0] + at, end - begin, D, c->in[1].ndim < 0 ? NULL : c->x[1], c->in[2].ndim < 0 ? NULL : c->x[2],
                      ((const gv_norm_attr *)c->attr)->eps, (float *)c->y[1] + begin, (float *)c->y[2] + begin);
}

static int F(forward)(const gv_call *c)
{
    int64_t D = c->in[0].shape[c->in[0].ndim - 1];
    gv_parallel(c->in[0].count / D, dn_max(1, 16384 / D), F(rows), (void *)(uintptr_t)c);
    return GV_OK;
}

/* dx = invstd * (g - mean(g) - xhat * mean(g * xhat)), g = dy * w, xhat = (x - mean) * invstd; bw += dy * xhat, bb += dy. */
GV_HOT static void F(onednn_ln_grad_rows)(const T *x, const T *dy, T *dx, int64_t rows, int64_t D, const float *restrict w, const float *restrict mean,
                                          const float *restrict invstd, float *restrict bw, float *restrict bb)
{
    for (int64_t r = 0; r < rows; r++) {
        const T *u = x + r * D, *g = dy + r * D;
        T *d = dx + r * D;
        float m = mean[r], is = invstd[r], s = 0, q = 0;
#pragma omp simd reduction(+ : s, q)
        for (int64_t i = 0; i < D; i++) {
            float h = (LD(u[i]) - m) * is, t = LD(g[i]), e = w ? t * w[i] : t;
            bw[i] += t * h;
            bb[i] += t;
            s += e;
            q += e * h;
        }
        s /= (float)D;
        q /= (float)D;
        GV_IVDEP
        for (int64_t i = 0; i < D; i++) {
            float h = (LD(u[i]) - m) * is, t = LD(g[i]), e = w ? t * w[i] : t;
            d[i] = ST(is * (e - s - h * q));
        }
    }
}

static void F(grad_part)(void *p, int64_t begin, int64_t end)
{
    const dn_parts *a = p;
    const gv_call *c = a->c;
    int64_t D = c->in[0].shape[c->in[0].ndim - 1], R = c->in[0].count / D;
    dn_ln_grad_rows *f = c->in[4].ndim < 0 ? NULL : dn_ln_grad_rows_of(sizeof(T) == 2);
    for (int64_t part = begin; part < end; part++) {
        struct sums s = part_of(c, part, D);
        memset(s.w, 0, (size_t)D * sizeof *s.w);
        memset(s.b, 0, (size_t)D * sizeof *s.b);
        for (int64_t r = R * part / a->parts, last = R * (part + 1) / a->parts; r < last; r += BLOCK) {
            memset(s.bw, 0, (size_t)D * sizeof *s.bw);
            memset(s.bb, 0, (size_t)D * sizeof *s.bb);
            if (f)
                f((const T *)c->x[0] + r * D, (const T *)c->x[1] + r * D, (T *)c->y[0] + r * D, dn_min(BLOCK, last - r), D, c->x[4], (const float *)c->x[2] + r,
                  (const float *)c->x[3] + r, s.bw, s.bb);
            else
                F(onednn_ln_grad_rows)((const T *)c->x[0] + r * D, (const T *)c->x[1] + r * D, (T *)c->y[0] + r * D, dn_min(BLOCK, last - r), D,
                                       c->in[4].ndim < 0 ? NULL : c->x[4], (const float *)c->x[2] + r, (const float *)c->x[3] + r, s.bw, s.bb);
            for (int64_t i = 0; i < D; i++) {
                s.w[i] += s.bw[i];
                s.b[i] += s.bb[i];
            }
        }
    }
}

static int F(backward)(const gv_call *c)
{
    int64_t D = c->in[0].shape[c->in[0].ndim - 1], parts = dn_count_parts(c->in[0].count / D, D);
    dn_over_parts(c, parts, F(grad_part));
    float *dw = c->nout > 1 ? c->y[1] : NULL, *db = c->nout > 2 ? c->y[2] : NULL;
    for (int64_t i = 0; i < D; i++) {
        double w = 0, b = 0;
        for (int64_t part = 0; part < parts; part++) {
            struct sums s = part_of(c, part, D);
            w += s.w[i];
            b += s.b[i];
        }
        if (dw)
            dw[i] = (float)w;
        if (db)
            db[i] = (float)b;
    }
    return GV_OK;
}
#endif
