/* layernorm: over the last axis, y = (x - mean) * invstd * w + b; further outputs mean and invstd [rows].
 * Source: Ba et al. 2016, arXiv:1607.06450. Two passes over a row, which stays in the cache. */
#ifndef T
#include "nn/ops/op.h"

gv_norm_out gv_layernorm(gv_graph *g, gv_val x, gv_val w, gv_val b, double eps)
{
    gv_norm_out o = { GV_NO_VAL, GV_NO_VAL, GV_NO_VAL, GV_NO_VAL };
    gv_val in[3] = { x, w, b };
    if (!gv_op_ready(g, GV_OP_layernorm, in, 1) || !gv_is_float(g, GV_OP_layernorm, x))
        return o;
    int64_t c = gv_dim(g, x, -1), rows = gv_shape_count(gv_shape(g, x), gv_ndim(g, x)) / c;
    if (!gv_is_vector(g, GV_OP_layernorm, "the weight", w, c) || !gv_is_vector(g, GV_OP_layernorm, "the bias", b, c))
        return o;
    gv_norm_attr a = { eps };
    int n = gv_node_new(g, GV_OP_layernorm, &a, in, 3);
    o.y = gv_node_out(g, n, GV_CLASS_REAL, gv_shape(g, x), gv_ndim(g, x));
    o.mean = gv_node_out(g, n, GV_CLASS_STAT, &rows, 1);
    o.invstd = gv_node_out(g, n, GV_CLASS_STAT, &rows, 1);
    return o;
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    if (dy[1] != GV_NO_VAL || dy[2] != GV_NO_VAL) {
        gv_graph_fail(g, "layernorm: no gradient goes back through the statistics; detach them");
        return;
    }
    gv_norm_grad d = gv_layernorm_grad(g, n->in[0], n->in[1], n->out[1], n->out[2], dy[0]);
    dx[0] = d.dx;
    dx[1] = d.dw;
    dx[2] = d.db;
}

#define GV_KERNELS "nn/ops/layernorm.c"
#include "nn/ops/types.h"

const gv_op gv_op_layernorm = {
    .name = "layernorm", .attr_size = sizeof(gv_norm_attr), .wants = "rs", .gradient = gradient, GV_PLAIN(layernorm_run),
};
#else
#define LANES(x) layernorm_##x
#include "nn/ops/lanes.h"

GV_HOT static void F(layernorm_rows)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t C = c->in[0].shape[c->in[0].ndim - 1];
    const S *w = c->x[1], *b = c->x[2];
    A eps = (A)((const gv_norm_attr *)c->attr)->eps;
    for (int64_t r = begin; r < end; r++) {
        const T *x = (const T *)c->x[0] + r * C;
        T *y = (T *)c->y[0] + r * C;
        A mean, var;
        GV_LANE_SUM(mean, C, LD(x[at]));
        mean /= (A)C;
        GV_LANE_SUM(var, C, (LD(x[at]) - mean) * (LD(x[at]) - mean));
        A s = 1 / (A)sqrt((double)(var / (A)C + eps));
        ((S *)c->y[1])[r] = mean;
        ((S *)c->y[2])[r] = s;
        if (w && b) {
            GV_IVDEP
            for (int64_t i = 0; i < C; i++)
                y[i] = ST((LD(x[i]) - mean) * s * w[i] + b[i]);
        } else {
            for (int64_t i = 0; i < C; i++)
                y[i] = ST((LD(x[i]) - mean) * s * (w ? w[i] : 1) + (b ? b[i] : 0));
        }
    }
}
#undef LANES

static int F(layernorm_run)(const gv_call *c)
{
    return gv_over(c, c->out[1].count, gv_row_grain(c->in[0].count / c->out[1].count), F(layernorm_rows));
}
#endif
