/*
 * batchnorm_train: x [R,C] (R = N*space), w, b -> y, mean [C], invstd [C], var [C] (biased); batchnorm_eval: x, mean, var, w, b -> y;
 * batchnorm_grad: x, dy, mean, invstd, w -> dx, dw, db.
 *
 * Training reads x twice (once from memory, once mostly from cache) and writes y once. Statistics: blocks of rows that stay in
 * the first cache are summed in float, their squares about the block's own mean; blocks are joined in double (Chan's rule), so
 * neither a large mean nor many rows cost precision. oneDNN's batch normalisation is not used: it has no invstd, and
 * takes one pass more.
 *
 * Source: Chan, Golub, LeVeque 1979, equation 2.1; Ioffe & Szegedy 2015, section 3.
 */
#ifndef T
#include "nn/onednn/own.h"
#include "nn/ops/attr.h"
#include <math.h>

enum { BLOCK_BYTES = 16384 };

static int64_t channels(const gv_desc *x)
{
    return x->ndim > 1 ? x->shape[x->ndim - 1] : 0;
}

struct stat { double n, *mean, *m2; float *sum, *sq; }; /* of one part; the last two are a block's */

static size_t part_bytes(int64_t C)
{
    return 2 * dn_round((size_t)C * sizeof(double)) + 2 * dn_round((size_t)C * sizeof(float));
}

static struct stat part_of(void *scratch, int64_t part, int64_t C)
{
    char *p = (char *)scratch + (size_t)part * part_bytes(C);
    size_t d = dn_round((size_t)C * sizeof(double)), f = dn_round((size_t)C * sizeof(float));
    return (struct stat){ 0, (double *)p, (double *)(p + d), (float *)(p + 2 * d), (float *)(p + 2 * d + f) };
}

static int64_t block_rows(int64_t C)
{
    return dn_max(4, dn_min(256, BLOCK_BYTES / (C * 4)));
}

/* scratch: the parts, then two or three rows of C floats for the second pass */
static size_t scratch_bytes(const gv_onednn *ctx, int64_t C)
{
    return (size_t)ctx->threads * part_bytes(C) + 3 * dn_round((size_t)C * sizeof(float));
}

static float *rows_of(const gv_call *c, int64_t C, int i)
{
    return (float *)((char *)c->scratch + (size_t)dn_threads(c) * part_bytes(C) + (size_t)i * dn_round((size_t)C * sizeof(float)));
}

static void join(struct stat *a, double n, const float *sum, const float *sq, int64_t C)
{
    double all = a->n + n, f = n / all, g = a->n * n / all;
    for (int64_t i = 0; i < C; i++) {
        double d = sum[i] / n - a->mean[i];
        a->mean[i] += d * f;
        a->m2[i] += sq[i] + d * d * g;
    }
    a->n = all;
}

#define GV_KERNELS "nn/onednn/batchnorm.c"
#include "nn/onednn/types.h"

int gv_onednn_batchnorm_train(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    const gv_desc *x = &c->in[0];
    int64_t C = channels(x);
    if (C < 1 || !x->count || !dn_real(x) || c->out[0].dtype != x->dtype || !dn_f32_or_absent(&c->in[1]) || !dn_f32_or_absent(&c->in[2]) ||
        c->nout != 4 || c->out[1].dtype != GV_F32T || c->out[2].dtype != GV_F32T || c->out[3].dtype != GV_F32T)
        return GV_UNSUPPORTED;
    return dn_own(ctx, k, x->dtype == GV_F32T ? train_f32 : train_bf16, scratch_bytes(ctx, C));
}

int gv_onednn_batchnorm_eval(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    const gv_desc *x = &c->in[0];
    int64_t C = channels(x);
    if (C < 1 || !x->count || !dn_real(x) || c->out[0].dtype != x->dtype)
        return GV_UNSUPPORTED;
    for (int i = 1; i < 5; i++)
        if (!dn_f32_or_absent(&c->in[i]))
            return GV_UNSUPPORTED;
    return dn_own(ctx, k, x->dtype == GV_F32T ? eval_f32 : eval_bf16, scratch_bytes(ctx, C));
}

int gv_onednn_batchnorm_grad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    const gv_desc *x = &c->in[0], *dy = &c->in[1];
    int64_t C = channels(x);
    if (C < 1 || !x->count || !dn_real(x) || dy->dtype != x->dtype || c->out[0].dtype != x->dtype)
        return GV_UNSUPPORTED;
    for (int i = 2; i < 5; i++)
        if (!dn_f32_or_absent(&c->in[i]))
            return GV_UNSUPPORTED;
    for (int i = 1; i < c->nout; i++)
        if (c->out[i].dtype != GV_F32T)
            return GV_UNSUPPORTED;
    return dn_own(ctx, k, x->dtype == GV_F32T ? grad_f32 : grad_bf16, scratch_bytes(ctx, C));
}
#else

