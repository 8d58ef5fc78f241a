/*
 * batchnorm_train: x [R,C] (R = N*space), w, b, more -> y, mean [C], invstd [C], var [C] (biased), where `more` is added and relu applied in
 * the same pass; batchnorm_eval: x, mean, var, w, b -> y. With the attribute given: x, w, b, more, mean, invstd -> y, the same bytes.
 * With the attribute each (instance norm): sample by sample, statistics [N*C].
 *
 * Training reads x twice and writes y once. Statistics: blocks of rows are summed in float about the mean so far (of the first block: about
 * its first row) and joined in double, so neither a large mean nor many rows cost precision, and x is read once for both sums. Four rows are
 * taken at a time: their sums stay in registers. oneDNN's batch normalisation is not used: it has no invstd, adds nothing, and takes
 * one pass more.
 *
 * Source: Chan, Golub, LeVeque 1979, equation 2.1; Ioffe & Szegedy 2015, section 3.
 */
#ifndef T
#include "nn/onednn/batchnorm.h"
#include <math.h>

/* A block of n rows (sums about centre) joins the `before` rows that the part already holds; centre becomes the mean of all. */
GV_HOT static void onednn_bn_join(const bn_part *s, double before, double n, int64_t C)
{
    double f = n / (before + n), g = before * f, share = 1 / n; /* n is a power of two but in the last block */
    double *restrict mean = s->mean, *restrict total = s->m2;
    const float *restrict sum = s->sum, *restrict sq = s->sq;
    float *restrict centre = s->centre;
    for (int64_t i = 0; i < C; i++) {
        double shift = sum[i] * share, d = centre[i] + shift - mean[i], m2 = sq[i] - shift * sum[i];
        mean[i] += d * f;
        total[i] += (m2 > 0 || m2 != m2 ? m2 : 0) + d * d * g;
        centre[i] = (float)mean[i];
    }
}

#define GV_KERNELS "nn/onednn/batchnorm.c"
#include "nn/onednn/types.h"

int gv_onednn_batchnorm_train(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    const gv_desc *x = &c->in[0];
    int64_t C = bn_channels(x);
    bool given = ((const gv_batchnorm_attr *)c->attr)->given;
    if (C < 1 || !x->count || !dn_real(x) || c->out[0].dtype != x->dtype || !dn_f32_or_absent(&c->in[1]) || !dn_f32_or_absent(&c->in[2]) ||
        c->nout != (given ? 1 : 4) || (given && (c->nin != 6 || c->in[4].dtype != GV_F32T || c->in[5].dtype != GV_F32T)))
        return GV_UNSUPPORTED;
    for (int i = 1; i < c->nout; i++)
        if (c->out[i].dtype != GV_F32T)
            return GV_UNSUPPORTED;
    if (c->nin > 3 && c->in[3].ndim >= 0 && (c->in[3].dtype != x->dtype || c->in[3].count != x->count))
        return GV_UNSUPPORTED;
    if (given)
        return dn_own(ctx, k, x->dtype == GV_F32T ? given_f32 : given_bf16, bn_scratch(C));
    return dn_own(ctx, k, x->dtype == GV_F32T ? train_f32 : train_bf16, bn_scratch(C));
}

int gv_onednn_batchnorm_eval(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    const gv_desc *x = &c->in[0];
    int64_t C = bn_channels(x);
    if (C < 1 || !x->count || !dn_real(x) || c->out[0].dtype != x->dtype)
        return GV_UNSUPPORTED;
    for (int i = 1; i < 5; i++)
        if (!dn_f32_or_absent(&c->in[i]))
            return GV_UNSUPPORTED;
    return dn_own(ctx, k, x->dtype == GV_F32T ? eval_f32 : eval_bf16, bn_scratch(C));
}
#else

/* One block: sums of x - centre and of its square. */
GV_HOT static void F(onednn_bn_block)(const void *from, int64_t rows, int64_t C, const float *restrict centre, float *restrict sum, float *restrict sq)
{
    const T *restrict x = from;
    memset(sum, 0, (size_t)C * sizeof *sum);
    memset(sq, 0, (size_t)C * sizeof *sq);
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        const T *a = x + r * C, *b = a + C, *d = b + C, *e = d + C;
        for (int64_t i = 0; i < C; i++) {
            float m = centre[i], p = LD(a[i]) - m, q = LD(b[i]) - m, s = LD(d[i]) - m, t = LD(e[i]) - m;
            sum[i] += (p + q) + (s + t);
            sq[i] += (p * p + q * q) + (s * s + t * t);
        }
    }
    for (; r < rows; r++)
        for (int64_t i = 0; i < C; i++) {
            float p = LD(x[r * C + i]) - centre[i];
            sum[i] += p;
            sq[i] += p * p;
        }
}

static void F(statistics)(void *p, int64_t begin, int64_t end)
{
    const dn_parts *q = p;
    const gv_call *c = q->c;
    int64_t C = bn_channels(&c->in[0]), R = c->in[0].count / C;
    dn_bn_block *f = dn_bn_block_of(sizeof(T) == 2);
    f = f ? f : F(onednn_bn_block);
    for (int64_t part = begin; part < end; part++) {
        bn_part s = bn_part_of(c->scratch, part, C);
        int64_t first = R * part / q->parts, last = R * (part + 1) / q->parts;
        for (int64_t i = 0; i < C; i++) {
            s.mean[i] = s.m2[i] = 0;
            s.centre[i] = LD(((const T *)c->x[0])[first * C + i]);
        }
        for (int64_t r = first; r < last; r += BN_BLOCK) {
            int64_t n = dn_min(BN_BLOCK, last - r);
            f((const T *)c->x[0] + r * C, n, C, s.centre, s.sum, s.sq);
            onednn_bn_join(&s, (double)(r - first), (double)n, C);
        }
    }
}

