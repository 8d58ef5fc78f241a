/*
 * batchnorm_grad: x, dy, mean, invstd, w, b, y, dy2 -> dx, dw, db, dz; all from b on may be absent (lib/nn/ops/batchnorm_grad.c says what they mean).
 * With the attribute each, sample by sample; dw and db add up.
 *
 * Two passes, since dx needs sums over all rows: the first reads x and dy and sums, the second reads them again and writes dx. A mask that
 * can be told from x is worked out in both; where dz costs more to make or somebody else wants it, the first pass stores it: in its own
 * output or, until the second pass, in dx. Four rows are taken at a time, so that sums and factors of a channel stay in registers.
 */
#ifndef T
#include "nn/onednn/batchnorm.h"

/* The sums of a block join those of a part. */
GV_HOT static void onednn_bn_total(const bn_part *s, int64_t C)
{
    double *restrict sum = s->mean, *restrict dot = s->m2;
    const float *restrict add = s->sum, *restrict more = s->sq;
    for (int64_t i = 0; i < C; i++) {
        sum[i] += add[i];
        dot[i] += more[i];
    }
}

#define GV_KERNELS "nn/onednn/batchnorm_grad.c"
#include "nn/onednn/types.h"

static bool absent(const gv_call *c, int i)
{
    return i >= c->nin || c->in[i].ndim < 0;
}

int gv_onednn_batchnorm_grad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    const gv_desc *x = &c->in[0];
    int64_t C = bn_channels(x);
    if (C < 1 || !x->count || !dn_real(x) || c->out[0].dtype != x->dtype || (c->nout > 3 && c->out[3].dtype != x->dtype))
        return GV_UNSUPPORTED;
    static const int real[] = { 1, 6, 7 };
    for (int i = 0; i < 3; i++)
        if (!absent(c, real[i]) && (c->in[real[i]].dtype != x->dtype || c->in[real[i]].count != x->count))
            return GV_UNSUPPORTED;
    for (int i = 2; i < 6; i++)
        if (!absent(c, i) && c->in[i].dtype != GV_F32T)
            return GV_UNSUPPORTED;
    for (int i = 1; i < c->nout && i < 3; i++)
        if (c->out[i].dtype != GV_F32T)
            return GV_UNSUPPORTED;
    bool stores = c->nout > 3 || !absent(c, 6) || !absent(c, 7);
    int r = dn_own(ctx, k, x->dtype == GV_F32T ? grad_f32 : grad_bf16, bn_scratch(C));
    const unsigned dy = 1u << 1, y = 1u << 6, dy2 = 1u << 7;
    k->in_place[0] = stores && c->nout <= 3 ? dy | y | dy2 : 1u | dy; /* a stored dz must not lie over x */
    k->in_place[3] = dy | y | dy2;
    return r;
}
#else

/* dz and x - mean of element i in row r, from the names that both passes use */
#define ELEMENT(r)                                                                                                          \
    float u##r = LD(x[r * C + i]) - m, d##r = LD(dy[r * C + i]) + (two ? LD(dy2[r * C + i]) : 0);                           \
    d##r = mask == BN_NO_MASK || (mask == BN_MASK_Y ? LD(y[r * C + i]) : u##r * s + bias[i]) > 0 ? d##r : leak == 0 ? 0 : d##r * leak;

/* Four rows, or one: sums of dz and dz * (x - mean); with store, dz goes to z. */
static inline __attribute__((always_inline)) void F(bn_grad_add)(const T *x, const T *dy, const T *y, const T *dy2, T *z, int64_t C, const float *restrict mean,
                                                                 const float *restrict weight, const float *restrict bias, float *restrict sum,
                                                                 float *restrict dot, bool four, bn_mask mask, bool two, bool store, float leak)
{
    if (four) {
        GV_IVDEP
        for (int64_t i = 0; i < C; i++) {
            float m = mean[i], s = mask == BN_MASK_X ? weight[i] : 0;
            ELEMENT(0) ELEMENT(1) ELEMENT(2) ELEMENT(3)
            if (store)
                z[i] = ST(d0), z[C + i] = ST(d1), z[2 * C + i] = ST(d2), z[3 * C + i] = ST(d3);
            sum[i] += (d0 + d1) + (d2 + d3);
            dot[i] += (d0 * u0 + d1 * u1) + (d2 * u2 + d3 * u3);
        }
        return;
    }
    GV_IVDEP
    for (int64_t i = 0; i < C; i++) {
        float m = mean[i], s = mask == BN_MASK_X ? weight[i] : 0;
        ELEMENT(0)
        if (store)
            z[i] = ST(d0);
        sum[i] += d0;
        dot[i] += d0 * u0;
    }
}

