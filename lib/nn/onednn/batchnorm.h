/* What the batch norm kernels share: the scratch, which holds for each part its statistics and behind the parts three rows for
 * the pass that applies them. */
#ifndef GV_NN_ONEDNN_BATCHNORM_H
#define GV_NN_ONEDNN_BATCHNORM_H

#include "nn/onednn/own.h"
#include "nn/ops/attr.h"
#include "nn/ops/samples.h"

enum { BN_BLOCK = 32 }; /* rows that are summed in float before they are joined in double */

typedef struct bn_part { double *mean, *m2; float *sum, *sq, *centre; } bn_part; /* each [C]; the last three belong to a block */

/* y = (x - mean) * scale + bias, then what is added, then relu, which leaves slope times what is below 0. Rows of C elements, and of C floats. */
typedef struct bn_affine { const void *x, *more; void *y; int64_t C; const float *mean, *scale, *bias; bool relu; float slope; } bn_affine;

/* What relu let through: everything; where the forward value worked out from x is positive; where y is. */
typedef enum bn_mask { BN_NO_MASK, BN_MASK_X, BN_MASK_Y } bn_mask;

typedef struct bn_grad {
    const void *x, *dy, *y, *dy2;     /* the last two or NULL */
    void *dx, *stored;                /* stored: where the first pass leaves dz, or NULL */
    int64_t C, R, parts;
    const float *mean, *scale, *bias; /* scale: invstd * w */
    const float *a, *b;               /* of the second pass */
    bn_mask mask;
    float slope;                      /* what the mask leaves of the rest */
    void *scratch;
} bn_grad;

/* The loops over rows with intrinsics (batchnorm_rows.c). NULL where the processor has none of them: the loops of batchnorm.c and
 * batchnorm_grad.c serve. */
typedef void dn_bn_block(const void *x, int64_t rows, int64_t C, const float *centre, float *sum, float *sq); /* sums of x - centre and of its square */
typedef void dn_bn_apply(const bn_affine *o, int64_t r, int64_t last);
typedef void dn_bn_grad_sums(const bn_grad *o, int64_t r, int64_t last, float *sum, float *dot); /* sum += dz, dot += dz * (x - mean) */
typedef void dn_bn_grad_apply(const bn_grad *o, int64_t r, int64_t last); /* dx = scale * (dz - a) - (x - mean) * b */
dn_bn_block *dn_bn_block_of(bool bf16);
dn_bn_apply *dn_bn_apply_of(bool bf16);
dn_bn_grad_sums *dn_bn_grad_sums_of(bool bf16);
dn_bn_grad_apply *dn_bn_grad_apply_of(bool bf16);

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

static inline size_t bn_scratch(int64_t C)
{
    return DN_PARTS * bn_part_bytes(C) + 4 * dn_round((size_t)C * sizeof(float));
}

/* Row i of the four behind the parts. */
static inline float *bn_row(const gv_call *c, int64_t C, int i)
{
    return (float *)((char *)c->scratch + DN_PARTS * bn_part_bytes(C) + (size_t)i * dn_round((size_t)C * sizeof(float)));
}

#endif