/* One loop for each of the six kinds, since a test within costs as much as the work. */
#define APPLY(e) for (int64_t i = 0; i < C; i++) { float v = (LD(a[i]) - mean[i]) * scale[i] + bias[i]; b[i] = ST(e); }
GV_HOT static void F(onednn_bn_apply)(const bn_affine *o, int64_t begin, int64_t end)
{
    int64_t C = o->C;
    float leak = o->slope;
    const float *restrict mean = o->mean, *restrict scale = o->scale, *restrict bias = o->bias;
    for (int64_t r = begin; r < end; r++) {
        const T *a = (const T *)o->x + r * C, *m = o->more ? (const T *)o->more + r * C : NULL;
        T *b = (T *)o->y + r * C;
        if (m && o->relu && leak != 0)
            GV_IVDEP APPLY(v + LD(m[i]) < 0 ? (v + LD(m[i])) * leak : v + LD(m[i]))
        else if (m && o->relu)
            GV_IVDEP APPLY(v + LD(m[i]) < 0 ? 0 : v + LD(m[i]))
        else if (m)
            GV_IVDEP APPLY(v + LD(m[i]))
        else if (o->relu && leak != 0)
            GV_IVDEP APPLY(v < 0 ? v * leak : v)
        else if (o->relu)
            GV_IVDEP APPLY(v < 0 ? 0 : v)
        else
            GV_IVDEP APPLY(v)
    }
}
#undef APPLY

static void F(apply)(void *p, int64_t begin, int64_t end)
{
    dn_bn_apply *f = dn_bn_apply_of(sizeof(T) == 2);
    (f ? f : F(onednn_bn_apply))(p, begin, end);
}

static int F(train_one)(const gv_call *c, bool further GV_UNUSED)
{
    const gv_batchnorm_attr *o = c->attr;
    int64_t C = bn_channels(&c->in[0]), R = c->in[0].count / C, parts = dn_count_parts(R, C);
    dn_over_parts(c, parts, F(statistics));
    const float *w = c->in[1].ndim < 0 ? NULL : c->x[1], *b = c->in[2].ndim < 0 ? NULL : c->x[2];
    float *mean = c->y[1], *invstd = c->y[2], *var = c->y[3], *scale = bn_row(c, C, 0), *centre = bn_row(c, C, 1), *bias = bn_row(c, C, 2);
    for (int64_t i = 0; i < C; i++) {
        double n = 0, m = 0, m2 = 0;
        for (int64_t part = 0; part < parts; part++) {
            bn_part s = bn_part_of(c->scratch, part, C);
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
    bn_affine a = { c->x[0], c->nin > 3 && c->in[3].ndim >= 0 ? c->x[3] : NULL, c->y[0], C, centre, scale, bias, o->relu, (float)o->slope };
    gv_parallel(R, dn_max(1, 16384 / C), F(apply), &a);
    return GV_OK;
}

static int F(train)(const gv_call *c)
{
    return gv_samples(c, ((const gv_batchnorm_attr *)c->attr)->each, F(train_one));
}

static int F(given_one)(const gv_call *c, bool further GV_UNUSED)
{
    const gv_batchnorm_attr *o = c->attr;
    int64_t C = bn_channels(&c->in[0]);
    const float *w = c->in[1].ndim < 0 ? NULL : c->x[1], *b = c->in[2].ndim < 0 ? NULL : c->x[2], *mean = c->x[4], *invstd = c->x[5];
    float *scale = bn_row(c, C, 0), *bias = bn_row(c, C, 2);
    for (int64_t i = 0; i < C; i++) {
        scale[i] = invstd[i] * (w ? w[i] : 1);
        bias[i] = b ? b[i] : 0;
    }
    bn_affine a = { c->x[0], c->in[3].ndim >= 0 ? c->x[3] : NULL, c->y[0], C, mean, scale, bias, o->relu, (float)o->slope };
    gv_parallel(c->in[0].count / C, dn_max(1, 16384 / C), F(apply), &a);
    return GV_OK;
}

static int F(given)(const gv_call *c)
{
    return gv_samples(c, ((const gv_batchnorm_attr *)c->attr)->each, F(given_one));
}

static int F(eval)(const gv_call *c)
{
    const gv_batchnorm_attr *o = c->attr;
    int64_t C = bn_channels(&c->in[0]);
    const float *mean = c->x[1], *var = c->x[2], *w = c->in[3].ndim < 0 ? NULL : c->x[3], *b = c->in[4].ndim < 0 ? NULL : c->x[4];
    float *scale = bn_row(c, C, 0), *bias = bn_row(c, C, 2);
    for (int64_t i = 0; i < C; i++) {
        scale[i] = (float)(1 / sqrt(var[i] + o->eps)) * (w ? w[i] : 1);
        bias[i] = b ? b[i] : 0;
    }
    bn_affine a = { c->x[0], NULL, c->y[0], C, mean, scale, bias, o->relu, 0 };
    gv_parallel(c->in[0].count / C, dn_max(1, 16384 / C), F(apply), &a);
    return GV_OK;
}
#endif
