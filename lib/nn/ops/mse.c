/* mse: the mean of the squares of a - b, STAT [1]. */
#ifndef T
#include "nn/ops/op.h"

gv_val gv_mse(gv_graph *g, gv_val a, gv_val b)
{
    gv_val in[2] = { a, b };
    char s[GV_SHAPE_TEXT], t[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_mse, in, 2) || !gv_is_float(g, GV_OP_mse, a) || !gv_is_float(g, GV_OP_mse, b))
        return GV_NO_VAL;
    if (!gv_same_shape(g, a, b))
        return gv_graph_fail(g, "mse of %s and %s", gv_shape_text(g, a, s), gv_shape_text(g, b, t));
    return gv_op1(g, GV_OP_mse, NULL, in, 2, GV_CLASS_STAT, (int64_t[]){ 1 }, 1);
}

/* da = 2 (a - b) dloss / n, db = -da */
static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    gv_val a = gv_cast(g, n->in[0], GV_CLASS_STAT), b = gv_cast(g, n->in[1], GV_CLASS_STAT);
    double count = (double)gv_shape_count(gv_shape(g, a), gv_ndim(g, a));
    gv_val d = gv_mul(g, gv_sub(g, a, b), gv_affine(g, dy[0], 2 / count, 0));
    if (want[0])
        dx[0] = gv_cast(g, d, gv_class_of(g, n->in[0]));
    if (want[1])
        dx[1] = gv_cast(g, gv_affine(g, d, -1, 0), gv_class_of(g, n->in[1]));
}

#define GV_KERNELS "nn/ops/mse.c"
#include "nn/ops/types.h"

const gv_op gv_op_mse = { .name = "mse", .wants = "s", .gradient = gradient, GV_PLAIN(mse_run) };
#else
static int F(mse_run)(const gv_call *c)
{
    const S *a = c->x[0], *b = c->x[1];
    double sum = 0;
    for (int64_t i = 0; i < c->in[0].count; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    *(S *)c->y[0] = (S)(sum / (double)c->in[0].count);
    return GV_OK;
}
#endif