/* The first pass over rows [r, last) of a part. Each kind is a loop of its own. */
GV_HOT static void F(onednn_bn_grad_sums)(const bn_grad *o, int64_t r, int64_t last, float *restrict sum, float *restrict dot)
{
    int64_t C = o->C;
    for (int64_t step; r < last; r += step) {
        bool four = r + 4 <= last;
        step = four ? 4 : 1;
        const T *x = (const T *)o->x + r * C, *dy = (const T *)o->dy + r * C, *y = (const T *)o->y + (o->y ? r * C : 0), *dy2 = (const T *)o->dy2 + (o->dy2 ? r * C : 0);
        T *z = (T *)o->stored + (o->stored ? r * C : 0);
#define KIND(f, m, t, st)                                                                              \
    if (four == f && o->mask == m && !!o->dy2 == t && !!o->stored == st) {                             \
        F(bn_grad_add)(x, dy, y, dy2, z, C, o->mean, o->scale, o->bias, sum, dot, f, m, t, st, o->slope); \
        continue;                                                                                      \
    }
#define KINDS(f) KIND(f, BN_NO_MASK, 0, 0) KIND(f, BN_MASK_X, 0, 0) KIND(f, BN_NO_MASK, 0, 1) KIND(f, BN_MASK_X, 0, 1) KIND(f, BN_MASK_Y, 0, 1) KIND(f, BN_NO_MASK, 1, 1) \
    KIND(f, BN_MASK_X, 1, 1) KIND(f, BN_MASK_Y, 1, 1)
        KINDS(1) KINDS(0)
#undef KIND
#undef KINDS
    }
}

static void F(grad_sums)(void *p, int64_t begin, int64_t end)
{
    const bn_grad *o = p;
    int64_t C = o->C, R = o->R;
    dn_bn_grad_sums *f = dn_bn_grad_sums_of(sizeof(T) == 2);
    f = f ? f : F(onednn_bn_grad_sums);
    for (int64_t part = begin; part < end; part++) {
        bn_part s = bn_part_of(o->scratch, part, C); /* mean: total of dz; m2: total of dz * (x - mean) */
        int64_t last = R * (part + 1) / o->parts;
        memset(s.mean, 0, (size_t)C * sizeof *s.mean);
        memset(s.m2, 0, (size_t)C * sizeof *s.m2);
        for (int64_t r = R * part / o->parts; r < last; r += BN_BLOCK) {
            memset(s.sum, 0, (size_t)C * sizeof *s.sum);
            memset(s.sq, 0, (size_t)C * sizeof *s.sq);
            f(o, r, dn_min(last, r + BN_BLOCK), s.sum, s.sq);
            onednn_bn_total(&s, C);
        }
    }
}

/* dx = scale * (dz - a) - (x - mean) * b, where a = sum dz / R and b = scale * invstd^2 * sum dz (x - mean) / R */
static inline __attribute__((always_inline)) void F(bn_grad_write)(const T *x, const T *dy, T *dx, int64_t C, const float *restrict mean, const float *restrict scale,
                                                                   const float *restrict bias, const float *restrict a, const float *restrict b, bool four, bn_mask mask, float leak)
{
    const bool two = false;
    const T *y = NULL, *dy2 = NULL;
    if (four) {
        GV_IVDEP
        for (int64_t i = 0; i < C; i++) {
            float m = mean[i], s = scale[i], f = a[i], g = b[i];
            ELEMENT(0) ELEMENT(1) ELEMENT(2) ELEMENT(3)
            dx[i] = ST(s * (d0 - f) - u0 * g);
            dx[C + i] = ST(s * (d1 - f) - u1 * g);
            dx[2 * C + i] = ST(s * (d2 - f) - u2 * g);
            dx[3 * C + i] = ST(s * (d3 - f) - u3 * g);
        }
        return;
    }
    GV_IVDEP
    for (int64_t i = 0; i < C; i++) {
        float m = mean[i], s = scale[i];
        ELEMENT(0)
        dx[i] = ST(s * (d0 - a[i]) - u0 * b[i]);
    }
}
#undef ELEMENT