/* One block: sums, then squares about the block's mean. */
GV_HOT static void F(onednn_bn_block)(const T *restrict x, int64_t rows, int64_t C, float *restrict sum, float *restrict sq)
{
    for (int64_t i = 0; i < C; i++)
        sum[i] = LD(x[i]);
    for (int64_t r = 1; r < rows; r++)
        for (int64_t i = 0; i < C; i++)
            sum[i] += LD(x[r * C + i]);
    float f = 1.f / (float)rows;
    for (int64_t i = 0; i < C; i++)
        sq[i] = 0;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < C; i++) {
            float d = LD(x[r * C + i]) - sum[i] * f;
            sq[i] += d * d;
        }
}

static void F(statistics)(void *p, int64_t begin, int64_t end)
{
    const dn_parts *q = p;
    const gv_call *c = q->c;
    int64_t C = channels(&c->in[0]), R = c->in[0].count / C, block = block_rows(C);
    for (int64_t part = begin; part < end; part++) {
        struct stat s = part_of(c->scratch, part, C);
        memset(s.mean, 0, (size_t)C * sizeof *s.mean);
        memset(s.m2, 0, (size_t)C * sizeof *s.m2);
        for (int64_t r = R * part / q->parts, last = R * (part + 1) / q->parts; r < last; r += block) {
            int64_t n = dn_min(block, last - r);
            F(onednn_bn_block)((const T *)c->x[0] + r * C, n, C, s.sum, s.sq);
            join(&s, (double)n, s.sum, s.sq, C);
        }
    }
}

/* y = (x - mean) * scale + bias */
GV_HOT static void F(onednn_bn_apply)(const T *x, T *y, int64_t rows, int64_t C, const float *restrict scale, const float *restrict mean, const float *restrict bias)
{
    for (int64_t r = 0; r < rows; r++) {
        const T *a = x + r * C;
        T *b = y + r * C;
        GV_IVDEP
        for (int64_t i = 0; i < C; i++)
            b[i] = ST((LD(a[i]) - mean[i]) * scale[i] + bias[i]);
    }
}

static void F(apply)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t C = channels(&c->in[0]);
    F(onednn_bn_apply)((const T *)c->x[0] + begin * C, (T *)c->y[0] + begin * C, end - begin, C, rows_of(c, C, 0), rows_of(c, C, 1), rows_of(c, C, 2));
}

static int F(apply_all)(const gv_call *c, int64_t C)
{
    gv_parallel(c->in[0].count / C, dn_max(1, 16384 / C), F(apply), (void *)(uintptr_t)c);
    return GV_OK;
}

static int F(train)(const gv_call *c)
{
    const gv_norm_attr *o = c->attr;
    int64_t C = channels(&c->in[0]), R = c->in[0].count / C, parts = dn_count_parts(c, R, C);
    dn_over_parts(c, parts, F(statistics));
    const float *w = c->in[1].ndim < 0 ? NULL : c->x[1], *b = c->in[2].ndim < 0 ? NULL : c->x[2];
    float *mean = c->y[1], *invstd = c->y[2], *var = c->y[3], *scale = rows_of(c, C, 0), *centre = rows_of(c, C, 1), *bias = rows_of(c, C, 2);
    for (int64_t i = 0; i < C; i++) {
        double n = 0, m = 0, m2 = 0;
        for (int64_t part = 0; part < parts; part++) {
            struct stat s = part_of(c->scratch, part, C);
            double pn = (double)(R * (part + 1) / parts - R * part / parts), d = s.mean[i] - m;
            m += d * pn / (n + pn);
            m2 += s.m2[i] + d * d * n * pn / (n + pn);
            n += pn;
        }
        mean[i] = centre[i] = (float)m;
        var[i] = (float)(m2 / n);
        invstd[i] = (float)(1 / sqrt(m2 / n + o->eps));
        scale[i] = invstd[i] * (w ? w[i] : 1);
        bias[i] = b ? b[i] : 0;
    }
    return F(apply_all)(c, C);
}

