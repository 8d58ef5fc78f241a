/* cross_entropy: the mean of -sum_k t_k log softmax(logits)_k over the rows whose target is not all zero; 0 when there is none. STAT [1]. */
#ifndef T
#include "nn/ops/op.h"

gv_val gv_cross_entropy(gv_graph *g, gv_val logits, gv_val targets)
{
    gv_val in[2] = { logits, targets };
    char a[GV_SHAPE_TEXT], b[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_cross_entropy, in, 2) || !gv_is_float(g, GV_OP_cross_entropy, logits) || !gv_is_float(g, GV_OP_cross_entropy, targets))
        return GV_NO_VAL;
    if (!gv_same_shape(g, logits, targets) || gv_ndim(g, logits) < 1)
        return gv_graph_fail(g, "cross_entropy of logits %s and targets %s", gv_shape_text(g, logits, a), gv_shape_text(g, targets, b));
    return gv_op1(g, GV_OP_cross_entropy, NULL, in, 2, GV_CLASS_STAT, (int64_t[]){ 1 }, 1);
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    if (want[1])
        gv_graph_fail(g, "cross_entropy: no gradient goes to the targets; detach them");
    gv_val in[3] = { n->in[0], n->in[1], dy[0] };
    gv_val d = gv_op1(g, GV_OP_cross_entropy_grad, NULL, in, 3, GV_CLASS_STAT, gv_shape(g, n->in[0]), gv_ndim(g, n->in[0]));
    dx[0] = gv_cast(g, d, gv_class_of(g, n->in[0]));
}

#define GV_KERNELS "nn/ops/cross_entropy.c"
#include "nn/ops/types.h"

const gv_op gv_op_cross_entropy = { .name = "cross_entropy", .wants = "s", .gradient = gradient, GV_PLAIN(cross_entropy_run) };
#else
static int F(cross_entropy_run)(const gv_call *c)
{
    int64_t K = c->in[0].shape[c->in[0].ndim - 1], R = c->in[0].count / K, rows = 0;
    double loss = 0;
    for (int64_t r = 0; r < R; r++) {
        const S *x = (const S *)c->x[0] + r * K, *t = (const S *)c->x[1] + r * K;
        double most = (double)x[0], sum = 0, dot = 0, weight = 0;
        bool any = false;
        for (int64_t i = 0; i < K; i++) {
            most = (double)x[i] > most ? (double)x[i] : most;
            any = any || t[i] != 0;
        }
        if (!any)
            continue;
        for (int64_t i = 0; i < K; i++) {
            sum += exp((double)x[i] - most);
            dot += (double)t[i] * ((double)x[i] - most);
            weight += (double)t[i];
        }
        loss += weight * log(sum) - dot;
        rows++;
    }
    *(S *)c->y[0] = (S)(rows ? loss / (double)rows : 0);
    return GV_OK;
}
#endif
