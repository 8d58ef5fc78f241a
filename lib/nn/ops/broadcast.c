/* broadcast: x repeated to a larger shape by NumPy's rule. */
#ifndef T
#include "nn/ops/binary.h"

gv_val gv_broadcast(gv_graph *g, gv_val x, const int64_t *shape, int ndim)
{
    char t[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_broadcast, &x, 1) || !gv_is_float(g, GV_OP_broadcast, x))
        return GV_NO_VAL;
    int lead = ndim - gv_ndim(g, x);
    bool fits = lead >= 0, same = lead == 0;
    for (int i = 0; fits && i < gv_ndim(g, x); i++) {
        int64_t d = gv_shape(g, x)[i];
        fits = d == 1 || d == shape[i + lead];
        same = same && d == shape[i + lead];
    }
    if (!fits)
        return gv_graph_fail(g, "broadcast: shape %s does not fit into the %d dimensions wanted", gv_shape_text(g, x, t), ndim);
    return same ? x : gv_op1(g, GV_OP_broadcast, NULL, &x, 1, gv_class_of(g, x), shape, ndim);
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    gv_val x = n->in[0];
    dx[0] = gv_sum_to(g, dy[0], gv_shape(g, x), gv_ndim(g, x), gv_class_of(g, x));
}

#define GV_KERNELS "nn/ops/broadcast.c"
#include "nn/ops/types.h"

const gv_op gv_op_broadcast = { .name = "broadcast", .wants = "o", .gradient = gradient, GV_PLAIN(broadcast_run) };
#else
#define GV_BINARY(x) broadcast_##x
#define EXPR(a, b) ((void)(b), (a))
#include "nn/ops/binary_kernel.h"
#undef GV_BINARY
#undef EXPR
#endif