GV_HOT static void F(onednn_bn_grad_apply)(const bn_grad *o, int64_t r, int64_t last)
{
    int64_t C = o->C;
    for (int64_t step; r < last; r += step) {
        bool four = r + 4 <= last, again = o->mask == BN_MASK_X && !o->stored; /* the mask is told from x once more */
        step = four ? 4 : 1;
        const T *x = (const T *)o->x + r * C, *dz = (const T *)(o->stored ? o->stored : o->dy) + r * C;
        T *dx = (T *)o->dx + r * C;
        if (four && again)
            F(bn_grad_write)(x, dz, dx, C, o->mean, o->scale, o->bias, o->a, o->b, true, BN_MASK_X, o->slope);
        else if (four)
            F(bn_grad_write)(x, dz, dx, C, o->mean, o->scale, o->bias, o->a, o->b, true, BN_NO_MASK, 0);
        else if (again)
            F(bn_grad_write)(x, dz, dx, C, o->mean, o->scale, o->bias, o->a, o->b, false, BN_MASK_X, o->slope);
        else
            F(bn_grad_write)(x, dz, dx, C, o->mean, o->scale, o->bias, o->a, o->b, false, BN_NO_MASK, 0);
    }
}

static void F(grad_apply)(void *p, int64_t begin, int64_t end)
{
    const bn_grad *o = p;
    dn_bn_grad_apply *f = dn_bn_grad_apply_of(sizeof(T) == 2);
    for (int64_t part = begin; part < end; part++)
        (f ? f : F(onednn_bn_grad_apply))(o, o->R * part / o->parts, o->R * (part + 1) / o->parts);
}

static int F(grad_one)(const gv_call *c, bool further)
{
    int64_t C = bn_channels(&c->in[0]), R = c->in[0].count / C;
    const float *mean = c->x[2], *invstd = c->x[3], *w = c->in[4].ndim < 0 ? NULL : c->x[4], *bias = c->nin > 5 && c->in[5].ndim >= 0 ? c->x[5] : NULL;
    float *scale = bn_row(c, C, 0), *a = bn_row(c, C, 1), *b = bn_row(c, C, 2), *zero = bn_row(c, C, 3);
    bn_grad o = { .x = c->x[0], .dy = c->x[1], .dx = c->y[0], .C = C, .R = R, .parts = dn_count_parts(R, C), .scratch = c->scratch, .mean = mean, .bias = bias ? bias : zero, .scale = scale, .a = a, .b = b };
    const gv_batchnorm_grad_attr *attr = c->attr;
    o.y = c->nin > 6 && c->in[6].ndim >= 0 ? c->x[6] : NULL;
    o.dy2 = c->nin > 7 && c->in[7].ndim >= 0 ? c->x[7] : NULL;
    o.stored = c->nout > 3 ? c->y[3] : o.y || o.dy2 ? c->y[0] : NULL;
    o.mask = !attr || !attr->relu ? BN_NO_MASK : o.y ? BN_MASK_Y : BN_MASK_X;
    o.slope = attr ? (float)attr->slope : 0;
    for (int64_t i = 0; i < C; i++) {
        scale[i] = invstd[i] * (w ? w[i] : 1);
        zero[i] = 0;
    }
    gv_parallel(o.parts, 1, F(grad_sums), &o);
    float *dw = c->nout > 1 ? c->y[1] : NULL, *db = c->nout > 2 ? c->y[2] : NULL;
    for (int64_t i = 0; i < C; i++) {
        double sum = 0, dot = 0;
        for (int64_t part = 0; part < o.parts; part++) {
            bn_part s = bn_part_of(c->scratch, part, C);
            sum += s.mean[i];
            dot += s.m2[i];
        }
        a[i] = (float)(sum / (double)R);
        b[i] = (float)(dot * scale[i] * invstd[i] * invstd[i] / (double)R);
        if (dw)
            dw[i] = (float)(dot * invstd[i] + (further ? dw[i] : 0));
        if (db)
            db[i] = (float)(sum + (further ? db[i] : 0));
    }
    if (c->y[0])
        gv_parallel(o.parts, 1, F(grad_apply), &o);
    return GV_OK;
}

static int F(grad)(const gv_call *c)
{
    const gv_batchnorm_grad_attr *o = c->attr;
    return gv_samples(c, o && o->each, F(grad_one));
}
#endif
