/* What the batch norm kernels share: the scratch, which holds for each thread's part its statistics and behind the parts three rows for
 * the pass that applies them. */
#ifndef GV_NN_ONEDNN_BATCHNORM_H
#define GV_NN_ONEDNN_BATCHNORM_H

#include "nn/onednn/own.h"
#include "nn/ops/attr.h"

enum { BN_BLOCK = 32 }; /* rows that are summed in float before they are joined in double */

typedef struct bn_part { double *mean, *m2; float *sum, *sq, *centre; } bn_part; /* each [C]; the last three belong to a block */

static inline int64_t bn_channels(const gv_desc *x)
{
    return x->ndim > 1 ? x->shape[x->ndim - 1] : 0;
}

static inline size_t bn_part_bytes(int64_t C)
{
    return 2 * dn_round((size_t)C * sizeof(double)) + 3 * dn_round((size_t)C * sizeof(float));
}

static inline bn_part bn_part_of(void *scratch, int64_t part, int64_t C)
{
    char *p = (char *)scratch + (size_t)part * bn_part_bytes(C);
    size_t d = dn_round((size_t)C * sizeof(double)), f = dn_round((size_t)C * sizeof(float));
    return (bn_part){ (double *)p, (double *)(p + d), (float *)(p + 2 * d), (float *)(p + 2 * d + f), (float *)(p + 2 * d + 2 * f) };
}

static inline size_t bn_scratch(const gv_onednn *ctx, int64_t C)
{
    return (size_t)ctx->threads * bn_part_bytes(C) + 4 * dn_round((size_t)C * sizeof(float));
}

/* Row i of the four behind the parts. */
static inline float *bn_row(const gv_call *c, int64_t C, int i)
{
    return (float *)((char *)c->scratch + (size_t)dn_threads(c) * bn_part_bytes(C) + (size_t)i * dn_round((size_t)C * sizeof(float)));
}

/* A block of n rows (sums about centre) joins the `before` rows that the part already holds; centre becomes the mean of all. */
static inline void bn_join(bn_part *s, double before, double n, int64_t C)
{
    double f = n / (before + n), g = before * f;
    for (int64_t i = 0; i < C; i++) {
        double shift = s->sum[i] / n, d = s->centre[i] + shift - s->mean[i], m2 = s->sq[i] - shift * s->sum[i];
        s->mean[i] += d * f;
        s->m2[i] += (m2 > 0 || m2 != m2 ? m2 : 0) + d * d * g;
        s->centre[i] = (float)s->mean[i];
    }
}

#endif
