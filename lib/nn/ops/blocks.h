/* slice, pad and concat seen as blocks: a tensor cut at `axis` is `outer` blocks of shape[axis] * inner bytes. */
#ifndef GV_NN_OPS_BLOCKS_H
#define GV_NN_OPS_BLOCKS_H

#include "nn/ops/op.h"

static inline int64_t gv_outer_of(const gv_desc *d, int axis)
{
    int64_t n = 1;
    for (int i = 0; i < axis; i++)
        n *= d->shape[i];
    return n;
}

/* Bytes of one step along the axis. */
static inline size_t gv_inner_bytes(const gv_desc *d, int axis)
{
    size_t n = gv_dtype_of(d->dtype)->size;
    for (int i = axis + 1; i < d->ndim; i++)
        n *= (size_t)d->shape[i];
    return n;
}

/* The axis counted from 0; -1 with the graph failed. */
static inline int gv_axis(gv_graph *g, gv_op_id op, gv_val x, int axis)
{
    int n = gv_ndim(g, x), a = axis < 0 ? axis + n : axis;
    char t[GV_SHAPE_TEXT];
    if (a >= 0 && a < n)
        return a;
    gv_graph_fail(g, "%s: axis %d of a tensor of shape %s", gv_op_of(op)->name, axis, gv_shape_text(g, x, t));
    return -1;
}

#endif