static int F(eval)(const gv_call *c)
{
    const gv_norm_attr *o = c->attr;
    int64_t C = channels(&c->in[0]);
    const float *mean = c->x[1], *var = c->x[2], *w = c->in[3].ndim < 0 ? NULL : c->x[3], *b = c->in[4].ndim < 0 ? NULL : c->x[4];
    float *scale = rows_of(c, C, 0), *centre = rows_of(c, C, 1), *bias = rows_of(c, C, 2);
    for (int64_t i = 0; i < C; i++) {
        scale[i] = (float)(1 / sqrt(var[i] + o->eps)) * (w ? w[i] : 1);
        centre[i] = mean[i];
        bias[i] = b ? b[i] : 0;
    }
    return F(apply_all)(c, C);
}

/* One block: sums of dy and of dy * (x - mean). */
GV_HOT static void F(onednn_bn_grad_block)(const T *restrict x, const T *restrict dy, int64_t rows, int64_t C, const float *restrict mean, float *restrict sum,
                                           float *restrict dot)
{
    for (int64_t i = 0; i < C; i++)
        sum[i] = dot[i] = 0;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < C; i++) {
            float g = LD(dy[r * C + i]);
            sum[i] += g;
            dot[i] += g * (LD(x[r * C + i]) - mean[i]);
        }
}

static void F(grad_sums)(void *p, int64_t begin, int64_t end)
{
    const dn_parts *q = p;
    const gv_call *c = q->c;
    int64_t C = channels(&c->in[0]), R = c->in[0].count / C, block = block_rows(C);
    for (int64_t part = begin; part < end; part++) {
        struct stat s = part_of(c->scratch, part, C); /* mean: total of dy; m2: total of dy * (x - mean) */
        memset(s.mean, 0, (size_t)C * sizeof *s.mean);
        memset(s.m2, 0, (size_t)C * sizeof *s.m2);
        for (int64_t r = R * part / q->parts, last = R * (part + 1) / q->parts; r < last; r += block) {
            F(onednn_bn_grad_block)((const T *)c->x[0] + r * C, (const T *)c->x[1] + r * C, dn_min(block, last - r), C, c->x[2], s.sum, s.sq);
            for (int64_t i = 0; i < C; i++) {
                s.mean[i] += s.sum[i];
                s.m2[i] += s.sq[i];
            }
        }
    }
}

/* dx = scale * (dy - a) - (x - mean) * b, where a = sum dy / R and b = scale * invstd^2 * sum dy (x - mean) / R */
GV_HOT static void F(onednn_bn_grad_apply)(const T *x, const T *dy, T *dx, int64_t rows, int64_t C, const float *restrict mean, const float *restrict scale,
                                           const float *restrict a, const float *restrict b)
{
    for (int64_t r = 0; r < rows; r++) {
        const T *u = x + r * C, *g = dy + r * C;
        T *d = dx + r * C;
        GV_IVDEP
        for (int64_t i = 0; i < C; i++)
            d[i] = ST(scale[i] * (LD(g[i]) - a[i]) - (LD(u[i]) - mean[i]) * b[i]);
    }
}

static void F(grad_apply)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t C = channels(&c->in[0]), at = begin * C;
    F(onednn_bn_grad_apply)((const T *)c->x[0] + at, (const T *)c->x[1] + at, (T *)c->y[0] + at, end - begin, C, c->x[2], rows_of(c, C, 0), rows_of(c, C, 1),
                            rows_of(c, C, 2));
}

static int F(grad)(const gv_call *c)
{
    int64_t C = channels(&c->in[0]), R = c->in[0].count / C, parts = dn_count_parts(c, R, C);
    dn_over_parts(c, parts, F(grad_sums));
    const float *w = c->in[4].ndim < 0 ? NULL : c->x[4], *invstd = c->x[3];
    float *scale = rows_of(c, C, 0), *a = rows_of(c, C, 1), *b = rows_of(c, C, 2), *dw = c->nout > 1 ? c->y[1] : NULL, *db = c->nout > 2 ? c->y[2] : NULL;
    for (int64_t i = 0; i < C; i++) {
        double sum = 0, dot = 0;
        for (int64_t part = 0; part < parts; part++) {
            struct stat s = part_of(c->scratch, part, C);
            sum += s.mean[i];
            dot += s.m2[i];
        }
        scale[i] = invstd[i] * (w ? w[i] : 1);
        a[i] = (float)(sum / (double)R);
        b[i] = (float)(dot * scale[i] * invstd[i] * invstd[i] / (double)R);
        if (dw)
            dw[i] = (float)(dot * invstd[i]);
        if (db)
            db[i] = (float)sum;
    }
    if (c->y[0])
        gv_parallel(R, dn_max(1, 16384 / C), F(grad_apply), (void *)(uintptr_t)c);
    return GV_OK;
}
#endif
