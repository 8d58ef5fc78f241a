/* bce_logits: the mean of max(x,0) - x t + log(1 + exp(-|x|)) over all elements: binary cross-entropy of sigmoid(x). STAT [1]. */
#ifndef T
#include "nn/ops/op.h"

gv_val gv_bce_logits(gv_graph *g, gv_val logits, gv_val targets)
{
    gv_val in[2] = { logits, targets };
    char a[GV_SHAPE_TEXT], b[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_bce_logits, in, 2) || !gv_is_float(g, GV_OP_bce_logits, logits) || !gv_is_float(g, GV_OP_bce_logits, targets))
        return GV_NO_VAL;
    if (!gv_same_shape(g, logits, targets))
        return gv_graph_fail(g, "bce_logits of logits %s and targets %s", gv_shape_text(g, logits, a), gv_shape_text(g, targets, b));
    return gv_op1(g, GV_OP_bce_logits, NULL, in, 2, GV_CLASS_STAT, (int64_t[]){ 1 }, 1);
}

/* dx = (sigmoid(x) - t) dloss / n */
static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    if (want[1])
        gv_graph_fail(g, "bce_logits: no gradient goes to the targets; detach them");
    gv_val x = n->in[0];
    double count = (double)gv_shape_count(gv_shape(g, x), gv_ndim(g, x));
    gv_val d = gv_sub(g, gv_sigmoid(g, gv_cast(g, x, GV_CLASS_STAT)), gv_cast(g, n->in[1], GV_CLASS_STAT));
    dx[0] = gv_cast(g, gv_mul(g, d, gv_affine(g, dy[0], 1 / count, 0)), gv_class_of(g, x));
}

#define GV_KERNELS "nn/ops/bce_logits.c"
#include "nn/ops/types.h"

const gv_op gv_op_bce_logits = { .name = "bce_logits", .wants = "s", .gradient = gradient, GV_PLAIN(bce_logits_run) };
#else
static int F(bce_logits_run)(const gv_call *c)
{
    const S *x = c->x[0], *t = c->x[1];
    double loss = 0;
    for (int64_t i = 0; i < c->in[0].count; i++) {
        double v = (double)x[i];
        loss += (v < 0 ? 0 : v) - v * (double)t[i] + log1p(exp(-fabs(v)));
    }
    *(S *)c->y[0] = (S)(loss / (double)c->in[0].count);
    return GV_OK;
}
#endif
