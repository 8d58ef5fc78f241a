/* Windows of conv and pool: checks for builders, and a geometry of always three spatial axes for the plain kernels. */
#ifndef GV_NN_OPS_WINDOW_H
#define GV_NN_OPS_WINDOW_H

#include "nn/ops/op.h"

/* Missing axes stand in front with size 1. i: input, o: output. */
typedef struct gv_geometry {
    int64_t n, i[3], o[3], k[3], stride[3], pad[3], pad_end[3], dil[3];
    int64_t ni, no, nk; /* products of i, o, k */
} gv_geometry;

/* Fill in defaults (stride, dilation, groups 0 mean 1), check against x [N,s…,C], and write the output's spatial sizes to out. False: the
 * graph has failed. */
bool gv_window_check(gv_graph *g, gv_op_id op, gv_val x, gv_window *w, int64_t out[3]);
/* From the shapes of input and output ([N,s…,C] both). */
void gv_geometry_make(gv_geometry *q, const gv_window *w, const gv_desc *x, const gv_desc *y);

static inline void gv_unflatten(const int64_t dim[3], int64_t at, int64_t p[3])
{
    p[2] = at % dim[2];
    at /= dim[2];
    p[1] = at % dim[1];
    p[0] = at / dim[1];
}

/* The input position that output o sees through tap k, flattened; -1: in the padding. */
static inline int64_t gv_tap(const gv_geometry *q, const int64_t o[3], const int64_t k[3])
{
    int64_t at = 0;
    for (int d = 0; d < 3; d++) {
        int64_t p = o[d] * q->stride[d] - q->pad[d] + k[d] * q->dil[d];
        if (p < 0 || p >= q->i[d])
            return -1;
        at = at * q->i[d] + p;
    }
    return at;
}

/* The output position that sees input i through tap k; -1: none. */
static inline int64_t gv_untap(const gv_geometry *q, const int64_t i[3], const int64_t k[3])
{
    int64_t at = 0;
    for (int d = 0; d < 3; d++) {
        int64_t p = i[d] + q->pad[d] - k[d] * q->dil[d];
        if (p < 0 || p % q->stride[d] || p / q->stride[d] >= q->o[d])
            return -1;
        at = at * q->o[d] + p / q->stride[d];
    }
    return at;
}

/* The taps that fall inside the input for position o of the output, along axis d: [*from, *to). */
static inline void gv_window_inside(const gv_geometry *q, int d, int64_t o, int64_t *from, int64_t *to)
{
    int64_t start = o * q->stride[d] - q->pad[d], k = q->k[d];
    *from = start < 0 ? (-start + q->dil[d] - 1) / q->dil[d] : 0;
    while (k > 0 && start + (k - 1) * q->dil[d] >= q->i[d])
        k--;
    *to = k;
}

#endif
